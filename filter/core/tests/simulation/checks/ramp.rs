//! A region that comes back gets no more than its share: of the requests that want it and could go elsewhere, as many as `warmup` says
//! for the time since it came back (the formula of Envoy's slow start), and six standard deviations.

use super::{Check, Seen};
use crate::ledger::Use;
use crate::mesh::Mesh;
use crate::sketch::Health;
use crate::story::Fact;
use meridian_core::Timestamp;
use meridian_core::health::{CellKey, Transition};
use std::collections::BTreeMap;

/// All ramps of a story together: one alone has too few requests to say anything.
#[derive(Default)]
pub(crate) struct Ramp {
    since: BTreeMap<(usize, CellKey), Timestamp>,
    mean: f64,
    variance: f64,
    got: f64,
}

impl Check for Ramp {
    fn name(&self) -> &'static str {
        "ramp"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        match fact {
            Fact::Changed { gateway, change, .. } => {
                let wall = mesh.gateways[*gateway].wall(mesh.now);
                match change.transition {
                    Transition::Readmitted { .. } => self.since.insert((*gateway, change.key), wall),
                    Transition::Ejected { .. } | Transition::Warm | Transition::None => {
                        self.since.remove(&(*gateway, change.key))
                    }
                };
                Seen::Nothing
            }
            Fact::Sent { request } => self.sent(mesh, *request),
            _ => Seen::Nothing,
        }
    }
}

impl Ramp {
    fn sent(&mut self, mesh: &Mesh, request: usize) -> Seen {
        let this = &mesh.requests[request];
        let at = &mesh.gateways[this.gateway];
        let Some(want) = this.ask.want(&mesh.sketch, this.gateway) else { return Seen::Nothing };
        let key = at.key(this.ask.service, want);
        let since =
            [key, CellKey::whole(key.region)].into_iter().filter_map(|key| self.since.get(&(this.gateway, key))).max();
        let Some(since) = since else { return Seen::Nothing };
        let elapsed = since.elapsed(at.wall(mesh.now)).as_millis() as u64;
        if elapsed >= mesh.sketch.health.ramp || this.ask.forged.is_some() {
            return Seen::Nothing;
        }
        let free = |region: &usize| {
            let key = at.key(this.ask.service, *region);
            let drilled =
                this.decision().is_some_and(|decision| decision.drilled.takes(key.region, at.policy.drills()));
            !drilled && at.ledger.use_of(key, at.wall(mesh.now), mesh.sketch.health.ramp) == Use::Full
        };
        if !mesh.sketch.order(this.ask.rule, want)[1..].iter().any(free) {
            return Seen::Nothing;
        }
        let share = share(&mesh.sketch.health, elapsed);
        self.mean += share;
        self.variance += share * (1.0 - share);
        self.got += f64::from(u8::from(this.route.first() == Some(&want)));
        let most = self.mean + 6.0 * self.variance.sqrt() + 5.0;
        Seen::unless(self.got > most, || {
            format!(
                "{} requests went to regions that were coming back, and the shares allow {:.1}",
                self.got, self.mean
            )
        })
    }
}

/// `(elapsed / duration) ^ (1 / aggression)`, at least `minimumPercent`.
fn share(health: &Health, elapsed: u64) -> f64 {
    let share = (elapsed as f64 / health.ramp as f64).powf(100.0 / health.aggression as f64);
    share.max(health.minimum as f64 / 100.0)
}
