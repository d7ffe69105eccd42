//! What the filter counts, because Envoy and Istio cannot.
//!
//! Names carry their tags in Istio's form (`tag=.=value;.;`), tags first, which `extraStatTags` takes apart again. Every tag's values
//! come from the policy or from closed sets, so the number of series is bounded by the configuration. A metric is defined when it is
//! first needed (defining takes locks in the host) and its id kept; those that alerts use are defined at once, so that they exist
//! before anything goes wrong.

use crate::abi::{self, Failed, Metric};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;

/// More series than this are not defined; what they would have counted is lost, and traffic is not.
const LIMIT: usize = 2_000;

/// The metrics of one filter configuration.
#[derive(Default)]
pub(crate) struct Metrics {
    ids: RefCell<HashMap<String, u32>>,
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
        let mut full = String::with_capacity(160);
        for (tag, value) in tags {
            let _ = write!(full, "{tag}=.={value};.;");
        }
        full.push_str(name);
        let mut ids = self.ids.borrow_mut();
        if let Some(id) = ids.get(&full) {
            return Some(*id);
        }
        if ids.len() >= LIMIT {
            return None;
        }
        let id = abi::define_metric(kind, &full).ok()?;
        ids.insert(full, id);
        Some(id)
    }
}
