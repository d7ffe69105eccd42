//! A user's `VirtualService`, with the policy laid over its routes.
//!
//! The policy is about hosts, and a `VirtualService` has several. Hosts under the same rules stay together; the first of such groups
//! keeps the resource's name, so that applying what is rendered replaces what is there. A host of the policy that only a wildcard of the
//! user's answers for gets a copy of its own, which Envoy and Istio prefer as the more specific one, and the user's stays as it is.

use super::{Source, Sources};
use crate::istio::complaint::Complaints;
use crate::istio::hosts::{Group, covers};
use crate::istio::http_route::full_name;
use crate::istio::needs::Needs;
use crate::istio::virtual_service::Tables;
use meridian_core::{Policy, RuleId, VirtualHost};
use serde_json::{Value, json};

/// The user's `VirtualService`s against a policy.
pub(in crate::istio) struct Given<'a> {
    pub(in crate::istio) sources: &'a Sources,
    pub(in crate::istio) policy: &'a Policy,
    pub(in crate::istio) complaints: &'a Complaints,
}

impl Given<'_> {
    /// Whether the user has a table for a host of the policy. For a name of the registry only one of the mesh counts: a gateway's would
    /// leave the calls from inside without a fence.
    pub(in crate::istio) fn answers_for(&self, domain: &str) -> bool {
        let registry = self.policy.services().iter().any(|service| service.destination.host == domain);
        self.sources.virtual_services.iter().filter(|source| !registry || in_mesh(source)).any(|source| {
            hosts(source).iter().any(|(_, full)| full == domain)
                || self.copies(source).iter().any(|host| host.domain() == domain)
        })
    }

    /// Every resource that replaces one of the user's or stands beside it.
    pub(in crate::istio) fn resources(&self, tables: &Tables<'_>, needs: &mut Needs) -> Vec<Value> {
        let mut resources = Vec::new();
        for source in &self.sources.virtual_services {
            let (groups, rest) = self.groups(source);
            let mut names = vec![source.name().to_owned()];
            for (group, given) in &groups {
                resources.push(expanded(source, group, given, &next(&mut names, source, given), tables, needs));
            }
            self.warn_of_the_rest(source, &rest);
            if !groups.is_empty() && !rest.is_empty() {
                let mut resource = source.value.clone();
                set(&mut resource, &next(&mut names, source, &rest), &rest);
                resources.push(resource);
            }
            for host in self.copies(source) {
                let domain = host.domain();
                let group = group(host.service, &host.rules, &domain);
                let name = format!("{}.{}", source.name(), slug(&domain));
                resources.push(expanded(source, &group, &[domain], &name, tables, needs));
            }
        }
        resources
    }

    /// The hosts that are in the policy, by rules, as the policy and as the user writes them; and the others.
    fn groups(&self, source: &Source) -> (Vec<(Group, Vec<String>)>, Vec<String>) {
        let (mut groups, mut rest): (Vec<(Group, Vec<String>)>, _) = (Vec::new(), Vec::new());
        for (given, full) in hosts(source) {
            let Some(host) = self.policy.virtual_hosts().iter().find(|host| host.domain() == full) else {
                rest.push(given);
                continue;
            };
            match groups.iter_mut().find(|(group, _)| group.rules == *host.rules) {
                Some((group, names)) => {
                    group.hosts.push(full);
                    names.push(given);
                }
                None => groups.push((group(host.service, &host.rules, &full), vec![given])),
            }
        }
        (groups, rest)
    }

    /// The policy's hosts that nobody's table names and this one's wildcard answers for.
    fn copies(&self, source: &Source) -> Vec<&VirtualHost> {
        let all: Vec<(&Source, String)> = self
            .sources
            .virtual_services
            .iter()
            .flat_map(|source| hosts(source).into_iter().map(move |(_, full)| (source, full)))
            .collect();
        let mine = |host: &&VirtualHost| {
            let domain = host.domain();
            let registry = self.policy.services().iter().any(|service| service.destination.host == domain);
            if domain.contains('*') || is_short(self.policy, &domain) || all.iter().any(|(_, full)| *full == domain) {
                return false;
            }
            // The names of the registry are asked for inside the mesh alone.
            let answers = all.iter().filter(|(source, full)| covers(full, &domain) && (!registry || in_mesh(source)));
            let longest = answers.clone().map(|(_, full)| full.len()).max();
            answers.clone().any(|(other, full)| std::ptr::eq(*other, source) && Some(full.len()) == longest)
        };
        self.policy.virtual_hosts().iter().filter(mine).collect()
    }

    /// A fence that another host leads around is none.
    fn warn_of_the_rest(&self, source: &Source, rest: &[String]) {
        if rest.is_empty() {
            return;
        }
        let routes = source.value.pointer("/spec/http").and_then(Value::as_array);
        for (index, route) in routes.into_iter().flatten().enumerate() {
            for (at, share) in route.get("route").and_then(Value::as_array).into_iter().flatten().enumerate() {
                let host = share.pointer("/destination/host").and_then(Value::as_str).unwrap_or_default();
                let host = full_name(host, source.namespace());
                let place = source.place().key("spec").key("http").item(index).key("route").item(at);
                if self.is_fenced(&host) {
                    let names = rest.join(", ");
                    self.complaints.note(
                        &place.key("destination").key("host"),
                        format!(
                            "`{host}` is fenced, and no rule holds for the host {names}, which leads to it as well"
                        ),
                        "add the host to the service in the policy, or take it out of `spec.hosts`",
                    );
                }
            }
        }
    }

    fn is_fenced(&self, host: &str) -> bool {
        let service = self.policy.services().iter().position(|service| service.destination.host == host);
        let hosts = self.policy.virtual_hosts().iter().filter(|host| Some(host.service.index()) == service);
        hosts.flat_map(|host| host.rules.iter()).filter_map(|id| self.policy.rule(*id)).any(|rule| rule.fenced)
    }
}

fn expanded(
    source: &Source,
    group: &Group,
    hosts: &[String],
    name: &str,
    tables: &Tables<'_>,
    needs: &mut Needs,
) -> Value {
    let routes = source.value.pointer("/spec/http").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let routes = tables.routes(group, routes, source.namespace(), &source.place(), needs);
    let mut resource = source.value.clone();
    set(&mut resource, name, hosts);
    if let Some(spec) = resource.get_mut("spec").and_then(Value::as_object_mut)
        && !routes.is_empty()
    {
        spec.insert("http".to_owned(), Value::Array(routes));
    }
    resource
}

fn set(resource: &mut Value, name: &str, hosts: &[String]) {
    if let Some(metadata) = resource.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("name".to_owned(), json!(name));
    }
    if let Some(spec) = resource.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("hosts".to_owned(), json!(hosts));
    }
}

/// The source's own name first, then one made of a host's.
fn next(names: &mut Vec<String>, source: &Source, hosts: &[String]) -> String {
    let host = hosts.first().map(String::as_str).unwrap_or_default();
    names.pop().unwrap_or_else(|| format!("{}.{}", source.name(), slug(host)))
}

fn slug(host: &str) -> String {
    host.replace('*', "any")
}

fn group(service: meridian_core::ServiceId, rules: &[RuleId], host: &str) -> Group {
    Group { service, rules: rules.to_vec(), hosts: vec![host.to_owned()], public: true }
}

/// The hosts of a `VirtualService`, as written and in full.
fn hosts(source: &Source) -> Vec<(String, String)> {
    let list = source.value.pointer("/spec/hosts").and_then(Value::as_array);
    let names = list.into_iter().flatten().filter_map(Value::as_str);
    names.map(|host| (host.to_owned(), full_name(host, source.namespace()))).collect()
}

fn in_mesh(source: &Source) -> bool {
    match source.value.pointer("/spec/gateways").and_then(Value::as_array) {
        Some(gateways) if !gateways.is_empty() => gateways.iter().any(|gateway| gateway == "mesh"),
        _ => true,
    }
}

fn is_short(policy: &Policy, domain: &str) -> bool {
    let registry: Vec<&str> = policy.services().iter().map(|service| service.destination.host.as_str()).collect();
    crate::istio::hosts::is_short(domain, &registry)
}
