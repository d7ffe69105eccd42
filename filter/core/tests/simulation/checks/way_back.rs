//! A region is used again when nothing is wrong with it any more: given requests that want it, at the latest after the longest
//! ejection, two intervals for tokens that got lost, as many probes as must pass, and the ramp. Counted from the last failure that anybody had there, with any service,
//! because requests that were on their way fail late; and later by as much as the gateway's clock was set back.

use super::{Check, Seen, named};
use crate::fault::harmed;
use crate::mesh::Mesh;
use crate::story::Fact;
use crate::vm::TICK;
use meridian_core::health::CellKey;
use std::collections::BTreeMap;

/// So many requests have to want it: clients go away, and then their requests prove nothing.
const WISHES: u64 = 8;

/// What is known of a service in a region at a gateway.
#[derive(Clone, Copy, Default)]
struct Way {
    failed: u64,
    /// Requests that want it since its ejection must be over, and the first of them.
    wishes: u64,
    first: u64,
}

#[derive(Default)]
pub(crate) struct WayBack {
    ways: BTreeMap<(usize, CellKey), Way>,
}

impl Check for WayBack {
    fn name(&self) -> &'static str {
        "return"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        match *fact {
            Fact::Sent { request } => self.sent(mesh, request),
            Fact::Answered { request, status, .. } => {
                let tries = mesh.requests[request].tries.len();
                self.ended(mesh, request, status >= 500 || tries > 1)
            }
            Fact::Aborted { request } => {
                let waited = mesh.now - mesh.requests[request].begun;
                self.ended(mesh, request, waited > 100)
            }
            _ => Seen::Nothing,
        }
    }
}

impl WayBack {
    /// A request ended; where it failed, or was moved by Envoy itself, its regions have to prove themselves anew.
    fn ended(&mut self, mesh: &Mesh, request: usize, failed: bool) -> Seen {
        let this = &mesh.requests[request];
        let moved = this.tries.first() != this.route.first();
        if (failed || moved) && !this.tries.is_empty() {
            for region in this.tries.iter().chain(this.route.first()) {
                for service in 0..mesh.sketch.services {
                    let key = mesh.gateways[this.gateway].key(service, *region);
                    self.ways.insert((this.gateway, key), Way { failed: mesh.now, ..Way::default() });
                }
            }
        }
        Seen::Nothing
    }

    fn sent(&mut self, mesh: &Mesh, request: usize) -> Seen {
        let (this, health) = (&mesh.requests[request], &mesh.sketch.health);
        let at = &mesh.gateways[this.gateway];
        let Some(want) = this.ask.want(&mesh.sketch, this.gateway) else { return Seen::Nothing };
        let drilled = this.decision().is_some_and(|decision| !decision.drilled.is_empty());
        if drilled || this.ask.forged.is_some() {
            return Seen::Nothing;
        }
        let key = at.key(this.ask.service, want);
        // Nobody has failed there since the beginning, so there is nothing to come back from.
        let Some(way) = self.ways.get_mut(&(this.gateway, key)) else { return Seen::Nothing };
        let over = health.longest + at.behind + TICK;
        // A probe that fails may take the region from all services.
        let mut services = mesh.sketch.probed.iter().copied().chain([this.ask.service]);
        let lately = mesh.now.saturating_sub(over);
        if services.any(|service| harmed(&mesh.faults, (this.gateway, service, want), lately, mesh.now)) {
            *way = Way { failed: mesh.now, ..Way::default() };
        }
        if mesh.now < way.failed + over {
            return Seen::Nothing;
        }
        if way.wishes == 0 {
            way.first = mesh.now;
        }
        way.wishes += 1;
        let probes = &mesh.sketch.probes;
        let asked = if mesh.sketch.probed.is_empty() {
            0
        } else {
            (2 + probes.healthy) * (probes.interval + TICK) + probes.timeout
        };
        let soon = 2 * health.interval + health.ramp + asked + at.behind + TICK + 500;
        if way.wishes < WISHES || mesh.now < way.first + soon {
            return Seen::Nothing;
        }
        Seen::unless(this.route.first() != Some(&want), || {
            format!(
                "{} is sound since {} ms, and request #{request} wants it and is sent to {:?}",
                named(key),
                mesh.now - way.failed,
                this.route
            )
        })
    }
}
