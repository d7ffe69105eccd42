//! A plan as a subset of a `DestinationRule`.
//!
//! The labels are the fence, `failoverPriority` is the preference, and the two are not to be confused: a preference may be wrong and
//! costs latency; a label that is missing takes a pod out of the fence, so that the fence fails closed.
//!
//! - `only-R` is the pods of one region: by cluster, which Istio knows of every endpoint, or by the node's region where a region has
//!   several clusters. Labels are compared before istiod replaces remote endpoints by their gateway, so both hold across networks.
//! - `prefer-R` has no labels: everything, R first.
//! - `prefer-R-in-F` is the pods that carry the fence's label, R first. A restricted failover is a fence of its own.
//!
//! Istio keeps one value per `failoverPriority` key (of two, the last wins), so a plan names its first region and no second. That key is
//! the cluster, because across networks an endpoint is a gateway, which carries the labels of its cluster and network and no other
//! (istio/istio#49500). For a region of several clusters it is the first one, unless the mesh is one network, where the region's label
//! balances over all of them.

use meridian_core::{Plan, Policy};
use serde_json::{Map, Value, json};

/// What precedes a fence's name in its label.
pub(crate) const FENCE_PREFIX: &str = "fence.meridian/";
const CLUSTER: &str = "topology.istio.io/cluster";
const REGION: &str = "topology.kubernetes.io/region";

/// How a plan picks endpoints and which of them come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subset {
    /// Endpoints carry all of these.
    pub(super) labels: Map<String, Value>,
    /// What the endpoints that come first carry; `None` where there is only one region.
    pub(super) first: Option<String>,
    /// Whether only a probe is sent there.
    pub(super) probed: bool,
}

/// The subset of a plan; `None` for a plan of another policy.
pub(super) fn subset(policy: &Policy, plan: Plan, one_network: bool) -> Option<Subset> {
    let region = policy.region(plan.first)?;
    let several = region.clusters.len() > 1;
    let cluster = region.clusters.first()?;
    let mut labels = Map::new();
    if policy.scope(plan.scope)?.order().len() == 1 {
        let (key, value) = if several { (REGION, &region.name) } else { (CLUSTER, cluster) };
        labels.insert(key.to_owned(), json!(value));
        return Some(Subset { labels, first: None, probed: false });
    }
    if let Some(fence) = fence(policy, plan) {
        labels.insert(format!("{FENCE_PREFIX}{fence}"), json!("true"));
    }
    let (key, value) = if several && one_network { (REGION, &region.name) } else { (CLUSTER, cluster) };
    Some(Subset { labels, first: Some(format!("{key}={value}")), probed: false })
}

/// The name of the fence whose label a plan's endpoints carry.
pub(super) fn fence(policy: &Policy, plan: Plan) -> Option<&str> {
    let prefix = format!("prefer-{}-in-", policy.region_name(plan.first));
    policy.plan_name(plan)?.strip_prefix(&prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::istio::testing::{POLICY, policy};
    use meridian_core::Rule;

    fn named(text: &str, one_network: bool, name: &str) -> (Value, Option<String>) {
        let policy = policy(text, "a");
        let rules = policy.virtual_hosts().iter().flat_map(|host| host.rules.iter()).filter_map(|id| policy.rule(*id));
        let plans = |rule: &Rule| rule.scopes().collect::<Vec<_>>();
        let mut all = rules.flat_map(plans).flat_map(|scope| {
            policy.scope(scope).unwrap().order().iter().map(move |first| Plan { scope, first: *first })
        });
        let plan = all.find(|plan| policy.plan_name(*plan) == Some(name)).unwrap();
        let subset = subset(&policy, plan, one_network).unwrap();
        (Value::Object(subset.labels), subset.first)
    }

    #[test]
    fn a_preference_has_no_labels_and_a_fence_has_its_own() {
        let first = |cluster: &str| Some(format!("topology.istio.io/cluster={cluster}"));
        assert_eq!(named(POLICY, false, "prefer-us"), (json!({}), first("a")));
        assert_eq!(named(POLICY, false, "prefer-eu-2-in-eu"), (json!({"fence.meridian/eu": "true"}), first("c")));
    }

    #[test]
    fn a_single_region_is_its_cluster_or_its_nodes_region() {
        let alone = POLICY.replace("fences: {eu: [eu-1, eu-2]}", "fences: {eu: [eu-1]}");
        assert_eq!(named(&alone, false, "only-eu-1"), (json!({"topology.istio.io/cluster": "b"}), None));
        let two = alone.replace("clusters: [b]", "clusters: [b, b2]");
        assert_eq!(named(&two, false, "only-eu-1"), (json!({"topology.kubernetes.io/region": "eu-1"}), None));
    }

    #[test]
    fn a_region_of_two_clusters_is_preferred_as_one_only_inside_one_network() {
        let two = POLICY.replace("clusters: [a]", "clusters: [a, a2]");
        assert_eq!(named(&two, false, "prefer-us").1.unwrap(), "topology.istio.io/cluster=a");
        assert_eq!(named(&two, true, "prefer-us").1.unwrap(), "topology.kubernetes.io/region=us");
    }

    #[test]
    fn a_restricted_failover_is_a_fence_with_its_own_label() {
        let text = POLICY
            .replace("fence: eu,", "")
            .replace("pathPrefix: /eu,", "")
            .replace("timeout: 3s,", "timeout: 3s, failover: [{from: us, to: [eu-2]}],");
        let (labels, first) = named(&text, false, "prefer-us-in-residents-us");
        assert_eq!(labels, json!({"fence.meridian/residents-us": "true"}));
        assert_eq!(first.unwrap(), "topology.istio.io/cluster=a");
    }
}
