//! The manifests as one cluster has them.

use super::facts::Facts;
use super::manifests::{Manifests, Resource};
use crate::policy_file::PolicyFile;
use serde_json::Value;
use std::collections::HashMap;

/// A policy and the manifests around it in one cluster.
pub(super) struct Mesh<'a> {
    pub(super) facts: &'a Facts,
    /// Whether the policy is a gateway's.
    pub(super) at_the_edge: bool,
    policy: &'a PolicyFile,
    /// The region of the cluster whose manifests these are, if they are one cluster's alone.
    pub(super) region: Option<&'a str>,
    by_kind: HashMap<&'a str, Vec<&'a Resource>>,
    /// DestinationRules by the host they are about, which has no wildcard.
    destination_rules: HashMap<String, Vec<&'a Resource>>,
}

impl<'a> Mesh<'a> {
    pub(super) fn new(
        policy: &'a PolicyFile,
        facts: &'a Facts,
        manifests: &'a Manifests,
        cluster: Option<&str>,
    ) -> Self {
        let mut by_kind: HashMap<&str, Vec<&Resource>> = HashMap::new();
        for resource in &manifests.resources {
            let own = resource.cluster(facts);
            if own.is_none() || own == cluster {
                by_kind.entry(resource.kind.as_str()).or_default().push(resource);
            }
        }
        let mut destination_rules: HashMap<String, Vec<&Resource>> = HashMap::new();
        for rule in by_kind.get("DestinationRule").into_iter().flatten() {
            if let Some(host) = rule.get("/spec/host").and_then(Value::as_str) {
                destination_rules.entry(full_name(host, &rule.namespace)).or_default().push(rule);
            }
        }
        let region = cluster.and_then(|cluster| facts.region_of_cluster.get(cluster)).map(String::as_str);
        Self {
            facts,
            at_the_edge: policy.document.get("role").is_some_and(|role| role == "gateway"),
            policy,
            region,
            by_kind,
            destination_rules,
        }
    }

    /// Every resource of a kind.
    pub(super) fn of(&self, kind: &str) -> &[&'a Resource] {
        self.by_kind.get(kind).map(Vec::as_slice).unwrap_or_default()
    }

    /// The DestinationRules of a host.
    pub(super) fn destination_rules(&self, host: &str) -> &[&'a Resource] {
        self.destination_rules.get(host).map(Vec::as_slice).unwrap_or_default()
    }

    /// A subset of a host by name: the rule that defines it, its index there, and itself.
    pub(super) fn subset(&self, host: &str, name: &str) -> Option<(&'a Resource, usize, &'a Value)> {
        self.destination_rules(host).iter().find_map(|rule| {
            let mut subsets = rule.list("/spec/subsets").iter().enumerate();
            let (index, found) = subsets.find(|(_, subset)| text(subset, "/name") == Some(name))?;
            Some((*rule, index, found))
        })
    }

    /// The host of the policy, as it is written there, that answers for a host of a VirtualService.
    pub(super) fn host_of_policy(&self, host: &str) -> Option<String> {
        if self.facts.routes.contains_key(host) {
            return Some(host.to_owned());
        }
        let found = self.policy.policy.virtual_host(host.as_bytes()).filter(|_| !host.contains('*'))?;
        Some(found.domain())
    }
}

/// A host of a DestinationRule or a VirtualService in full: Istio completes names without a dot from their own namespace.
pub(super) fn full_name(host: &str, namespace: &str) -> String {
    let host = host.to_ascii_lowercase();
    if host.contains(['.', '*']) { host } else { format!("{host}.{namespace}.svc.cluster.local") }
}

/// A text inside a value, by its [`inside`] path.
pub(super) fn text<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    inside(value, path)?.as_str()
}

/// A value inside objects, e.g. by `/spec/host`. A JSON pointer would be the same and undo escapes in every step, where there are none.
pub(super) fn inside<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('/').skip(1).try_fold(value, |value, key| value.get(key))
}
