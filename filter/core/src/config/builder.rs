//! The policy while it is being read: names that later parts of the document refer to, and scopes that rules share.

use super::near::closest;
use super::reader::{Node, Object};
use crate::drill::Drill;
use crate::explain::Explain;
use crate::header_names::HeaderNames;
use crate::health::{CellKey, HealthSettings};
use crate::hosts::{HostPattern, HostTable};
use crate::ids::{RegionId, RuleId, ScopeId, ServiceId};
use crate::index::Index;
use crate::plan::{Plan, Scope, ScopeName};
use crate::policy::{OnMismatch, Policy, Role, Service, Stage, Table, VirtualHost};
use crate::probe::Probe;
use crate::region::Region;
use crate::rule::Rule;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The parts read so far.
#[derive(Clone, Default)]
pub(super) struct Builder {
    /// What the mesh's own headers are called; nothing else may be called so.
    pub(super) headers: HeaderNames,
    pub(super) regions: Vec<Region>,
    by_name: HashMap<String, RegionId>,
    /// Names of what stands in the document and cannot be read; whoever refers to it has been told enough.
    broken: Vec<String>,
    pub(super) fences: BTreeMap<String, ScopeId>,
    pub(super) scopes: Vec<Scope>,
    pub(super) services: Vec<Service>,
    /// Host patterns with their service, in the order of the document.
    pub(super) hosts: Vec<(HostPattern, ServiceId)>,
    taken_hosts: BTreeSet<HostPattern>,
    pub(super) rules: Vec<Rule>,
}

/// A service by the names of the registry.
struct MeshHost {
    service: ServiceId,
    full: HostPattern,
    short: Vec<HostPattern>,
}

/// What needs no names.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) role: Role,
    /// The Kubernetes namespace this Envoy runs in, where a service's first label is name enough.
    pub(super) namespace: Option<String>,
    pub(super) table: Table,
    pub(super) local: Option<RegionId>,
    pub(super) region_header: String,
    pub(super) tag_is_private: bool,
    pub(super) health: HealthSettings,
    pub(super) drills: Vec<Drill>,
    pub(super) stage: Stage,
    pub(super) on_mismatch: OnMismatch,
    pub(super) shadow: Option<Policy>,
    pub(super) explain: Explain,
    pub(super) revision: u16,
}

impl Builder {
    pub(super) fn add_region(&mut self, region: Region) {
        let Some(id) = RegionId::at(self.regions.len()) else { return };
        self.by_name.insert(region.name.clone(), id);
        self.regions.push(region);
    }

    /// Remembers what cannot be read.
    pub(super) fn add_broken(&mut self, name: Option<&str>) {
        self.broken.extend(name.map(str::to_owned));
    }

    fn is_broken(&self, name: &str) -> bool {
        self.broken.iter().any(|broken| broken == name)
    }

    /// The region a node names.
    pub(super) fn region(&self, node: &Node<'_>) -> Option<RegionId> {
        self.region_of(node, node.text()?)
    }

    /// The region with this name, which stands at a node.
    pub(super) fn region_of(&self, node: &Node<'_>, name: &str) -> Option<RegionId> {
        let found = self.by_name.get(name);
        if found.is_none() && !self.is_broken(name) {
            let mut regions = self.regions.iter();
            let meant = regions.find(|region| region.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name)));
            if let Some(region) = meant {
                let message = format!("`{name}` is what clients may call a region, and not its name");
                node.error_near(message, Some(region.name.clone()));
                return None;
            }
        }
        self.known(node, name, "region", found, self.by_name.keys())
    }

    /// The fence a node names.
    pub(super) fn fence(&self, node: &Node<'_>) -> Option<ScopeId> {
        let name = node.text()?;
        self.known(node, name, "fence", self.fences.get(name), self.fences.keys())
    }

    /// The service a node names.
    pub(super) fn service(&self, node: &Node<'_>) -> Option<ServiceId> {
        let name = node.text()?;
        let position = self.services.iter().position(|service| service.name == name).and_then(ServiceId::at);
        self.known(node, name, "service", position.as_ref(), self.services.iter().map(|service| &service.name))
    }

    fn known<'a, T: Copy>(
        &self,
        node: &Node<'_>,
        name: &str,
        what: &str,
        found: Option<&T>,
        names: impl Iterator<Item = &'a String>,
    ) -> Option<T> {
        if found.is_none() && !self.is_broken(name) {
            node.error_near(format!("unknown {what} `{name}`"), closest(name, names));
        }
        found.copied()
    }

    /// Gives a host to a service; `false` if a service has it already.
    pub(super) fn add_host(&mut self, pattern: HostPattern, service: ServiceId) -> bool {
        let free = self.taken_hosts.insert(pattern.clone());
        if free {
            self.hosts.push((pattern, service));
        }
        free
    }

    pub(super) fn add_scope(&mut self, name: &ScopeName, order: Vec<RegionId>) -> Option<ScopeId> {
        let id = ScopeId::at(self.scopes.len())?;
        self.scopes.push(Scope::new(name, order, &self.regions));
        Some(id)
    }

    /// The scope of each region alone: one that is there already, or a new one.
    pub(super) fn singles(&mut self) -> Vec<(RegionId, ScopeId)> {
        let mut singles = Vec::with_capacity(self.regions.len());
        for region in (0..self.regions.len()).filter_map(RegionId::at) {
            let there = self.scopes.iter().position(|scope| scope.order() == [region]);
            let scope = match there {
                Some(index) => ScopeId::at(index),
                None => self.add_scope(&ScopeName::Single, vec![region]),
            };
            singles.extend(scope.map(|scope| (region, scope)));
        }
        singles
    }

    /// The services that have a probe, sorted.
    pub(super) fn probed(&self) -> Vec<ServiceId> {
        let services = self.services.iter().enumerate().filter(|(_, service)| service.probe.is_some());
        services.filter_map(|(index, _)| ServiceId::at(index)).collect()
    }

    pub(super) fn finish(mut self, root: &Object<'_>, settings: Settings) -> Option<Policy> {
        self.check_plan_names(root);
        for (what, count) in
            [("services", self.services.len()), ("rules", self.rules.len()), ("fences", self.scopes.len())]
        {
            if count > usize::from(u16::MAX) {
                root.error(what, format!("more than 65,535 {what}"), "fewer");
                return None;
            }
        }
        let mesh_hosts = self.mesh_hosts(&settings);
        let virtual_hosts = self.virtual_hosts(&mesh_hosts);
        if virtual_hosts.len() > usize::from(u16::MAX) {
            root.error("services", "more than 65,535 hosts".to_owned(), "fewer hosts, or wildcards");
            return None;
        }
        let probes = self.probes(&virtual_hosts, &settings);
        let own = virtual_hosts.iter().map(|host| &host.pattern).zip(0..);
        let short = mesh_hosts.iter().filter_map(|host| {
            // Virtual hosts come in the order of their patterns.
            let index = virtual_hosts.binary_search_by(|at| at.pattern.cmp(&host.full)).ok()?;
            u32::try_from(index).ok().map(|index| (host, index))
        });
        let short = short.flat_map(|(host, index)| host.short.iter().map(move |pattern| (pattern, index)));
        let hosts = HostTable::new(own.chain(short));
        Some(Policy {
            role: settings.role,
            table: settings.table,
            local: settings.local,
            region_header: settings.region_header,
            headers: self.headers,
            tag_is_private: settings.tag_is_private,
            index: Index::new(&self.regions, &self.services, &self.rules, &self.scopes),
            regions: self.regions.into(),
            scopes: self.scopes.into(),
            fences: self.fences,
            services: self.services.into(),
            virtual_hosts: virtual_hosts.into(),
            hosts,
            rules: self.rules.into(),
            health: settings.health,
            probes: probes.into(),
            drills: settings.drills.into(),
            stage: settings.stage,
            on_mismatch: settings.on_mismatch,
            shadow: settings.shadow.map(Box::new),
            explain: settings.explain,
            revision: settings.revision,
        })
    }

    /// A host of a rule that is narrower than its service's becomes a virtual host of its own, so that every virtual host has one list
    /// of rules. Exact before wildcards changes nothing for lookups; it keeps rendered tables in a stable order.
    fn virtual_hosts(&self, mesh_hosts: &[MeshHost]) -> Vec<VirtualHost> {
        let mut patterns: BTreeMap<&HostPattern, ServiceId> = BTreeMap::new();
        for (pattern, service) in &self.hosts {
            patterns.entry(pattern).or_insert(*service);
        }
        for host in mesh_hosts {
            patterns.entry(&host.full).or_insert(host.service);
        }
        for pattern in self.rules.iter().flat_map(|rule| &rule.applies.hosts) {
            if let Some(service) = self.service_covering(pattern) {
                patterns.entry(pattern).or_insert(service);
            }
        }
        let rules_of = |pattern: &HostPattern, service: ServiceId| {
            let mut rules = Vec::new();
            for (index, rule) in self.rules.iter().enumerate() {
                let applies = &rule.applies;
                let by_service = applies.services.is_empty() || applies.services.contains(&service);
                let by_host = applies.hosts.is_empty() || applies.hosts.iter().any(|host| host.covers(pattern));
                if by_service && by_host {
                    rules.extend(RuleId::at(index));
                    if rule.matches.is_everything() {
                        break;
                    }
                }
            }
            rules
        };
        let host = |(pattern, service): (&HostPattern, ServiceId)| {
            let rules = rules_of(pattern, service).into();
            VirtualHost { pattern: pattern.clone(), service, rules }
        };
        patterns.into_iter().map(host).collect()
    }

    /// Every region that a rule of a probed service may send it to, by the plan of that region alone.
    fn probes(&mut self, hosts: &[VirtualHost], settings: &Settings) -> Vec<Probe> {
        let (probed, mut probes) = (&settings.health.probed, Vec::new());
        if probed.is_empty() || settings.role == Role::Inbound {
            return probes;
        }
        let singles = self.singles();
        for service in probed.iter().copied() {
            let rules = hosts.iter().filter(|host| host.service == service).flat_map(|host| &host.rules);
            let rules = rules.filter_map(|id| self.rules.get(id.index()));
            let scopes: Vec<_> = rules.filter_map(|rule| self.scopes.get(rule.scope().index())).collect();
            for (region, scope) in singles.iter().copied() {
                if scopes.iter().any(|scope| scope.contains(region)) {
                    probes.push(Probe { key: CellKey { service, region }, plan: Plan { scope, first: region } });
                }
            }
        }
        probes
    }

    /// The names a sidecar's own application calls each service by: those of the registry, as istiod lists them in its virtual hosts.
    fn mesh_hosts(&self, settings: &Settings) -> Vec<MeshHost> {
        if settings.role != Role::Outbound {
            return Vec::new();
        }
        let host = |(index, service): (usize, &Service)| {
            let full = &service.destination.host;
            let mut short = Vec::new();
            if let Some(name) = full.strip_suffix(".svc.cluster.local") {
                short.push(format!("{name}.svc"));
                short.push(name.to_owned());
                if let Some((first, namespace)) = name.split_once('.')
                    && settings.namespace.as_deref() == Some(namespace)
                {
                    short.push(first.to_owned());
                }
            }
            Some(MeshHost {
                service: ServiceId::at(index)?,
                full: HostPattern::Exact(full.clone()),
                short: short.into_iter().map(HostPattern::Exact).collect(),
            })
        };
        self.services.iter().enumerate().filter_map(host).collect()
    }

    /// The service whose most specific host pattern covers `pattern`.
    pub(super) fn service_covering(&self, pattern: &HostPattern) -> Option<ServiceId> {
        let covering = self.hosts.iter().filter(|(host, _)| host.covers(pattern));
        let narrowest = covering.reduce(|best, next| if best.0.covers(&next.0) { next } else { best });
        narrowest.map(|(_, service)| *service)
    }

    /// The service that has a host already.
    pub(super) fn owner(&self, host: &HostPattern) -> &str {
        let owner = self.hosts.iter().find(|(pattern, _)| pattern == host).map(|(_, service)| service.index());
        owner.and_then(|index| self.services.get(index)).map_or("this service", |service| &service.name)
    }

    /// Two plans of one name would be one Istio subset with two meanings; and a subset's name is a DNS label.
    fn check_plan_names(&self, root: &Object<'_>) {
        let mut seen: HashMap<&str, (RegionId, &Scope)> = HashMap::new();
        for scope in &self.scopes {
            for (region, name) in scope.plans() {
                if name.len() > 63 {
                    let message = format!("the plan `{name}` has a name of more than 63 characters");
                    root.error("regions", message, "shorter names for the region, the fence or the rule");
                }
                if let Some((other, first)) = seen.insert(name, (region, scope))
                    && (other != region || first.order() != scope.order())
                {
                    let message = format!("two different plans would both be named `{name}`");
                    root.error("rules", message, "another name for the rule or the fence");
                }
            }
        }
    }
}
