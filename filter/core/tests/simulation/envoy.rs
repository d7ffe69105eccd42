//! What Envoy does by itself: the native route table, the order of a plan's regions, retries, and its own outlier detection.
//!
//! The table holds what the renderer writes: per rule a route for requests without a region, one per spelling, one per plan, one for
//! the rest. A plan's regions are priorities: the first that Envoy has not ejected, and after a failed try (or every second one, as
//! Istio configures it) the next.

use crate::draw::Draw;
use crate::request::{Ask, Wish};
use crate::site::Reply;
use crate::sketch::{self, Sketch};
use meridian_core::{Policy, RegionId, Rule};
use std::collections::BTreeMap;

/// How one Envoy sees the hosts of a service in a region.
#[derive(Clone, Copy, Debug, Default)]
struct Endpoint {
    errors: u64,
    times: u64,
    until: u64,
}

/// Envoy, without the filter.
#[derive(Debug, Default)]
pub(crate) struct Envoy {
    endpoints: BTreeMap<(usize, usize), Endpoint>,
}

/// The regions that a request may be tried in, in order: what its route's plan stands for. `plan` is what the filter, or a client,
/// wrote.
pub(crate) fn route(
    (table, sketch): (&Policy, &Sketch),
    gateway: usize,
    ask: &Ask,
    plan: Option<&str>,
    draw: &mut Draw,
) -> Vec<usize> {
    let rule = &table.rules()[ask.rule];
    if let Some(route) = plan.and_then(|plan| named(table, rule, plan)) {
        return route;
    }
    let joins = sketch.gateways[gateway].joins;
    let asked = match &ask.wish {
        // A request with a plan that is not the rule's takes the route for everything else.
        _ if plan.is_some() || !sketch.full_table => None,
        Wish::Region(region, _) => Some(*region),
        Wish::Several(one, other) if !joins => Some(if is_inside(table, rule, *one) { *one } else { *other }),
        Wish::Nothing | Wish::Unknown | Wish::Several(..) => None,
    };
    let first = match asked.filter(|region| is_inside(table, rule, *region)) {
        Some(region) => id(table, region),
        None => rule.split().map_or(rule.home(), |split| split.pick(draw.word()).unwrap()),
    };
    let scope = table.scope(rule.scope_for(first)).unwrap();
    scope.order_from(first).map(RegionId::index).collect()
}

/// A plan of the rule, by name.
fn named(table: &Policy, rule: &Rule, plan: &str) -> Option<Vec<usize>> {
    rule.scopes().filter_map(|scope| table.scope(scope)).find_map(|scope| {
        let (first, _) = scope.plans().find(|(_, name)| *name == plan)?;
        Some(scope.order_from(first).map(RegionId::index).collect())
    })
}

fn is_inside(table: &Policy, rule: &Rule, region: usize) -> bool {
    table.scope(rule.scope()).unwrap().contains(id(table, region))
}

fn id(table: &Policy, region: usize) -> RegionId {
    table.region_named(&format!("r{region}")).unwrap()
}

impl Envoy {
    /// Where a try goes: the first priority in use that no earlier try was sent to, as far as retries leave theirs.
    pub(crate) fn choose(
        &self,
        service: usize,
        route: &[usize],
        tries: &[usize],
        moves_every: u32,
        now: u64,
    ) -> Option<usize> {
        let up: Vec<usize> = route.iter().copied().filter(|region| !self.is_out(service, *region, now)).collect();
        // `previous_priorities` forgets the tried ones once none is left.
        let moves = tries.len() / moves_every as usize;
        match tries.last() {
            None => up.first().copied(),
            Some(last) if !tries.len().is_multiple_of(moves_every as usize) && up.contains(last) => Some(*last),
            Some(_) => {
                let left: Vec<usize> = up.iter().copied().filter(|region| !tries.contains(region)).collect();
                if left.is_empty() { up.get(moves % up.len().max(1)).copied() } else { left.first().copied() }
            }
        }
    }

    /// Whether Envoy keeps a region's hosts out.
    pub(crate) fn is_out(&self, service: usize, region: usize, now: u64) -> bool {
        self.endpoints.get(&(service, region)).is_some_and(|endpoint| now < endpoint.until)
    }

    /// Envoy's own outlier detection, with the policy's numbers.
    pub(crate) fn learn(&mut self, health: &sketch::Health, service: usize, region: usize, reply: Reply, now: u64) {
        let endpoint = self.endpoints.entry((service, region)).or_default();
        let failed = !matches!(reply, Reply::Answer { status, .. } if !(502..=504).contains(&status));
        endpoint.errors = if failed { endpoint.errors + 1 } else { 0 };
        if now >= endpoint.until && endpoint.errors >= health.gateway_errors && health.gateway_errors > 0 {
            endpoint.times += 1;
            endpoint.errors = 0;
            endpoint.until = now + (health.base * endpoint.times).min(health.longest);
        }
    }
}
