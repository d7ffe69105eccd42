//! Which subsets the routes lead to.
//!
//! Routes are written first and say what they need; subsets are made of that and of nothing else. So a route to a subset that no
//! `DestinationRule` has, which Istio answers with 503, cannot be written. Probes need subsets as well, which no route leads to.

use super::complaint::Place;
use meridian_core::Plan;
use std::collections::BTreeMap;

/// What routes need, by the full name of the host.
#[derive(Debug, Default)]
pub(super) struct Needs {
    hosts: BTreeMap<String, BTreeMap<Need, Place>>,
}

/// A plan, for one version of a service or for all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    /// The user's own subset.
    pub(super) subset: Option<String>,
    pub(super) plan: Plan,
    /// Whether only a probe is sent there.
    pub(super) probed: bool,
}

impl Needs {
    /// Notes what the destination at `place` needs.
    pub(super) fn add(&mut self, host: &str, subset: Option<&str>, plan: Plan, place: &Place) {
        let need = Need { subset: subset.map(str::to_owned), plan, probed: false };
        self.hosts.entry(host.to_owned()).or_default().entry(need).or_insert_with(|| place.clone());
    }

    /// Notes what a probe needs, unless a route needs the same.
    pub(super) fn add_probe(&mut self, host: &str, plan: Plan, place: &Place) {
        let needs = self.hosts.entry(host.to_owned()).or_default();
        let routed = Need { subset: None, plan, probed: false };
        if !needs.contains_key(&routed) {
            needs.insert(Need { probed: true, ..routed }, place.clone());
        }
    }

    /// Every host with what is needed of it, each need with the first place that needs it.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (&str, &BTreeMap<Need, Place>)> {
        self.hosts.iter().map(|(host, needs)| (host.as_str(), needs))
    }
}
