//! The native table: rules, spellings and plans as routes.
//!
//! Envoy scans a host's routes in order, and scans them again after every header the filter writes. So each rule's routes stand in the
//! order of how often they are taken: first the request with neither header, then the listed spellings, then the plans, and last a route
//! for everything else the rule matches, so that an unknown spelling or a forged plan never falls through to another rule. A plan route
//! exists only inside a rule whose fence holds the plan's endpoints: whatever anybody writes into the header, no route leads out.

use crate::envoy::{
    ClusterSpecifier, ClusterWeight, Duration, HeaderMatcher, MetadataMatcher, RetryHostPredicate, RetryPolicy,
    RetryPriority, Route, RouteAction, RouteMatch, VirtualHost,
};
use meridian_core::{ClaimMatch, Plan, Policy, RegionId, Rescue, Rule, Service, Table};
use std::collections::BTreeSet;

/// One virtual host for each of the policy's.
#[must_use]
pub fn virtual_hosts(policy: &Policy) -> Vec<VirtualHost> {
    let host = |host: &meridian_core::VirtualHost| {
        let domain = host.domain();
        Some(VirtualHost {
            name: domain.clone(),
            // Without a port, which the table ignores: Envoy has no pattern for a wildcard host with any port.
            domains: vec![domain],
            routes: routes(policy, host)?,
            include_attempt_count_in_response: true,
        })
    };
    policy.virtual_hosts().iter().filter_map(host).collect()
}

/// The plans a host's routes lead to.
pub fn plans(policy: &Policy, host: &meridian_core::VirtualHost) -> BTreeSet<Plan> {
    if !policy.acts_natively() {
        return observed(policy, host).map(home_plan).into_iter().collect();
    }
    host.rules.iter().filter_map(|id| policy.rule(*id)).flat_map(|rule| rule_plans(policy, rule)).collect()
}

/// How many routes a host has.
#[must_use]
pub fn route_count(policy: &Policy, host: &meridian_core::VirtualHost) -> usize {
    let rules = host.rules.iter().filter_map(|id| policy.rule(*id));
    rules.map(|rule| 2 + spellings(policy, rule).count() + rule_plans(policy, rule).len()).sum()
}

/// The rule that a host has where the policy is only observed: the implied one, which every host ends with.
fn observed<'p>(policy: &'p Policy, host: &meridian_core::VirtualHost) -> Option<&'p Rule> {
    host.rules.last().and_then(|id| policy.rule(*id))
}

/// Where requests of a rule go that ask for nothing, unless they are shared out.
fn home_plan(rule: &Rule) -> Plan {
    Plan { scope: rule.scope_for(rule.home()), first: rule.home() }
}

fn routes(policy: &Policy, host: &meridian_core::VirtualHost) -> Option<Vec<Route>> {
    let service = policy.service(host.service)?;
    if !policy.acts_natively() {
        return Some(RuleRoutes { policy, service, rule: observed(policy, host)? }.observed());
    }
    let rules = host.rules.iter().filter_map(|id| policy.rule(*id));
    Some(rules.flat_map(|rule| RuleRoutes { policy, service, rule }.routes()).collect())
}

/// Every plan of a rule, each once.
fn rule_plans(policy: &Policy, rule: &Rule) -> BTreeSet<Plan> {
    let plans = |id| {
        policy
            .scope(id)
            .into_iter()
            .flat_map(move |scope| scope.order().iter().map(move |first| Plan { scope: id, first: *first }))
    };
    rule.scopes().flat_map(plans).collect()
}

/// Every spelling a rule lists natively, with its region; none where the filter does all the header routing.
fn spellings<'a>(policy: &'a Policy, rule: &Rule) -> impl Iterator<Item = (&'a str, RegionId)> {
    let scope = policy.scope(rule.scope()).filter(|_| policy.table() == Table::Full);
    let regions = scope.into_iter().flat_map(|scope| scope.order().iter().copied());
    regions.flat_map(move |id| {
        policy.region(id).into_iter().flat_map(|region| region.spellings()).map(move |text| (text, id))
    })
}

/// One rule's routes for one service.
struct RuleRoutes<'a> {
    policy: &'a Policy,
    service: &'a Service,
    rule: &'a Rule,
}

impl RuleRoutes<'_> {
    /// The service as it is without a policy.
    fn observed(&self) -> Vec<Route> {
        let home = self.route("observed".to_owned(), Vec::new(), self.target(home_plan(self.rule)));
        let bare =
            |route| Route { response_headers_to_remove: Vec::new(), request_headers_to_remove: Vec::new(), ..route };
        home.map(bare).into_iter().collect()
    }

    fn routes(&self) -> Vec<Route> {
        let (policy, rule, name) = (self.policy, self.rule, &self.rule.name);
        let (header, plan_header) = (policy.region_header(), &policy.headers().route);
        let home = self.home();
        let full = policy.table() == Table::Full;

        let mut neither = Vec::new();
        if full {
            neither.push(HeaderMatcher::absent(header));
        }
        neither.push(HeaderMatcher::absent(plan_header));
        let mut routes = Vec::new();
        routes.extend(self.route(format!("{name}/local"), neither, home.clone()));
        for (spelling, region) in spellings(policy, rule) {
            // What most requests fail is asked first.
            let matchers =
                vec![HeaderMatcher::exact_ignoring_case(header, spelling), HeaderMatcher::absent(plan_header)];
            let plan = Plan { scope: rule.scope_for(region), first: region };
            routes.extend(self.route(format!("{name}/asked/{spelling}"), matchers, self.target(plan)));
        }
        for plan in rule_plans(policy, rule) {
            let Some(plan_name) = policy.plan_name(plan) else { continue };
            let matchers = vec![HeaderMatcher::exact(plan_header, plan_name)];
            routes.extend(self.route(format!("{name}/plan/{plan_name}"), matchers, self.target(plan)));
        }
        routes.extend(self.route(format!("{name}/local/else"), Vec::new(), home));
        routes
    }

    /// Where requests go that ask for no region: home, or shared out.
    fn home(&self) -> Option<ClusterSpecifier> {
        let plan = |region| Plan { scope: self.rule.scope_for(region), first: region };
        let Some(split) = self.rule.split() else { return self.target(home_plan(self.rule)) };
        let share = |(region, percent): &(RegionId, u8)| {
            Some(ClusterWeight { name: self.cluster(plan(*region))?, weight: u32::from(*percent) })
        };
        Some(ClusterSpecifier::WeightedClusters { clusters: split.shares().iter().map(share).collect::<Option<_>>()? })
    }

    fn target(&self, plan: Plan) -> Option<ClusterSpecifier> {
        self.cluster(plan).map(ClusterSpecifier::Cluster)
    }

    fn cluster(&self, plan: Plan) -> Option<String> {
        Some(self.service.destination.cluster(self.policy.plan_name(plan)?))
    }

    fn route(&self, name: String, mut headers: Vec<HeaderMatcher>, target: Option<ClusterSpecifier>) -> Option<Route> {
        let (rule, plan_header) = (self.rule, &self.policy.headers().route);
        let has_plan = !headers.contains(&HeaderMatcher::absent(plan_header));
        // Envoy asks in this order and stops at the first that does not hold: what is rarest first, and what is dear to ask last.
        headers
            .splice(0..0, rule.matches.headers.iter().map(|header| HeaderMatcher::exact(&header.name, &header.exact)));
        match rule.matches.methods.as_slice() {
            [] => {}
            [one] => headers.push(HeaderMatcher::exact(":method", one.as_str())),
            several => headers.push(HeaderMatcher::regex(":method", alternatives(several))),
        }
        let prefix = if rule.matches.path_prefix.is_empty() { "/" } else { &rule.matches.path_prefix };
        Some(Route {
            name,
            matcher: RouteMatch {
                prefix: prefix.to_owned(),
                headers,
                dynamic_metadata: rule.matches.claims.iter().map(claim).collect(),
            },
            route: RouteAction {
                target: target?,
                timeout: Some(Duration(rule.timeout)),
                retry_policy: rule.rescue.as_ref().map(rescue),
            },
            response_headers_to_add: Vec::new(),
            // Whoever writes one upstream does not speak for this gateway; the filter writes its own afterwards.
            response_headers_to_remove: vec![self.policy.headers().decision.clone()],
            // The plan is between the filter and the table; the service has no business with it. To take out what a route is not taken
            // with would cost each request a quarter of a microsecond.
            request_headers_to_remove: if has_plan { vec![plan_header.clone()] } else { Vec::new() },
        })
    }
}

/// As Istio has `envoy.filters.http.jwt_authn` leave it.
fn claim(claim: &ClaimMatch) -> MetadataMatcher {
    MetadataMatcher::holds("envoy.filters.http.jwt_authn", ["payload"].into_iter().chain(claim.names()), claim.value())
}

/// Envoy's own retry, leaving a priority (a region) as soon as it failed.
fn rescue(rescue: &Rescue) -> RetryPolicy {
    // Any of these; cheaper than one expression.
    let methods = rescue.methods.iter().map(|method| HeaderMatcher::exact(":method", method.as_str()));
    RetryPolicy {
        retry_on: "connect-failure,refused-stream,unavailable,cancelled,gateway-error,reset".to_owned(),
        num_retries: rescue.attempts,
        per_try_timeout: Some(Duration(rescue.per_try_timeout)),
        retry_priority: Some(RetryPriority::previous_priorities()),
        retry_host_predicate: vec![RetryHostPredicate::previous_hosts()],
        host_selection_retry_max_attempts: Some(5),
        retriable_request_headers: methods.collect(),
    }
}

/// An RE2 expression for one of these; methods are letters and `-`, so nothing needs escaping.
fn alternatives(methods: &[meridian_core::Method]) -> String {
    methods.iter().map(meridian_core::Method::as_str).collect::<Vec<_>>().join("|")
}
