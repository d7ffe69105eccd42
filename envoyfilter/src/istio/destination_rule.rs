//! Plans as subsets, in a `DestinationRule` of ours.
//!
//! Outlier detection is not optional: without it Istio writes no priorities at all, and a preference means nothing.

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
            subsets.push(Value::Object(entry));
        }
        json!({
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
        })
    }

    pub(super) fn subset(&self, need: &Need) -> Option<Subset> {
        subset(self.policy, need.plan, self.one_network)
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
