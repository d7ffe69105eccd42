//! The native table of a rule, before it has a form.
//!
//! The same routes in the same order under the same names as [`crate::render::table`] writes for a static Envoy (a test holds the two
//! equal), as what they mean rather than as Envoy's messages, because in Istio they are laid over routes that users have already.
//!
//! # Rescue is split by method, here and not in an `EnvoyFilter`
//! Envoy restricts a retry to methods by `retriable_request_headers`, for which a `VirtualService` has no word. An `EnvoyFilter` could
//! merge it into every route by name and would keep the table at half the size. But then what a `POST` is spared would hang on a patch
//! being there, in each proxy, at each moment of a rollout; without it an order is placed twice. And those headers switch off *every*
//! retry of other methods, also the harmless ones that users have today (a connection that was never made). So a route with a rescue
//! is two: the rescued methods with the policy's retries, and right behind it everything else with the user's. Standing side by side
//! they cost a scan of one more route (~33 ns) up to the route that is taken. Where a match leaves only one side (`method: GET`), only
//! one is written.

use meridian_core::{Method, Plan, Policy, RegionId, Rule, Table};
use std::collections::BTreeSet;

/// One route of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) headers: Vec<Header>,
    /// Where it leads, with weights that mean something only side by side.
    pub(super) targets: Vec<(Plan, u64)>,
}

/// What must hold of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// It is not there.
    Absent(String),
    /// It has this value.
    Exact(String, String),
    /// It has this value in any ASCII case.
    Spelling(String, String),
}

/// The methods of one half of a route, and whether they are rescued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Half {
    pub(super) methods: Methods,
    pub(super) rescued: bool,
}

/// A set of methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    /// Every one that no earlier route took; these are taken.
    AllBut(Vec<String>),
    /// These.
    These(Vec<String>),
}

/// A rule's routes, in order.
pub(super) fn entries(policy: &Policy, rule: &Rule) -> Vec<Entry> {
    let name = &rule.name;
    let home = home(rule);
    let plan_header = &policy.headers().route;
    let mut neither = vec![Header::Absent(plan_header.clone())];
    if policy.table() == Table::Full {
        neither.push(Header::Absent(policy.region_header().to_owned()));
    }
    let mut entries = vec![Entry { name: format!("{name}/local"), headers: neither, targets: home.clone() }];
    for (spelling, region) in spellings(policy, rule) {
        let headers = vec![
            Header::Absent(plan_header.clone()),
            Header::Spelling(policy.region_header().to_owned(), spelling.to_owned()),
        ];
        entries.push(Entry {
            name: format!("{name}/asked/{spelling}"),
            headers,
            targets: vec![(plan(rule, region), 1)],
        });
    }
    for plan in plans(policy, rule) {
        let Some(plan_name) = policy.plan_name(plan) else { continue };
        let headers = vec![Header::Exact(plan_header.clone(), plan_name.to_owned())];
        entries.push(Entry { name: format!("{name}/plan/{plan_name}"), headers, targets: vec![(plan, 1)] });
    }
    entries.push(Entry { name: format!("{name}/local/else"), headers: Vec::new(), targets: home });
    entries
}

/// The halves of a rule's routes by method, in the order they are tried.
pub(super) fn halves(rule: &Rule) -> Vec<Half> {
    let names = |methods: &[Method]| methods.iter().map(|method| method.as_str().to_owned()).collect::<Vec<_>>();
    let matched = names(&rule.matches.methods);
    let all = |taken| if matched.is_empty() { Methods::AllBut(taken) } else { Methods::These(matched.clone()) };
    let Some(rescue) = &rule.rescue else { return vec![Half { methods: all(Vec::new()), rescued: false }] };
    let rescued = names(&rescue.methods);
    let (inside, outside): (Vec<_>, Vec<_>) = if matched.is_empty() {
        (rescued.clone(), Vec::new())
    } else {
        matched.iter().cloned().partition(|method| rescued.contains(method))
    };
    let mut halves = Vec::new();
    if !inside.is_empty() {
        halves.push(Half { methods: Methods::These(inside), rescued: true });
    }
    if matched.is_empty() {
        halves.push(Half { methods: Methods::AllBut(rescued), rescued: false });
    } else if !outside.is_empty() {
        halves.push(Half { methods: Methods::These(outside), rescued: false });
    }
    halves
}

/// The plan of a region under a rule.
fn plan(rule: &Rule, region: RegionId) -> Plan {
    Plan { scope: rule.scope_for(region), first: region }
}

/// Where requests go that ask for no region: home, or shared out.
fn home(rule: &Rule) -> Vec<(Plan, u64)> {
    match rule.split() {
        Some(split) => {
            split.shares().iter().map(|(region, percent)| (plan(rule, *region), u64::from(*percent))).collect()
        }
        None => vec![(plan(rule, rule.home()), 1)],
    }
}

/// Every plan of a rule, each once.
fn plans(policy: &Policy, rule: &Rule) -> BTreeSet<Plan> {
    let of_scope = |scope| {
        let order = policy.scope(scope).map(meridian_core::Scope::order).unwrap_or_default();
        order.iter().map(move |first| Plan { scope, first: *first })
    };
    rule.scopes().flat_map(of_scope).collect()
}

/// Every spelling a rule lists natively, with its region; none where the filter does all the header routing.
fn spellings<'a>(policy: &'a Policy, rule: &Rule) -> impl Iterator<Item = (&'a str, RegionId)> {
    let scope = policy.scope(rule.scope()).filter(|_| policy.table() == Table::Full);
    let regions = scope.into_iter().flat_map(|scope| scope.order().iter().copied());
    regions.flat_map(move |id| {
        policy.region(id).into_iter().flat_map(|region| region.spellings()).map(move |text| (text, id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::istio::testing::{POLICY, policy};
    use crate::render::table;
    use serde_json::Value;

    /// What [`table`] writes, as names with the clusters they lead to.
    fn written_for_a_static_envoy(policy: &Policy) -> Vec<(String, Vec<String>)> {
        let hosts = serde_json::to_value(table::virtual_hosts(policy)).unwrap();
        let routes = hosts.as_array().unwrap().iter().flat_map(|host| host["routes"].as_array().unwrap());
        let name = |value: &Value| value.as_str().unwrap().to_owned();
        let clusters = |route: &Value| match route.get("cluster") {
            Some(cluster) => vec![name(cluster)],
            None => {
                let weighted = route["weighted_clusters"]["clusters"].as_array().unwrap();
                weighted.iter().map(|share| name(&share["name"])).collect()
            }
        };
        routes.map(|route| (name(&route["name"]), clusters(&route["route"]))).collect()
    }

    fn written_here(policy: &Policy) -> Vec<(String, Vec<String>)> {
        let mut routes = Vec::new();
        for host in policy.virtual_hosts() {
            let destination = &policy.service(host.service).unwrap().destination;
            for entry in host.rules.iter().flat_map(|id| entries(policy, policy.rule(*id).unwrap())) {
                let cluster = |(plan, _): &(Plan, u64)| destination.cluster(policy.plan_name(*plan).unwrap());
                routes.push((entry.name, entry.targets.iter().map(cluster).collect()));
            }
        }
        routes
    }

    #[test]
    fn a_mesh_gets_the_routes_of_a_static_envoy_in_the_same_order_under_the_same_names() {
        for text in [
            POLICY.to_owned(),
            POLICY.replace("role:", "table: plans\nrole:"),
            POLICY.replace(
                "fence: eu,",
                "fence: eu, failover: [{from: eu-1, to: []}], distribute: {eu-1: 60, eu-2: 40},",
            ),
        ] {
            let policy = policy(&text, "a");
            assert_eq!(written_here(&policy), written_for_a_static_envoy(&policy));
        }
    }

    #[test]
    fn a_rescue_takes_its_methods_first_and_leaves_the_others_to_the_user() {
        let policy = policy(POLICY, "a");
        let rule = policy.rule(policy.rule_named(b"residents").unwrap()).unwrap();
        let rescued: Vec<_> = ["GET", "HEAD"].map(str::to_owned).into();
        let expected = [
            Half { methods: Methods::These(rescued.clone()), rescued: true },
            Half { methods: Methods::AllBut(rescued), rescued: false },
        ];
        assert_eq!(halves(rule), expected);
    }

    #[test]
    fn a_rule_about_one_method_is_not_split() {
        let policy = policy(&POLICY.replace("pathPrefix: /eu,", "methods: [POST],"), "a");
        let rule = policy.rule(policy.rule_named(b"residents").unwrap()).unwrap();
        assert_eq!(halves(rule), [Half { methods: Methods::These(vec!["POST".to_owned()]), rescued: false }]);
    }
}
