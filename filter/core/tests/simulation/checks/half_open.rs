//! A half-open region is tried by `halfOpenRequests` requests at once and no more, among all workers of a gateway: they hold tokens,
//! which the shared health counts. One that has not come back after `interval` is given up for lost.

use super::{Check, Seen, named};
use crate::ledger::Standing;
use crate::mesh::Mesh;
use crate::story::Fact;
use meridian_core::decide::Reason;
use meridian_core::health::CellKey;
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct HalfOpen {
    /// The requests that try a cell of a gateway.
    trying: BTreeMap<(usize, CellKey), Vec<usize>>,
}

impl Check for HalfOpen {
    fn name(&self) -> &'static str {
        "half-open"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        match fact {
            Fact::Sent { request } => self.sent(mesh, *request),
            // Who proved nothing gave up the others' tokens as well, a tenth of the interval later.
            Fact::Aborted { request } => self.forget(mesh, *request),
            Fact::Answered { request, by, .. } => {
                let this = &mesh.requests[*request];
                if *by != this.route.first().copied() { self.forget(mesh, *request) } else { Seen::Nothing }
            }
            Fact::Changed { gateway, change, .. } => {
                self.trying.remove(&(*gateway, change.key));
                Seen::Nothing
            }
            Fact::Stepped { gateway, .. } => {
                self.trying.retain(|(at, _), _| at != gateway);
                Seen::Nothing
            }
            _ => Seen::Nothing,
        }
    }
}

impl HalfOpen {
    fn sent(&mut self, mesh: &Mesh, request: usize) -> Seen {
        let this = &mesh.requests[request];
        let decision = this.decision().filter(|decision| decision.reason() == Reason::HalfOpen);
        let Some(region) = decision.and_then(|decision| decision.chosen()) else { return Seen::Nothing };
        let at = &mesh.gateways[this.gateway];
        let own = at.key(this.ask.service, region.index());
        for key in [own, CellKey::whole(region)] {
            if !matches!(at.ledger.standing(key), Some(Standing::Out { .. })) {
                continue;
            }
            let trying = self.trying.entry((this.gateway, key)).or_default();
            trying.retain(|other| {
                let other = &mesh.requests[*other];
                !other.done && mesh.now - other.begun < mesh.sketch.health.interval
            });
            trying.push(request);
            if trying.len() as u64 > mesh.sketch.health.tokens {
                return Seen::Broken(format!(
                    "{} requests try {} at once at gateway {}",
                    trying.len(),
                    named(key),
                    this.gateway
                ));
            }
        }
        Seen::Held
    }

    fn forget(&mut self, mesh: &Mesh, request: usize) -> Seen {
        let this = &mesh.requests[request];
        let decision = this.decision().filter(|decision| decision.reason() == Reason::HalfOpen);
        if let Some(region) = decision.and_then(|decision| decision.chosen()) {
            let own = mesh.gateways[this.gateway].key(this.ask.service, region.index());
            self.trying.remove(&(this.gateway, own));
            self.trying.remove(&(this.gateway, CellKey::whole(region)));
        }
        Seen::Nothing
    }
}
