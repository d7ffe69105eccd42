//! Which hosts share a table, and who may ask for them.
//!
//! A host of the policy is public: the gateways answer for it, and the mesh does too, so that a fence holds for a call from the inside.
//! The name a service has in the registry (`reviews.bookinfo.svc.cluster.local`) belongs to the mesh alone. It would otherwise be
//! reachable from outside through any gateway that takes every host, with the rules of the inside: a fence that is about a host would
//! not hold there.

use meridian_core::{Policy, RuleId, ServiceId};

/// Hosts with one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) service: ServiceId,
    pub(super) rules: Vec<RuleId>,
    pub(super) hosts: Vec<String>,
    pub(super) public: bool,
}

/// A host with its rules.
pub(super) fn groups(policy: &Policy, keep: impl Fn(&str) -> bool) -> Vec<Group> {
    let registry: Vec<&str> = policy.services().iter().map(|service| service.destination.host.as_str()).collect();
    let mut groups: Vec<Group> = Vec::new();
    for host in policy.virtual_hosts() {
        let domain = host.domain();
        if !keep(&domain) || is_short(&domain, &registry) {
            continue;
        }
        let public = !registry.contains(&domain.as_str());
        // A wildcard host and one below it cannot stand in one VirtualService, and `*` cannot belong to the mesh.
        let together = |group: &&mut Group| {
            let key = (group.service, group.public, group.rules.as_slice());
            key == (host.service, public, &host.rules)
                && domain != "*"
                && group.hosts.iter().all(|other| other != "*" && !covers(other, &domain) && !covers(&domain, other))
        };
        match groups.iter_mut().find(together) {
            Some(group) => group.hosts.push(domain),
            None => {
                groups.push(Group { service: host.service, rules: host.rules.to_vec(), hosts: vec![domain], public })
            }
        }
    }
    groups
}

/// Whether every host that matches `narrow` matches `wide`.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    wide == "*" || wide == narrow || wide.strip_prefix('*').is_some_and(|suffix| narrow.ends_with(suffix))
}

/// The shorter names of a registry's host, which istiod adds by itself.
pub(super) fn is_short(domain: &str, registry: &[&str]) -> bool {
    let cut = |host: &&str| host.strip_suffix(".svc.cluster.local").map(str::to_owned);
    registry.iter().filter_map(cut).any(|name| domain == name || domain == format!("{name}.svc"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::istio::testing::{POLICY, policy};

    fn hosts(text: &str) -> Vec<(Vec<String>, bool)> {
        groups(&policy(text, "a"), |_| true).into_iter().map(|group| (group.hosts, group.public)).collect()
    }

    #[test]
    fn a_name_of_the_registry_is_never_public() {
        let page = vec!["page.example.com".to_owned()];
        let registry = vec!["page.shop.svc.cluster.local".to_owned()];
        let sorted = |mut list: Vec<(Vec<String>, bool)>| {
            list.sort();
            list
        };
        assert_eq!(sorted(hosts(POLICY)), sorted(vec![(page, true), (registry.clone(), false)]));
        let listed = POLICY.replace("hosts: [page.example.com]", "hosts: [page.shop.svc.cluster.local]");
        assert_eq!(hosts(&listed), [(registry, false)]);
    }

    #[test]
    fn hosts_that_overlap_do_not_stand_together() {
        let listed = POLICY.replace("hosts: [page.example.com]", "hosts: [page.example.com, '*.example.com', a.org]");
        let together = |a: &str, b: &str| {
            hosts(&listed).iter().any(|(hosts, _)| hosts.contains(&a.to_owned()) && hosts.contains(&b.to_owned()))
        };
        assert!(!together("page.example.com", "*.example.com"));
        assert!(together("page.example.com", "a.org") || together("*.example.com", "a.org"));
    }

    #[test]
    fn hosts_with_other_rules_do_not_stand_together() {
        let text = POLICY
            .replace("page.example.com]", "page.example.com, eu.example.com]")
            .replace("match: {", "match: {hosts: [eu.example.com], ");
        assert_eq!(hosts(&text).iter().filter(|(_, public)| *public).count(), 2);
    }
}
