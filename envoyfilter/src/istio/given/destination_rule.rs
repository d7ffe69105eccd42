//! Plans as subsets, in the user's own `DestinationRule`.
//!
//! Istio merges a subset's policy over the rule's field by field, and a field is replaced whole: a subset that only wants a
//! `localityLbSetting` loses the user's consistent hash, and one under `portLevelSettings` inherits nothing. So each subset made here
//! carries what would have held for it (connection pool, balancer, outlier detection) with what a plan needs added, and the user's own
//! rule and subsets stay as they are, for whoever else routes to them.

use crate::istio::complaint::Place;
use crate::istio::destination_rule::{CONNECT_TIMEOUT, Subsets, ejects_nobody};
use crate::istio::http_route::duration;
use crate::istio::needs::Need;
use crate::istio::subset::{FENCE_PREFIX, Subset};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

impl Subsets<'_> {
    /// The user's rule with the subsets that are needed beside their own.
    pub(in crate::istio) fn extended(
        &self,
        user: &Value,
        port: u16,
        needs: &BTreeMap<Need, Place>,
        at: &Place,
    ) -> Value {
        let empty = Map::new();
        let spec = user.get("spec").and_then(Value::as_object).unwrap_or(&empty);
        let spec_at = at.key("spec");
        let whole = spec.get("trafficPolicy").and_then(Value::as_object).unwrap_or(&empty);
        let inherited = port_level(whole, port).unwrap_or(whole);
        let theirs = spec.get("subsets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut subsets = theirs.to_vec();
        for (need, place) in needs {
            let (Some(plan), Some(subset)) = (self.policy.plan_name(need.plan), self.subset(need)) else { continue };
            let mut entry = Map::new();
            let mut name = plan.to_owned();
            let mut from = spec_at.clone();
            if let Some(user) = &need.subset {
                let found = theirs.iter().position(|entry| entry.get("name").and_then(Value::as_str) == Some(user));
                let Some((index, found)) = found.and_then(|at| Some((at, theirs.get(at)?.as_object()?))) else {
                    self.unknown_subset(user, spec.get("host").and_then(Value::as_str).unwrap_or_default(), place);
                    continue;
                };
                from = spec_at.key("subsets").item(index);
                self.check_labels(found, &from);
                entry.clone_from(found);
                name = format!("{user}-{plan}");
            }
            if theirs.iter().any(|entry| entry.get("name").and_then(Value::as_str) == Some(&name)) {
                let wrong = format!("there is a subset `{name}` already, which is the name of a plan");
                self.complaints.note(&spec_at.key("subsets"), wrong, "give your subset another name");
            }
            entry.insert("name".to_owned(), json!(name));
            let labels = entry.entry("labels").or_insert_with(|| json!({}));
            if let Some(labels) = labels.as_object_mut() {
                labels.extend(subset.labels.clone());
            }
            if entry.get("labels").and_then(Value::as_object).is_some_and(Map::is_empty) {
                entry.remove("labels");
            }
            let policy = entry.entry("trafficPolicy").or_insert_with(|| json!({}));
            if let Some(policy) = policy.as_object_mut() {
                let balancer = if policy.contains_key("loadBalancer") { &from } else { &spec_at };
                let balancer = balancer.key("trafficPolicy").key("loadBalancer");
                self.fill(policy, inherited, &subset, &balancer);
                let ports = policy.get_mut("portLevelSettings").and_then(Value::as_array_mut);
                for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
                    self.fill(port, &empty, &subset, &balancer);
                }
            }
            subsets.push(Value::Object(entry));
        }
        let mut rule = user.clone();
        if let Some(spec) = rule.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("subsets".to_owned(), Value::Array(subsets));
        }
        self.expect_pods_elsewhere(&mut rule, needs);
        rule
    }

    /// What holds for a plan, where the user's policy says nothing else.
    fn fill(&self, policy: &mut Map<String, Value>, inherited: &Map<String, Value>, subset: &Subset, at: &Place) {
        for field in ["connectionPool", "loadBalancer", "outlierDetection"] {
            if !policy.contains_key(field)
                && let Some(value) = inherited.get(field)
            {
                policy.insert(field.to_owned(), value.clone());
            }
        }
        let pool = policy.entry("connectionPool").or_insert_with(|| json!({}));
        if let Some(pool) = pool.as_object_mut()
            && let Some(tcp) = pool.entry("tcp").or_insert_with(|| json!({})).as_object_mut()
        {
            tcp.entry("connectTimeout").or_insert_with(|| json!(duration(CONNECT_TIMEOUT)));
        }
        let outlier = policy.entry("outlierDetection").or_insert_with(|| self.outlier_detection());
        if let Some(outlier) = outlier.as_object_mut() {
            // Envoy's 10 % would keep most of a lost region in use.
            outlier.entry("maxEjectionPercent").or_insert_with(|| json!(100));
        }
        if subset.probed {
            policy.insert("outlierDetection".to_owned(), ejects_nobody());
        }
        self.locality(policy, subset, at);
    }

    fn locality(&self, policy: &mut Map<String, Value>, subset: &Subset, at: &Place) {
        let balancer = policy.get("loadBalancer").and_then(Value::as_object);
        for field in ["localityLbSetting", "zoneAwareLbSetting"] {
            let Some(theirs) = balancer.and_then(|balancer| balancer.get(field)) else { continue };
            if *theirs != json!({"enabled": true}) {
                self.complaints.note(
                    &at.key(field),
                    "this and the policy would both choose the region",
                    "delete it: the policy's `failover` and `distribute` say the same, for each rule",
                );
            }
        }
        let Some(first) = &subset.first else { return };
        let balancer = policy.entry("loadBalancer").or_insert_with(|| json!({}));
        if let Some(balancer) = balancer.as_object_mut() {
            balancer.insert("localityLbSetting".to_owned(), json!({"failoverPriority": [first]}));
        }
    }

    fn check_labels(&self, user: &Map<String, Value>, at: &Place) {
        let labels = user.get("labels").and_then(Value::as_object);
        for key in labels.into_iter().flat_map(Map::keys) {
            if key.starts_with("topology.") || key.starts_with(FENCE_PREFIX) {
                let wrong = "chooses a region by itself, and a plan could not leave it";
                let instead = "route to the service without this subset; the policy's plans are such subsets";
                self.complaints.note(&at.key("labels").key(key), wrong, instead);
            }
        }
    }
}

/// What holds for a port alone: Istio takes it in place of all the rest.
fn port_level(policy: &Map<String, Value>, port: u16) -> Option<&Map<String, Value>> {
    let ports = policy.get("portLevelSettings")?.as_array()?;
    let number = |entry: &&Value| entry.pointer("/port/number").and_then(Value::as_u64) == Some(u64::from(port));
    ports.iter().find(number)?.as_object()
}
