//! Nobody is ejected twice within `baseEjectionTime`, nor back in use sooner, as one gateway sees it: an ejection lasts that long at least,
//! and what is out cannot be ejected. By the gateway's clock, or by the real one where that was set back in between.

use super::{Check, Seen, named};
use crate::mesh::Mesh;
use crate::story::Fact;
use meridian_core::Timestamp;
use meridian_core::health::{CellKey, Transition};
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Flapping {
    ejected: BTreeMap<(usize, CellKey), (u64, Timestamp)>,
}

impl Check for Flapping {
    fn name(&self) -> &'static str {
        "flapping"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        let Fact::Changed { gateway, change, .. } = fact else { return Seen::Nothing };
        let (place, wall) = ((*gateway, change.key), mesh.gateways[*gateway].wall(mesh.now));
        let before = match change.transition {
            Transition::Ejected { .. } => self.ejected.insert(place, (mesh.now, wall)),
            Transition::Readmitted { .. } => self.ejected.get(&place).copied(),
            Transition::Warm | Transition::None => return Seen::Nothing,
        };
        let Some((at, then)) = before else { return Seen::Held };
        let apart = (mesh.now - at).max(then.elapsed(wall).as_millis() as u64);
        Seen::unless(apart < mesh.sketch.health.base, || {
            format!("gateway {gateway} says {:?} of {} after {apart} ms", change.transition, named(change.key))
        })
    }
}
