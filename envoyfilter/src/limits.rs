//! How much a native table may hold.
//!
//! Envoy scans a host's routes in order at about 33 ns each, and istiod builds a cluster for every plan of every service. Both are
//! cheap in the tens and not in the thousands, so a policy that would exceed the limits is an error with a way out (`table: plans`, a
//! fence, fewer spellings) and not a slow mesh. Probes are requests as well, and those that cannot be sent in time say nothing.

use crate::render::table;
use meridian_core::{Policy, Problem, Role, Rule, Severity};
use serde_json::Value;
use std::collections::BTreeSet;

/// Routes of one host.
pub const ROUTES_PER_HOST: usize = 500;
/// Plans of one service.
pub const PLANS_PER_SERVICE: usize = 50;

/// Probes of one Envoy.
pub const PROBES_PER_SECOND: usize = 200;

/// What exceeds a limit, and a health check that nobody is asked by.
#[must_use]
pub fn check(policy: &Policy, document: &Value) -> Vec<Problem> {
    let mut problems = probes(policy, document);
    for host in policy.virtual_hosts() {
        let routes = table::route_count(policy, host);
        if routes > ROUTES_PER_HOST {
            let message =
                format!("host `{}` would need {routes} native routes; the limit is {ROUTES_PER_HOST}", host.domain());
            problems.push(problem(
                "table",
                message,
                "`table: plans`, or fewer rules for this host, or fences with fewer regions",
            ));
        }
    }
    let mut plans_of = vec![BTreeSet::new(); policy.services().len()];
    for host in policy.virtual_hosts() {
        if let Some(plans) = plans_of.get_mut(host.service.index()) {
            plans.append(&mut table::plans(policy, host));
        }
    }
    for probe in policy.probes() {
        if let Some(plans) = plans_of.get_mut(probe.key.service.index()) {
            plans.insert(probe.plan);
        }
    }
    for (service, plans) in policy.services().iter().zip(plans_of) {
        if plans.len() > PLANS_PER_SERVICE {
            let message = format!(
                "service `{}` would need {} plans; the limit is {PLANS_PER_SERVICE}",
                service.name,
                plans.len()
            );
            problems.push(problem("services", message, "rules with fences that hold fewer regions, or no `probe`"));
        }
    }
    problems
}

fn probes(policy: &Policy, document: &Value) -> Vec<Problem> {
    let health = policy.health();
    let mut problems = Vec::new();
    if health.probed.is_empty() && document.get("activeHealthCheck").is_some_and(|check| !check.is_null()) {
        let message = "asks nobody: no service has a `probe`".to_owned();
        problems.push(problem("activeHealthCheck", message, "`probe: {path: /healthz}` at a service"));
    }
    let seconds = usize::try_from(health.active_health_check.interval.as_secs()).unwrap_or(usize::MAX);
    let (probes, most) = (policy.probes().len(), seconds.saturating_mul(PROBES_PER_SECOND));
    if probes > most {
        let message = format!("{probes} probes in {seconds} s are more than {PROBES_PER_SECOND} a second");
        problems.push(problem("activeHealthCheck", message, "a longer `interval`, or a `probe` at fewer services"));
    }
    problems
}

/// No sidecar checks tokens, so a document that is for one asks for claims in vain.
pub(crate) fn claims(policy: &Policy) -> impl Iterator<Item = Problem> + '_ {
    let asks = |rule: &Rule| policy.role() == Role::Outbound && !rule.matches.claims.is_empty();
    let rules = policy.rules().iter().enumerate().filter(move |(_, rule)| asks(rule));
    rules.map(|(index, _)| {
        let message = "asks for a token, and sidecars check none".to_owned();
        problem(&format!("rules[{index}].match.claims"), message, "`role: gateway`, or a header that is `trusted`")
    })
}

fn problem(path: &str, message: String, suggestion: &str) -> Problem {
    Problem { path: path.to_owned(), message, suggestion: Some(suggestion.to_owned()), severity: Severity::Error }
}
