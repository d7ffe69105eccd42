//! What the filter counts, because Envoy and Istio cannot.
//!
//! Names carry their tags in Istio's form (`tag=.=value;.;`), tags first, which `extraStatTags` takes apart again. Every tag's values
//! come from the policy or from closed sets, so the number of series is bounded by the configuration. A metric is defined when it is
//! first needed (defining takes locks in the host) and its id kept; those that alerts use are defined at once, so that they exist
//! before anything goes wrong.

use crate::abi::{self, Failed, Metric};
use meridian_core::series;
use std::cell::RefCell;

/// More series than this are not defined; what they would have counted is lost, and traffic is not.
const LIMIT: usize = 2_000;

/// The metrics of one filter configuration: the host's ids, sorted by what they are ids of.
#[derive(Default)]
pub(crate) struct Metrics {
    ids: RefCell<Vec<(u64, u32)>>,
}

impl Metrics {
    /// Adds one to a counter.
    pub(crate) fn count(&self, name: &str, tags: &[(&str, &str)]) {
        if let Some(id) = self.id(Metric::Counter, name, tags) {
            let _ = abi::increment(id, 1);
        }
    }

    /// Sets a gauge.
    pub(crate) fn set(&self, name: &str, tags: &[(&str, &str)], value: u64) {
        if let Some(id) = self.id(Metric::Gauge, name, tags) {
            let _ = abi::record(id, value);
        }
    }

    /// Adds an observation to a histogram.
    pub(crate) fn observe(&self, name: &str, value: u64) {
        if let Some(id) = self.id(Metric::Histogram, name, &[]) {
            let _ = abi::record(id, value);
        }
    }

    /// Counts a host call that failed, and passes its value on if it did not.
    pub(crate) fn checked<T>(&self, call: &str, result: Result<T, Failed>) -> Option<T> {
        if result.is_err() {
            self.count("meridian_host_errors_total", &[("call", call)]);
        }
        result.ok()
    }

    /// Makes a metric exist before anything happened.
    pub(crate) fn define(&self, kind: Metric, name: &str, tags: &[(&str, &str)]) {
        let _ = self.id(kind, name, tags);
    }

    fn id(&self, kind: Metric, name: &str, tags: &[(&str, &str)]) -> Option<u32> {
        let series = series(name, tags);
        let mut ids = self.ids.borrow_mut();
        let free = match ids.binary_search_by_key(&series, |(known, _)| *known) {
            Ok(at) => return ids.get(at).map(|(_, id)| *id),
            Err(free) => free,
        };
        if ids.len() >= LIMIT {
            return None;
        }
        let mut full = String::with_capacity(160);
        for part in tags.iter().flat_map(|(tag, value)| [tag, "=.=", value, ";.;"]).chain([name]) {
            full.push_str(part);
        }
        let id = abi::define_metric(kind, &full).ok()?;
        ids.insert(free, (series, id));
        Some(id)
    }
}
