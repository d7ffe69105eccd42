//! What the filter counts, because Envoy and Istio cannot.
//!
//! Names carry their tags in Istio's form (`tag=.=value;.;`), tags first, which `extraStatTags` takes apart again. Every tag's values
//! come from the policy or from closed sets, so the number of series is bounded by the configuration. A metric is defined when it is
//! first needed (defining takes locks in the host) and its id kept; those that alerts use are defined at once, so that they exist
//! before anything goes wrong.

use crate::abi::{self, Failed, Metric};
use std::cell::RefCell;

/// More series than this are not defined; what they would have counted is lost, and traffic is not.
const LIMIT: usize = 2_000;

/// The metrics of one filter configuration: the host's ids, sorted by the hash of their full names.
///
/// The hash stands for the name, which is therefore put together only once: that two of [`LIMIT`] names have the same 64 bits is less
/// likely than that the machine errs.
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
        let hash = tags.iter().fold(hash(0, name), |before, (tag, value)| self::hash(self::hash(before, tag), value));
        let mut ids = self.ids.borrow_mut();
        let free = match ids.binary_search_by_key(&hash, |(hash, _)| *hash) {
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
        ids.insert(free, (hash, id));
        Some(id)
    }
}

/// A hash of a text after what was hashed before, eight bytes at a time.
fn hash(before: u64, text: &str) -> u64 {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let text = text.as_bytes();
    let mix = |hash: u64, word: u64| {
        let hash = (hash ^ word).wrapping_mul(SPREAD);
        hash ^ (hash >> 29)
    };
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    // What is left at the end is taken together with what stands before it.
    let last = match text.last_chunk() {
        Some(last) => word(last),
        None => text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    // The length keeps apart what is one text from what is two.
    let before = mix(mix(before, text.len() as u64), last);
    text.as_chunks().0.iter().fold(before, |hash, bytes| mix(hash, word(bytes)))
}
