//! Routes: that they end, and that none leads out of a fence.

use super::Findings;
use super::codes::{MER001, MER006, MER007, MER013, MER017};
use super::manifests::Resource;
use super::mesh::{Mesh, full_name, inside, text};
use crate::limits::ROUTES_PER_HOST;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn check(mesh: &Mesh<'_>, findings: &mut Findings<'_>) {
    for resource in mesh.of("VirtualService") {
        let hosts = resource.list("/spec/hosts").iter().filter_map(Value::as_str);
        let hosts: Vec<String> =
            hosts.filter_map(|host| mesh.host_of_policy(&full_name(host, &resource.namespace))).collect();
        if !hosts.is_empty() {
            Table { mesh, resource, hosts }.check(findings);
        }
    }
}

/// A VirtualService for hosts of the policy.
struct Table<'a> {
    mesh: &'a Mesh<'a>,
    resource: &'a Resource,
    hosts: Vec<String>,
}

impl Table<'_> {
    fn check(&self, findings: &mut Findings<'_>) {
        let routes = self.resource.list("/spec/http");
        self.size(routes, findings);
        let allowed = self.allowed();
        for (index, route) in routes.iter().enumerate() {
            let path = format!("spec.http[{index}]");
            let destinations = route.get("route").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            if destinations.is_empty() {
                continue;
            }
            if route.get("timeout").and_then(Value::as_str).is_none_or(|timeout| timeout == "0s") {
                let message = "this route has no timeout".to_owned();
                findings.note(&MER007, (self.resource, &path), message, MER007.instead);
            }
            for (share, destination) in destinations.iter().filter_map(|share| share.get("destination")).enumerate() {
                let path = format!("{path}.route[{share}].destination");
                self.destination(route, destination, &path, allowed.as_ref(), findings);
            }
        }
    }

    /// The regions that every rule of every host stays in; `None` where some rule has no fence.
    fn allowed(&self) -> Option<BTreeSet<String>> {
        let fences = self.hosts.iter().map(|host| self.mesh.facts.fenced_hosts.get(host));
        fences.collect::<Option<Vec<_>>>().map(|all| all.into_iter().flatten().cloned().collect())
    }

    fn destination(
        &self,
        route: &Value,
        destination: &Value,
        path: &str,
        allowed: Option<&BTreeSet<String>>,
        findings: &mut Findings<'_>,
    ) {
        let facts = self.mesh.facts;
        let host = full_name(text(destination, "/host").unwrap_or_default(), &self.resource.namespace);
        let Some(service) = facts.services.get(&host) else { return };
        let name = text(destination, "/subset");
        let subset = name.and_then(|name| self.mesh.subset(&host, name));
        if let (Some(name), None) = (name, subset) {
            let message = format!("no DestinationRule of `{host}` has the subset `{name}`");
            findings.note(&MER001, (self.resource, &format!("{path}.subset")), message, MER001.instead);
            return;
        }
        let labels = subset.and_then(|(_, _, subset)| subset.get("labels"));
        let target = name.map_or_else(|| format!("every pod of `{host}`"), |name| format!("the subset `{name}`"));
        let fence = name.and_then(|name| service.fence(facts, name)).or(allowed.cloned());
        let Some(fence) = fence.filter(|fence| !facts.holds(labels, fence)) else { return };
        if allowed.is_some() {
            let message = format!("this route goes to {target}, which no fence of the rules holds");
            findings.note(&MER017, (self.resource, path), message, MER017.instead);
        }
        if inside(route, "/retries/retryRemoteLocalities").and_then(Value::as_bool) == Some(true) {
            let regions = fence.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!("a retry may go to {target}, outside of {regions}");
            findings.note(&MER006, (self.resource, path), message, MER006.instead);
        }
    }

    /// The routes of the host: as they stand if they are rendered, else as many as each would become.
    fn size(&self, routes: &[Value], findings: &mut Findings<'_>) {
        let rendered = routes.iter().any(|route| {
            let matches = route.get("match").and_then(Value::as_array);
            let mut headers = matches.into_iter().flatten().filter_map(|entry| entry.get("headers"));
            headers.any(|headers| headers.get(&self.mesh.facts.plan_header).is_some())
        });
        let each = self.hosts.iter().filter_map(|host| self.mesh.facts.routes.get(host)).max().copied().unwrap_or(1);
        let count = routes.len() * if rendered { 1 } else { each };
        if count > ROUTES_PER_HOST {
            let becomes = if rendered { "has" } else { "would be rendered into" };
            let message = format!("this table {becomes} {count} routes; the limit is {ROUTES_PER_HOST}");
            findings.note(&MER013, (self.resource, "spec.http"), message, MER013.instead);
        }
    }
}
