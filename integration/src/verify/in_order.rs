//! Findings that are made side by side, and told in the order of the list.

use std::collections::BTreeMap;

use tokio::sync::Mutex;

use super::{Finding, Verdict, name, wanted};

/// What was found so far.
pub(super) struct InOrder<T> {
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    tell: T,
    /// The numbers that nobody has been told of, in order.
    untold: Vec<u8>,
    made: BTreeMap<u8, Finding>,
}

impl<T: FnMut(&Finding)> InOrder<T> {
    /// Nothing yet of these numbers, or of all.
    pub(super) fn new(only: &[u8], tell: T) -> Self {
        Self { inner: Mutex::new(Inner { tell, untold: wanted(only).collect(), made: BTreeMap::new() }) }
    }

    /// Takes a finding, and tells it and those that have waited for it, once nothing before them is missing.
    pub(super) async fn note(&self, number: u8, verdict: Verdict) {
        let mut inner = self.inner.lock().await;
        let Inner { tell, untold, made } = &mut *inner;
        made.insert(number, Finding { number, name: name(number), verdict });
        while let Some(next) = untold.first().and_then(|number| made.get(number)) {
            tell(next);
            untold.remove(0);
        }
    }

    /// All of them.
    pub(super) fn all(self) -> Vec<Finding> {
        self.inner.into_inner().made.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_is_early_waits_for_those_before() {
        let mut told = Vec::new();
        let findings = InOrder::new(&[3, 7, 9], |finding: &Finding| told.push(finding.number));
        for number in [7, 3, 9] {
            findings.note(number, Verdict::not_asked("no")).await;
        }
        let all: Vec<u8> = findings.all().iter().map(|finding| finding.number).collect();
        assert_eq!((told, all), (vec![3, 7, 9], vec![3, 7, 9]));
    }
}
