//! Plans as subsets: that they are there, that they fail over, and that they hold.

use super::Findings;
use super::codes::{MER001, MER002, MER003, MER004, MER005, MER013, MER015};
use super::facts::{PlanFacts, ServiceFacts, plan_part};
use super::manifests::Resource;
use super::mesh::{Mesh, inside, text};
use crate::istio::FENCE_PREFIX;
use crate::limits::PLANS_PER_SERVICE;
use serde_json::Value;
use std::collections::HashSet;

pub(super) fn check(mesh: &Mesh<'_>, findings: &mut Findings<'_>) {
    let mut services: Vec<_> = mesh.facts.services.iter().collect();
    services.sort_by_key(|(_, service)| service.index);
    for (host, service) in services {
        let rules = mesh.destination_rules(host);
        missing(service, host, rules, findings);
        for rule in rules {
            Rule { mesh, service, rule }.check(findings);
        }
    }
}

/// Plans that no rule of the service has a subset for. A subset of the user's own that is bent to a plan ends in the plan's name.
fn missing(service: &ServiceFacts, host: &str, rules: &[&Resource], findings: &mut Findings<'_>) {
    let Some(first) = rules.first() else {
        let name = &service.name;
        let message =
            format!("there is no DestinationRule for `{host}`, so the plans of service `{name}` lead nowhere");
        findings.note_policy(&MER001, &format!("services[{}]", service.index), message, MER001.instead);
        return;
    };
    let names: HashSet<&str> = rules
        .iter()
        .flat_map(|rule| rule.list("/spec/subsets"))
        .filter_map(|subset| text(subset, "/name"))
        .flat_map(|name| [Some(name), plan_part(name)])
        .flatten()
        .collect();
    let missing: Vec<&str> = service.plans.keys().map(String::as_str).filter(|plan| !names.contains(plan)).collect();
    if !missing.is_empty() {
        let message = format!("there is no subset for {}", listed(&missing));
        findings.note(&MER001, (first, "spec.subsets"), message, MER001.instead);
    }
    let subsets = rules.iter().flat_map(|rule| rule.list("/spec/subsets")).filter_map(|subset| text(subset, "/name"));
    let count = subsets.filter(|name| service.plan(name).is_some()).count();
    if count > PLANS_PER_SERVICE {
        let message = format!("`{host}` has {count} subsets for plans; the limit is {PLANS_PER_SERVICE}");
        findings.note(&MER013, (first, "spec.subsets"), message, MER013.instead);
    }
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(5).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(5);
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// One rule of one service.
struct Rule<'a> {
    mesh: &'a Mesh<'a>,
    service: &'a ServiceFacts,
    rule: &'a Resource,
}

impl Rule<'_> {
    fn check(&self, findings: &mut Findings<'_>) {
        let whole = self.rule.get("/spec/trafficPolicy");
        let detects = whole.is_some_and(|policy| policy.get("outlierDetection").is_some());
        self.policy(whole, "spec.trafficPolicy", findings);
        for (index, subset) in self.rule.list("/spec/subsets").iter().enumerate() {
            let path = format!("spec.subsets[{index}]");
            let policy = subset.get("trafficPolicy");
            let own = policy.and_then(|policy| policy.get("outlierDetection"));
            self.policy(policy, &format!("{path}.trafficPolicy"), findings);
            let Some(name) = text(subset, "/name").filter(|name| self.service.plan(name).is_some()) else { continue };
            if !detects && own.is_none() {
                let message = format!("the plan `{name}` has no outlierDetection, so it prefers no region");
                findings.note(&MER003, (self.rule, &path), message, MER003.instead);
            }
            self.label(name, subset, &path, findings);
        }
    }

    /// One traffic policy, the rule's or a subset's.
    fn policy(&self, policy: Option<&Value>, path: &str, findings: &mut Findings<'_>) {
        let Some(policy) = policy else { return };
        self.ejection(policy, path, findings);
        let ports = policy.get("portLevelSettings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (index, port) in ports.iter().enumerate() {
            if inside(port, "/port/number").and_then(Value::as_u64) != Some(u64::from(self.service.port)) {
                continue;
            }
            let path = format!("{path}.portLevelSettings[{index}]");
            if port.get("outlierDetection").is_none() {
                let message = format!("the entry for port {} has no outlierDetection", self.service.port);
                findings.note(&MER004, (self.rule, &path), message, MER004.instead);
            }
            self.ejection(port, &path, findings);
        }
        let priority = inside(policy, "/loadBalancer/localityLbSetting/failoverPriority").and_then(Value::as_array);
        let mut keys = HashSet::new();
        for (index, entry) in priority.into_iter().flatten().filter_map(Value::as_str).enumerate() {
            let key = entry.split('=').next().unwrap_or(entry);
            if !keys.insert(key) {
                let path = format!("{path}.loadBalancer.localityLbSetting.failoverPriority[{index}]");
                let message = format!("`{key}` stands here a second time, and this value is the one that counts");
                findings.note(&MER015, (self.rule, &path), message, MER015.instead);
            }
        }
    }

    fn ejection(&self, policy: &Value, path: &str, findings: &mut Findings<'_>) {
        let Some(detection) = policy.get("outlierDetection") else { return };
        let percent = detection.get("maxEjectionPercent").and_then(Value::as_u64);
        if percent != Some(100) {
            let said = percent.map_or("absent, which is 10".to_owned(), |percent| percent.to_string());
            let path = format!("{path}.outlierDetection.maxEjectionPercent");
            findings.note(&MER002, (self.rule, &path), format!("maxEjectionPercent is {said}"), MER002.instead);
        }
    }

    /// That a subset's labels are what its plan says.
    fn label(&self, name: &str, subset: &Value, path: &str, findings: &mut Findings<'_>) {
        let Some(plan) = self.service.plan(name) else { return };
        let facts = self.mesh.facts;
        let labels = subset.get("labels");
        let instead = match plan {
            PlanFacts::Open => return,
            PlanFacts::Fenced(fence) => format!("labels: {{{FENCE_PREFIX}{fence}: \"true\"}}"),
            PlanFacts::Only(region) => {
                let cluster =
                    facts.region_of_cluster.iter().filter(|(_, of)| *of == region).map(|(name, _)| name).min();
                format!("labels: {{topology.istio.io/cluster: {}}}", cluster.map_or("", String::as_str))
            }
        };
        if self.service.fence(facts, name).is_some_and(|regions| !facts.holds(labels, &regions)) {
            let message = format!("the subset of the plan `{name}` is not held by its labels");
            findings.note(&MER005, (self.rule, &format!("{path}.labels")), message, instead);
        }
    }
}
