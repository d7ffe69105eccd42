//! One cluster's folder.

use super::complaint::{Complaints, Place};
use super::destination_rule::Subsets;
use super::filter::{self, Filter, Source, Tag};
use super::given::Given;
use super::guard::{self, Fences};
use super::needs::Needs;
use super::virtual_service::{self, Tables};
use super::{Files, Options, claims, delivery, hosts, kustomize, mesh_config, subset};
use crate::limits::PLANS_PER_SERVICE;
use meridian_core::{Policy, RegionId, Service, ServiceId};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a cluster's folder is made of.
pub(super) struct Cluster<'a> {
    pub(super) policy: &'a Policy,
    pub(super) document: &'a Value,
    pub(super) name: &'a str,
    pub(super) options: &'a Options,
    pub(super) complaints: &'a Complaints,
}

impl Cluster<'_> {
    pub(super) fn render(&self, files: &mut Files) {
        if self.policy.acts_natively() {
            let mut needs = Needs::default();
            self.routes(files, &mut needs);
            self.probes(&mut needs);
            self.subsets(files, &needs);
            self.fences(files, &needs);
            self.tag(files);
            self.locks(files);
        } else if self.options.module.is_none() {
            let (wrong, instead) = ("`observe` renders the filter and nothing else", "give `--module` or `--oci`");
            self.complaints.note(&Place::new("policy").key("stage"), wrong, instead);
        }
        self.filter(files);
        kustomize::add(files, self.name);
        files.add_text(format!("{}/mesh-config.yaml", self.name), "", &mesh_config::text());
    }

    fn routes(&self, files: &mut Files, needs: &mut Needs) {
        let tables = Tables { policy: self.policy, gateways: &self.options.gateways, complaints: self.complaints };
        let given = self.options.given.as_ref();
        let given = given.map(|sources| Given { sources, policy: self.policy, complaints: self.complaints });
        for resource in given.iter().flat_map(|given| given.resources(&tables, needs)).flat_map(claims::apart) {
            self.add(files, "routes", "The native table, laid over the routes that were there.", &resource);
        }
        let mut taken = Vec::new();
        for group in hosts::groups(self.policy, |host| !given.as_ref().is_some_and(|given| given.answers_for(host))) {
            let Some(service) = self.policy.service(group.service) else { continue };
            let name = virtual_service::name(&group, service, &taken);
            let table = tables.plain(&group, &name, self.namespace(service), needs);
            for resource in table.into_iter().flat_map(claims::apart) {
                self.add(files, "routes", "The native table.", &resource);
            }
            taken.push(name);
        }
    }

    fn probes(&self, needs: &mut Needs) {
        for probe in self.policy.probes() {
            let Some(service) = self.policy.service(probe.key.service) else { continue };
            let place = Place::new(format!("service `{}`", service.name)).key("probe");
            needs.add_probe(&service.destination.host, probe.plan, &place);
        }
    }

    fn subsets(&self, files: &mut Files, needs: &Needs) {
        let subsets =
            Subsets { policy: self.policy, one_network: self.options.one_network, complaints: self.complaints };
        for (host, needs) in needs.hosts() {
            let Some(service) = self.policy.services().iter().find(|service| service.destination.host == host) else {
                continue;
            };
            let at = Place::new(format!("service `{}`", service.name));
            if needs.len() > PLANS_PER_SERVICE {
                let wrong = format!("needs {} subsets; the limit is {PLANS_PER_SERVICE}", needs.len());
                self.complaints.note(&at, wrong, "use fences that hold fewer regions, or fewer versions at a time");
            }
            let sources = self.options.given.iter().flat_map(|given| &given.destination_rules);
            let given: Vec<_> = sources.filter(|source| hosts::covers(&source.host(), host)).collect();
            let resource = match given.as_slice() {
                [] => subsets.plain(&service.name, self.namespace(service), host, needs),
                [one] if one.host() == host => {
                    subsets.extended(&one.value, service.destination.port, needs, &one.place())
                }
                [one, more @ ..] => {
                    let (wrong, instead) = if more.is_empty() {
                        (format!("a wildcard, and `{host}` needs a rule of its own"), "write one for this host")
                    } else {
                        (format!("not the only rule for `{host}`"), "make one of them: only one could have the subsets")
                    };
                    self.complaints.note(&one.place().key("spec").key("host"), wrong, instead);
                    continue;
                }
            };
            self.add(files, "subsets", ABOUT_SUBSETS, &resource);
        }
    }

    fn fences(&self, files: &mut Files, needs: &Needs) {
        let mut fences: BTreeMap<&str, Fences> = BTreeMap::new();
        for (host, needs) in needs.hosts() {
            for plan in needs.keys().map(|need| need.plan) {
                let Some(name) = subset::fence(self.policy, plan) else { continue };
                let inside = self.policy.scope(plan.scope).zip(self.region());
                let inside = inside.is_some_and(|(scope, region)| scope.contains(region));
                fences.entry(host).or_default().insert(name.to_owned(), inside);
            }
        }
        let all: Fences = fences.values().flatten().map(|(name, inside)| (name.clone(), *inside)).collect();
        if !all.is_empty() {
            for resource in guard::admission(self.name, &all) {
                self.add(
                    files,
                    "guard",
                    "No pod here carries the label of a fence this cluster is outside of.",
                    &resource,
                );
            }
        }
        let services = fences.iter().filter_map(|(host, fences)| {
            let service = self.policy.services().iter().find(|service| service.destination.host == *host)?;
            Some((service, self.namespace(service), fences))
        });
        if let Some(component) = guard::labels(services, &self.options.workload_label) {
            let path = format!("{}/labels/kustomization.yaml", self.name);
            files.add(
                path,
                "To be listed under `components` where the workloads of this cluster are declared.",
                &component,
            );
        }
    }

    fn filter(&self, files: &mut Files) {
        let filter = Filter {
            document: self.document,
            policy: self.policy,
            namespace: &self.options.gateway_namespace,
            selector: &self.options.gateway_selector,
            source: self.options.module.as_ref(),
            position: self.options.position,
        };
        if self.policy.acts_natively() {
            self.edge(files, &filter);
        }
        let mut sidecars: BTreeSet<&str> = BTreeSet::new();
        for namespace in &self.options.outbound {
            sidecars.insert(namespace);
            if let Some(resource) = filter.outbound(namespace) {
                self.add(files, "filter", "The filter, for the calls of these sidecars.", &resource);
            }
        }
        if let Some(resource) = filter.gateway() {
            self.add(files, "filter", "The filter, in the gateways.", &resource);
        }
        if self.options.tag == Tag::Filter && self.policy.acts_natively() {
            for namespace in self.namespaces() {
                sidecars.insert(namespace);
                if let Some(resource) = filter.inbound(namespace) {
                    self.add(files, "tag", "The filter, for the answers of these sidecars.", &resource);
                }
            }
        }
        if let Some(Source::File(module)) = &self.options.module {
            let gateways = self.options.gateway_namespace.as_str();
            for namespace in sidecars.iter().copied().chain([gateways]) {
                let about = "Apply with `--server-side`: an annotation could not hold it a second time.";
                self.add(files, "filter", about, &delivery::config_map(module, namespace));
            }
            let sidecars: Vec<_> = sidecars.into_iter().filter(|namespace| *namespace != gateways).collect();
            let mounts = delivery::mounts(module, (gateways, &self.options.gateway_selector), &sidecars);
            let about = "To be listed under `components` where these workloads are declared.";
            files.add(format!("{}/mount/kustomization.yaml", self.name), about, &mounts);
        }
    }

    fn edge(&self, files: &mut Files, filter: &Filter<'_>) {
        self.add(files, "edge", "What a client may not bring is taken out before anything reads it.", &filter.edge());
        if let Some(resource) = filter.private() {
            self.add(files, "edge", "Clients do not see which cluster served them.", &resource);
        }
        for namespace in &self.options.outbound {
            self.add(files, "edge", "The same for what applications send.", &filter.outbound_edge(namespace));
        }
    }

    fn tag(&self, files: &mut Files) {
        let region = self.region().and_then(|id| self.policy.region(id));
        let Some(region) = region.filter(|_| self.options.tag == Tag::Native) else { return };
        for namespace in self.namespaces() {
            let resource = filter::tag::native(namespace, &self.policy.headers().served_by, &region.display_name);
            self.add(files, "tag", "Answers say which cluster served them.", &resource);
        }
    }

    fn locks(&self, files: &mut Files) {
        let domains: Vec<&str> = self.options.trust_domains.iter().map(|(_, domain)| domain.as_str()).collect();
        let Some(region) = self.region().filter(|_| !domains.is_empty()) else { return };
        for service in self.policy.services() {
            let shut_out = self.id(service).is_some_and(|id| guard::is_shut_out(self.policy, id, region));
            if shut_out {
                let lock = guard::lock(service, self.namespace(service), &self.options.workload_label, &domains);
                self.add(files, "lock", "No rule lets this service be served here.", &lock);
            }
        }
    }

    fn id(&self, service: &Service) -> Option<ServiceId> {
        self.policy.service_named(&service.name)
    }

    /// The region of this cluster.
    fn region(&self) -> Option<RegionId> {
        self.policy.region_of_cluster(self.name.as_bytes())
    }

    /// The namespaces of the policy's services. Not the root namespace: a service there has no sidecars of its own (it is outside of the
    /// mesh), and what stands there without a selector is in every proxy.
    fn namespaces(&self) -> BTreeSet<&str> {
        let all = self.policy.services().iter().map(|service| self.namespace(service));
        all.filter(|namespace| *namespace != self.options.root_namespace).collect()
    }

    fn namespace<'s>(&'s self, service: &'s Service) -> &'s str {
        virtual_service::namespace(&service.destination.host, &self.options.root_namespace)
    }

    /// Adds a resource as `<cluster>/<part>/<kind>.<namespace>.<name>.yaml`.
    fn add(&self, files: &mut Files, part: &str, about: &str, resource: &Value) {
        let text = |path: &str| resource.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let kind = text("/kind").to_ascii_lowercase();
        let namespace = text("/metadata/namespace");
        let dot = if namespace.is_empty() { "" } else { "." };
        files.add(
            format!("{}/{part}/{kind}.{namespace}{dot}{}.yaml", self.name, text("/metadata/name")),
            about,
            resource,
        );
    }
}

const ABOUT_SUBSETS: &str = "One subset per plan. Labels are the fence, failoverPriority is the preference.";
