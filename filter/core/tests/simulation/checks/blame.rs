//! Blame goes where it belongs: a service is ejected in a region only where something was wrong for it there, and a region is ejected
//! whole only where answers were missing or unsigned: for two services at least when it begins, for somebody when a request that tries it
//! fails, and Envoy's own retry did not hide how. Something was wrong means: so lately that a request which met it, and what follows from that, may still be on its way.

use super::{Check, Seen, named};
use crate::fault::Fault;
use crate::mesh::Mesh;
use crate::story::Fact;
use meridian_core::health::{Cause, CellKey, Transition};

#[derive(Default)]
pub(crate) struct Blame {
    /// Whether the last request that was answered had more than one try, or its only one elsewhere than its plan begins.
    retried: bool,
}

impl Check for Blame {
    fn name(&self) -> &'static str {
        "blame"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        if let Fact::Answered { request, .. } = fact {
            let this = &mesh.requests[*request];
            self.retried = this.tries.len() > 1 || this.tries.first() != this.route.first();
        }
        let Fact::Changed { gateway, change, .. } = *fact else { return Seen::Nothing };
        let Transition::Ejected { cause, .. } = change.transition else { return Seen::Nothing };
        let health = &mesh.sketch.health;
        // Envoy's own ejection makes a region absent for as long as it lasts, and three intervals later that is forgotten. So long, what
        // fails elsewhere before a retry hides it counts as the planned region's. A row of errors whose region could not be spared is
        // remembered as long.
        let passed_over = cause == Cause::Absent || (self.retried && mesh.sketch.gateways[gateway].detects);
        let after =
            if passed_over || health.most < 100 { health.longest + 3 * health.interval } else { health.interval };
        // A clock that is set back keeps everything for as long again.
        let late = mesh.sketch.longest_timeout() + after + mesh.gateways[gateway].behind + 500;
        let region = change.key.region.index();
        let guilty = |service: usize, unsigned: bool| {
            let counts = |fault: &&Fault| fault.touches(gateway, service, region) && (!unsigned || fault.is_unsigned());
            mesh.faults.iter().filter(counts).any(|fault| fault.from <= mesh.now && mesh.now <= fault.until + late)
        };
        let is_right = if change.key == CellKey::whole(change.key.region) {
            let hidden = cause == Cause::HalfOpen && self.retried;
            let guilty = (0..mesh.sketch.services).filter(|service| guilty(*service, !hidden)).count();
            // The word of the only probe is enough.
            guilty >= if cause == Cause::HalfOpen || mesh.sketch.probed.len() == 1 { 1 } else { 2 }
        } else {
            guilty(change.key.service.index(), false)
        };
        Seen::unless(!is_right, || {
            format!("gateway {gateway} ejected {} for {cause:?}, and nothing was wrong there", named(change.key))
        })
    }
}
