//! A drill takes its region away from its share of requests, and from these for good: none of their tries goes there. Of the requests
//! that want the region, the others may go there, give or take six standard deviations. Not while nothing else can be used, where the
//! rule says to try all the same.

use super::{Check, Seen, is_settled};
use crate::ledger::Use;
use crate::mesh::Mesh;
use crate::sketch::BEGIN;
use crate::story::Fact;
use crate::vm::Trail;
use meridian_core::decide::Reason;

#[derive(Default)]
pub(crate) struct Drill {
    mean: f64,
    variance: f64,
    got: f64,
}

impl Check for Drill {
    fn name(&self) -> &'static str {
        "drill"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        match *fact {
            Fact::Tried { request, region } => {
                let this = &mesh.requests[request];
                let at = &mesh.gateways[this.gateway];
                let Some(decision) = this.decision().filter(|decision| !decision.drilled.is_empty()) else {
                    return Seen::Nothing;
                };
                let key = at.key(this.ask.service, region);
                let taken = decision.drilled.takes(key.region, at.policy.drills());
                Seen::unless(taken && decision.reason() != Reason::Exhausted, || {
                    format!("request #{request} is in a drill of r{region} and went there")
                })
            }
            Fact::Sent { request } => self.sent(mesh, request),
            _ => Seen::Nothing,
        }
    }
}

impl Drill {
    fn sent(&mut self, mesh: &Mesh, request: usize) -> Seen {
        let this = &mesh.requests[request];
        let Some(want) = this.ask.want(&mesh.sketch, this.gateway) else { return Seen::Nothing };
        let wall = mesh.gateways[this.gateway].wall(mesh.now).0;
        // A worker learns from its tick that a drill has begun.
        let runs = |drill: &&crate::sketch::Drill| {
            BEGIN + drill.from * 1_000 + 500 <= wall
                && wall < BEGIN + drill.until * 1_000
                && drill.region == want
                && (drill.services.is_empty() || drill.services.contains(&this.ask.service))
        };
        let Some(percent) = mesh.sketch.drills.iter().filter(runs).map(|drill| drill.percent).max() else {
            return Seen::Nothing;
        };
        let refused = matches!(this.trail, Trail::Refused(_));
        let is_free = |region: &usize| {
            mesh.sketch.drills.iter().all(|drill| drill.region != *region)
                && mesh.gateways[this.gateway].use_of(&mesh.sketch, this.ask.service, *region, mesh.now) == Use::Full
        };
        let forced = !mesh.sketch.order(this.ask.rule, want)[1..].iter().any(is_free);
        if forced || this.ask.forged.is_some() || !is_settled(mesh, this) {
            return Seen::Nothing;
        }
        let share = 1.0 - percent as f64 / 100.0;
        self.mean += share;
        self.variance += share * (1.0 - share);
        self.got += f64::from(u8::from(!refused && this.route.first() == Some(&want)));
        let most = self.mean + 6.0 * self.variance.sqrt() + 5.0;
        Seen::unless(self.got > most, || {
            format!("{} requests went to drilled regions, and the drills leave {:.1}", self.got, self.mean)
        })
    }
}
