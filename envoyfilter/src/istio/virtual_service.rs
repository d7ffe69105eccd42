//! The tables of a service's hosts, as `VirtualService`s.

use super::complaint::{Complaints, Place};
use super::hosts::Group;
use super::http_route::Expansion;
use super::needs::Needs;
use crate::limits::ROUTES_PER_HOST;
use meridian_core::{Destination, Policy, Service};
use serde_json::{Map, Value, json};

/// What every table of a cluster is made with.
pub(super) struct Tables<'a> {
    pub(super) policy: &'a Policy,
    /// As `namespace/name`.
    pub(super) gateways: &'a [String],
    pub(super) complaints: &'a Complaints,
}

impl Tables<'_> {
    /// The table of hosts that have no `VirtualService`; `None` if nobody would use it.
    pub(super) fn plain(&self, group: &Group, name: &str, namespace: &str, needs: &mut Needs) -> Option<Value> {
        let service = self.policy.service(group.service)?;
        let mut gateways: Vec<&str> = Vec::new();
        if group.public {
            gateways.extend(self.gateways.iter().map(String::as_str));
        }
        if group.hosts.iter().any(|host| host == "*") {
            if gateways.is_empty() {
                let at = Place::new(format!("service `{}`", service.name)).key("hosts");
                let wrong = "`*` needs a gateway: inside the mesh every host has a name";
                self.complaints.note(&at, wrong, "add `--gateway NAMESPACE/NAME`, or name the hosts");
            }
        } else {
            gateways.push("mesh");
        }
        let at = Place::new(format!("VirtualService {namespace}/{name}"));
        let routes = self.routes(group, &[Value::Object(trivial(&service.destination))], namespace, &at, needs);
        Some(json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"hosts": group.hosts, "gateways": gateways, "http": routes},
        }))
    }

    /// The user's routes, each expanded into those of the group's rules.
    pub(super) fn routes(
        &self,
        group: &Group,
        user: &[Value],
        namespace: &str,
        at: &Place,
        needs: &mut Needs,
    ) -> Vec<Value> {
        let rules = group.rules.iter().filter_map(|id| self.policy.rule(*id)).collect();
        let expansion = Expansion { policy: self.policy, rules, namespace, complaints: self.complaints };
        let mut routes = Vec::new();
        for (index, route) in user.iter().enumerate() {
            let place = at.key("spec").key("http").item(index);
            routes.extend(route.as_object().into_iter().flat_map(|route| expansion.expand(route, &place, needs)));
        }
        // istiod makes one route of every match.
        let matches = |route: &Value| route.get("match").and_then(Value::as_array).map_or(1, Vec::len);
        let count: usize = routes.iter().map(matches).sum();
        if count > ROUTES_PER_HOST {
            self.complaints.note(
                &at.key("spec").key("http"),
                format!("would be {count} routes for {}; the limit is {ROUTES_PER_HOST}", group.hosts.join(", ")),
                "set `table: plans` in the policy, or use fewer rules for this host, or fences with fewer regions",
            );
        }
        routes
    }
}

/// The smallest route: a destination.
fn trivial(destination: &Destination) -> Map<String, Value> {
    let destination = json!({"host": destination.host, "port": {"number": destination.port}});
    Map::from_iter([("route".to_owned(), json!([{"destination": destination}]))])
}

/// The name of a group's resource: the service's for the public hosts, and something no service can be called for the others.
pub(super) fn name(group: &Group, service: &Service, taken: &[String]) -> String {
    let host = || group.hosts.first().map(|host| host.replace('*', "any")).unwrap_or_default();
    let name = if group.public { service.name.clone() } else { format!("{}.mesh", service.name) };
    if taken.contains(&name) { format!("{}.{}", service.name, host()) } else { name }
}

/// The namespace a service's resources belong to: its own, so that istiod finds them from everywhere.
pub(super) fn namespace<'a>(host: &'a str, root: &'a str) -> &'a str {
    let name = host.strip_suffix(".svc.cluster.local").and_then(|name| name.split_once('.'));
    name.map(|(_, namespace)| namespace).filter(|namespace| !namespace.contains('.')).unwrap_or(root)
}
