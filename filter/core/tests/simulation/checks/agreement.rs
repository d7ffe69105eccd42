//! The workers of one gateway agree about who is ejected: 2 ms after it was said where messages arrive, and where they do not, are late, or
//! the others do not know yet where to send them, a tick (250 ms) after: each of them reads the shared health then. Judged just before a
//! worker's tick, when it has heard nothing for longest.

use super::{Check, Seen, named};
use crate::ledger::Use;
use crate::mesh::Mesh;
use crate::story::Fact;
use meridian_core::health::Availability;

pub(crate) struct Agreement;

impl Check for Agreement {
    fn name(&self) -> &'static str {
        "agreement"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        let Fact::Ticks { gateway, worker } = *fact else { return Seen::Nothing };
        let at = &mesh.gateways[gateway];
        let health = at.vms[worker].worker.health();
        if at.ledger.is_empty() && health.is_calm() {
            return Seen::Nothing;
        }
        for service in 0..mesh.sketch.services {
            for region in 0..mesh.sketch.regions {
                let key = at.key(service, region);
                let view = health.availability(key, at.wall(mesh.now), at.policy.health());
                let out = !matches!(view, Availability::Usable | Availability::Ramping(_));
                let said = at.ledger.use_of(key, at.wall(mesh.now), mesh.sketch.health.ramp);
                let is_old = at.ledger.changed(key).is_some_and(|changed| mesh.now - changed > at.is_late_by(worker));
                if is_old && out != (said >= Use::HalfOpen) {
                    return Seen::Broken(format!(
                        "worker {worker} of gateway {gateway} takes {} for {view:?}, and it is {said:?}",
                        named(key)
                    ));
                }
            }
        }
        Seen::Held
    }
}
