//! What the checks need to know of the policy, worked out once.

use crate::istio::FENCE_PREFIX;
use crate::policy_file::PolicyFile;
use crate::render::internal;
use crate::render::table;
use meridian_core::{Plan, Policy, Rule, ScopeId, VirtualHost};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Names, plans and fences.
pub(super) struct Facts {
    /// Every service by its host of the registry.
    pub(super) services: HashMap<String, ServiceFacts>,
    /// Every host that a fence holds for completely.
    pub(super) fenced_hosts: HashMap<String, BTreeSet<String>>,
    /// Regions by the name of the fence that holds them, restricted failovers included.
    pub(super) fences: BTreeMap<String, Vec<String>>,
    /// The region of each Istio cluster.
    pub(super) region_of_cluster: HashMap<String, String>,
    pub(super) regions: HashSet<String>,
    /// Routes that each host needs for one of the user's.
    pub(super) routes: HashMap<String, usize>,
    /// The header that holds a plan.
    pub(super) plan_header: String,
    /// The header that no client may see, if the policy keeps the tag from them.
    pub(super) hidden: Option<String>,
    /// Headers that no client may bring.
    pub(super) stripped: BTreeSet<String>,
}

/// A service: its plans, and where its requests go.
pub(super) struct ServiceFacts {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) plans: BTreeMap<String, PlanFacts>,
    /// Its place in the policy.
    pub(super) index: usize,
}

/// A plan by what its endpoints must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlanFacts {
    /// Everything, one region first.
    Open,
    /// The pods with this fence's label.
    Fenced(String),
    /// The pods of this region.
    Only(String),
}

impl ServiceFacts {
    /// The plan a subset is for, by its name.
    pub(super) fn plan(&self, name: &str) -> Option<&PlanFacts> {
        self.plans.get(name).or_else(|| self.plans.get(plan_part(name)?))
    }

    /// The regions that the subset of this name must stay in, if its plan has a fence.
    pub(super) fn fence(&self, facts: &Facts, name: &str) -> Option<BTreeSet<String>> {
        match self.plan(name)? {
            PlanFacts::Open => None,
            PlanFacts::Fenced(fence) => facts.fences.get(fence).map(|regions| regions.iter().cloned().collect()),
            PlanFacts::Only(region) => Some(BTreeSet::from([region.clone()])),
        }
    }
}

/// `v1-prefer-eu` is the plan `prefer-eu` for the user's subset `v1`.
pub(super) fn plan_part(name: &str) -> Option<&str> {
    let at = name.find("-prefer-").or_else(|| name.find("-only-"))?;
    name.get(at + 1..)
}

impl Facts {
    pub(super) fn new(file: &PolicyFile) -> Self {
        let policy = &file.policy;
        let mut facts = Self {
            services: HashMap::new(),
            fenced_hosts: HashMap::new(),
            fences: named_fences(&file.document),
            region_of_cluster: HashMap::new(),
            regions: policy.regions().iter().map(|region| region.name.clone()).collect(),
            routes: HashMap::new(),
            stripped: BTreeSet::new(),
            hidden: None,
            plan_header: policy.headers().route.clone(),
        };
        for region in policy.regions() {
            let clusters = region.clusters.iter().map(|cluster| (cluster.clone(), region.name.clone()));
            facts.region_of_cluster.extend(clusters);
        }
        // Where the policy is only observed, nothing of it has to be in the mesh.
        if !policy.acts_natively() {
            return facts;
        }
        facts.stripped.extend(internal(policy));
        facts.hidden = policy.tag_is_private().then(|| policy.headers().served_by.clone());
        for (index, service) in policy.services().iter().enumerate() {
            let known = ServiceFacts {
                name: service.name.clone(),
                port: service.destination.port,
                plans: BTreeMap::new(),
                index,
            };
            facts.services.entry(service.destination.host.clone()).or_insert(known);
        }
        policy.virtual_hosts().iter().for_each(|host| facts.host(policy, host));
        for probe in policy.probes() {
            let service = policy.service(probe.key.service);
            let known = service.and_then(|service| facts.services.get_mut(&service.destination.host));
            if let (Some(known), Some(name)) = (known, policy.plan_name(probe.plan)) {
                known.plans.insert(name.to_owned(), plan_facts(policy, probe.plan, name));
            }
        }
        facts
    }

    fn host(&mut self, policy: &Policy, host: &VirtualHost) {
        let domain = host.domain();
        self.routes.insert(domain.clone(), table::route_count(policy, host));
        let rules: Vec<&Rule> = host.rules.iter().filter_map(|id| policy.rule(*id)).collect();
        let trusted = rules.iter().flat_map(|rule| &rule.matches.headers).filter(|header| header.trusted);
        self.stripped.extend(trusted.map(|header| header.name.clone()));
        if rules.iter().all(|rule| rule.fenced) {
            let scopes = rules.iter().flat_map(|rule| regions(policy, rule.scope()));
            self.fenced_hosts.insert(domain, scopes.collect());
        }
        let Some(service) = policy.service(host.service) else { return };
        let Some(known) = self.services.get_mut(&service.destination.host) else { return };
        for plan in table::plans(policy, host) {
            let Some(name) = policy.plan_name(plan) else { continue };
            let facts = plan_facts(policy, plan, name);
            if let PlanFacts::Fenced(fence) = &facts {
                self.fences.entry(fence.clone()).or_insert_with(|| regions(policy, plan.scope).collect());
            }
            known.plans.insert(name.to_owned(), facts);
        }
    }

    /// Whether endpoints with these labels are all inside these regions.
    pub(super) fn holds(&self, labels: Option<&Value>, allowed: &BTreeSet<String>) -> bool {
        let labels = labels.and_then(Value::as_object);
        labels.into_iter().flatten().any(|(key, value)| {
            let value = value.as_str().unwrap_or_default();
            match key.as_str() {
                "topology.istio.io/cluster" => {
                    self.region_of_cluster.get(value).is_some_and(|region| allowed.contains(region))
                }
                "topology.kubernetes.io/region" => allowed.contains(value),
                key => key.strip_prefix(FENCE_PREFIX).filter(|_| value == "true").is_some_and(|fence| {
                    self.fences.get(fence).is_some_and(|regions| regions.iter().all(|region| allowed.contains(region)))
                }),
            }
        })
    }
}

/// The fences as the document names them: one that no plan uses is still one that a pod may be labelled for.
fn named_fences(document: &Value) -> BTreeMap<String, Vec<String>> {
    let fences = document.get("fences").and_then(Value::as_object);
    let names = |regions: &Value| {
        regions.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    fences.into_iter().flatten().map(|(name, regions)| (name.clone(), names(regions))).collect()
}

fn regions(policy: &Policy, scope: ScopeId) -> impl Iterator<Item = String> {
    let order = policy.scope(scope).into_iter().flat_map(|scope| scope.order());
    order.map(|region| policy.region_name(*region).to_owned())
}

fn plan_facts(policy: &Policy, plan: Plan, name: &str) -> PlanFacts {
    let first = policy.region_name(plan.first);
    match name.strip_prefix("prefer-") {
        None => PlanFacts::Only(first.to_owned()),
        Some(rest) => match rest.strip_prefix(first).and_then(|rest| rest.strip_prefix("-in-")) {
            Some(fence) => PlanFacts::Fenced(fence.to_owned()),
            None => PlanFacts::Open,
        },
    }
}
