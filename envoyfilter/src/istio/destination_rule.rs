//! Plans as subsets, in a `DestinationRule` of ours.
//!
//! Outlier detection is not optional: without it Istio writes no priorities at all, and a preference means nothing. Where only probes
//! are sent it is there and ejects nobody: Envoy would take the hosts out that a probe has found dead, and answer the next ones by itself
//! long after the region is back.

use super::complaint::{Complaints, Place};
use super::http_route::duration;
use super::needs::Need;
use super::subset::{Subset, subset};
use meridian_core::Policy;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// A connection that takes longer counts as failed; Istio's default of 10 s is long to wait for a region that is gone.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What Istio's analyzers are not to say of a resource, by code.
const SUPPRESS: &str = "galley.istio.io/analyze-suppress";
/// A subset selects no pod of the cluster that is looked at.
const NO_PODS: &str = "IST0173";

/// What subsets are made of.
pub(super) struct Subsets<'a> {
    pub(super) policy: &'a Policy,
    pub(super) one_network: bool,
    pub(super) complaints: &'a Complaints,
}

impl Subsets<'_> {
    /// A rule for a host that has none.
    pub(super) fn plain(&self, name: &str, namespace: &str, host: &str, needs: &BTreeMap<Need, Place>) -> Value {
        let mut subsets = Vec::new();
        for (need, place) in needs {
            if let Some(user) = &need.subset {
                self.unknown_subset(user, host, place);
            }
            let (Some(name), Some(subset)) = (self.policy.plan_name(need.plan), self.subset(need)) else { continue };
            let mut entry = Map::from_iter([("name".to_owned(), json!(name))]);
            if !subset.labels.is_empty() {
                entry.insert("labels".to_owned(), Value::Object(subset.labels));
            }
            if let Some(first) = subset.first {
                let policy = json!({"loadBalancer": {"localityLbSetting": {"failoverPriority": [first]}}});
                entry.insert("trafficPolicy".to_owned(), policy);
            }
            if subset.probed {
                entry.insert("trafficPolicy".to_owned(), json!({"outlierDetection": ejects_nobody()}));
            }
            subsets.push(Value::Object(entry));
        }
        let mut rule = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "host": host,
                "trafficPolicy": {
                    "connectionPool": {"tcp": {"connectTimeout": duration(CONNECT_TIMEOUT)}},
                    "outlierDetection": self.outlier_detection(),
                },
                "subsets": subsets,
            },
        });
        self.expect_pods_elsewhere(&mut rule, needs);
        rule
    }

    /// Tells Istio's analyzers that a subset without pods is meant: those of another region are in another cluster, which they do not see,
    /// and call an error. They know no way to say so of one subset alone.
    pub(super) fn expect_pods_elsewhere(&self, rule: &mut Value, needs: &BTreeMap<Need, Place>) {
        if !needs.keys().filter_map(|need| self.subset(need)).any(|subset| !subset.labels.is_empty()) {
            return;
        }
        let Some(metadata) = rule.pointer_mut("/metadata").and_then(Value::as_object_mut) else { return };
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        let Some(annotations) = annotations.as_object_mut() else { return };
        let theirs = annotations.get(SUPPRESS).and_then(Value::as_str).unwrap_or_default();
        let mut codes: Vec<&str> = theirs.split(',').filter(|code| !code.is_empty()).collect();
        if !codes.iter().any(|code| ["*", NO_PODS].contains(code)) {
            codes.push(NO_PODS);
        }
        let codes = codes.join(",");
        annotations.insert(SUPPRESS.to_owned(), json!(codes));
    }

    pub(super) fn subset(&self, need: &Need) -> Option<Subset> {
        let subset = subset(self.policy, need.plan, self.one_network)?;
        Some(Subset { probed: need.probed, ..subset })
    }

    /// Envoy's own ejection of hosts, with the policy's numbers: what moves traffic inside a plan when the filter is not there. Istio has
    /// no `maxEjectionTime`; Envoy's own 300 s holds.
    pub(super) fn outlier_detection(&self) -> Value {
        let settings = self.policy.outlier_detection();
        json!({
            "consecutiveGatewayErrors": settings.consecutive_gateway_errors,
            "consecutive5xxErrors": settings.consecutive_5xx_errors,
            "interval": duration(settings.interval),
            "baseEjectionTime": duration(settings.base_ejection_time),
            // Hosts of a lost region are all bad at once.
            "maxEjectionPercent": 100,
        })
    }

    pub(super) fn unknown_subset(&self, name: &str, host: &str, at: &Place) {
        let wrong = format!("there is no subset `{name}` of `{host}` in the DestinationRules that were read");
        self.complaints.note(&at.key("subset"), wrong, "put the DestinationRule into the same folder");
    }
}

/// Outlier detection that detects nothing, for a subset that only probes are sent to.
pub(super) fn ejects_nobody() -> Value {
    json!({"consecutiveGatewayErrors": 0, "consecutive5xxErrors": 0, "maxEjectionPercent": 100})
}
