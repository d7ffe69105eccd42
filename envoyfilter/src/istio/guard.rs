//! What keeps a fence a fence: who gets its label, who may not have it, and who does not answer outside.
//!
//! A fence is a label on pods, so three things are rendered beside the subsets that select by it:
//! - patches that put it on a service's pods, as a Kustomize component to be used where the workloads are;
//! - a `ValidatingAdmissionPolicy` for each cluster, which refuses a pod that brings or gets the label of a fence the cluster is not
//!   in. A label that is missing costs capacity; one that is wrong is a leak, and this is where it ends;
//! - where trust domains tell clusters apart, an `AuthorizationPolicy` for a service that no rule lets into the cluster: its pods there
//!   answer nobody in the mesh. Only for such a service can the serving side know; whose rule a request came by it cannot.

use super::subset::FENCE_PREFIX;
use super::{delivery, kustomize, yaml};
use meridian_core::{Policy, RegionId, Service, ServiceId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The names of fences, each with whether the cluster is inside.
pub(super) type Fences = BTreeMap<String, bool>;

/// The patches that put labels on the pods of services: each service with its fences.
pub(super) fn labels<'a>(
    services: impl Iterator<Item = (&'a Service, &'a str, &'a Fences)>,
    key: &str,
) -> Option<Value> {
    let mut patches = Vec::new();
    for (service, namespace, fences) in services {
        for fence in fences.iter().filter(|(_, inside)| **inside).map(|(fence, _)| fence) {
            let labels = json!({"metadata": {"labels": {format!("{FENCE_PREFIX}{fence}"): "true"}}});
            patches.push(json!({
                "target": {
                    "kind": "Deployment",
                    "namespace": namespace,
                    "labelSelector": format!("{key}={}", workload(service)),
                },
                "patch": yaml::document(&delivery::deployment(&labels)).trim_end(),
            }));
        }
    }
    (!patches.is_empty()).then(|| kustomize::component(&patches))
}

/// Refuses a pod with the label of a fence the cluster is not in, and what makes that hold.
pub(super) fn admission(cluster: &str, fences: &Fences) -> [Value; 2] {
    let inside: Vec<String> =
        fences.iter().filter(|(_, inside)| **inside).map(|(name, _)| format!("'{FENCE_PREFIX}{name}'")).collect();
    // A pod that had the label before there was a guard must still be able to end, which may take an update.
    let had = "request.operation == 'UPDATE' && has(oldObject.metadata.labels) && key in oldObject.metadata.labels";
    let inside = inside.join(", ");
    let expression = format!(
        "!has(object.metadata.labels) || object.metadata.labels.all(key, !key.startsWith('{FENCE_PREFIX}') || key in [{inside}] || ({had}))"
    );
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "meridian-fence"},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["pods"],
            }]},
            "validations": [{
                "expression": expression,
                "message": format!("cluster {cluster} is outside the fence of a `{FENCE_PREFIX}` label on this pod"),
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "meridian-fence"},
        "spec": {"policyName": "meridian-fence", "validationActions": ["Deny"]},
    });
    [policy, binding]
}

/// Whether no rule lets a service be served in a region.
pub(super) fn is_shut_out(policy: &Policy, service: ServiceId, region: RegionId) -> bool {
    let hosts = policy.virtual_hosts().iter().filter(|host| host.service == service);
    let rules = hosts.flat_map(|host| host.rules.iter()).filter_map(|id| policy.rule(*id));
    let mut scopes = rules.flat_map(|rule| rule.scopes()).filter_map(|id| policy.scope(id));
    !scopes.any(|scope| scope.contains(region))
}

/// Lets a service's pods answer nobody of these trust domains.
pub(super) fn lock(service: &Service, namespace: &str, key: &str, trust_domains: &[&str]) -> Value {
    let principals: Vec<String> = trust_domains.iter().map(|domain| format!("{domain}/*")).collect();
    json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": format!("meridian-fence-{}", service.name), "namespace": namespace},
        "spec": {
            "action": "DENY",
            "selector": {"matchLabels": {key: workload(service)}},
            "rules": [{"from": [{"source": {"principals": principals}}]}],
        },
    })
}

/// What a service's pods are called: as its host.
fn workload(service: &Service) -> &str {
    service.destination.host.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::istio::testing::{POLICY, policy};

    fn fences() -> Fences {
        Fences::from([("eu".to_owned(), true), ("us".to_owned(), false)])
    }

    #[test]
    fn a_label_is_put_where_the_fence_is_and_refused_where_it_is_not() {
        let policy = policy(POLICY, "b");
        let (service, fences) = (&policy.services()[0], fences());
        let component = labels([(service, "shop", &fences)].into_iter(), "app").unwrap();
        let patches = component["patches"].as_array().unwrap();
        assert_eq!(patches.len(), 1);
        let target = json!({"kind": "Deployment", "namespace": "shop", "labelSelector": "app=page"});
        assert_eq!(patches[0]["target"], target);
        assert!(patches[0]["patch"].as_str().unwrap().contains("fence.meridian/eu: \"true\""));
        let [admission, _] = admission("b", &fences);
        let expression = admission["spec"]["validations"][0]["expression"].as_str().unwrap();
        assert!(expression.contains("key in ['fence.meridian/eu'] || ("), "{expression}");
    }

    #[test]
    fn a_cluster_without_any_fence_has_nothing_to_patch() {
        let policy = policy(POLICY, "a");
        let outside = Fences::from([("eu".to_owned(), false)]);
        assert_eq!(labels([(&policy.services()[0], "shop", &outside)].into_iter(), "app"), None);
    }

    #[test]
    fn only_a_service_that_no_rule_lets_in_is_shut_out() {
        let everything =
            POLICY.replace("match: {pathPrefix: /eu, headers: [{name: x-tenant, exact: acme, trusted: true}]}, ", "");
        for (text, expected) in [(POLICY, false), (everything.as_str(), true)] {
            let policy = policy(text, "a");
            let page = policy.service_named("page").unwrap();
            assert_eq!(is_shut_out(&policy, page, policy.region_named("us").unwrap()), expected);
            assert!(!is_shut_out(&policy, page, policy.region_named("eu-1").unwrap()));
        }
    }
}
