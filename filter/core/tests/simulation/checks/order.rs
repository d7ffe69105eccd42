//! The order is respected: a request goes to the first region that can be used, and what is ejected is left alone but by who holds a
//! token. A tick after a change that goes for every worker, calm ones too.

use super::{Check, Seen, candidates, is_settled};
use crate::ledger::Use;
use crate::mesh::Mesh;
use crate::story::Fact;
use meridian_core::decide::{Reason, Verdict};

pub(crate) struct Order;

impl Check for Order {
    fn name(&self) -> &'static str {
        "order"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        let Fact::Sent { request } = *fact else { return Seen::Nothing };
        let this = &mesh.requests[request];
        let (at, service) = (&mesh.gateways[this.gateway], this.ask.service);
        if !is_settled(mesh, this) || at.ledger.is_empty() || this.ask.forged.is_some() {
            return Seen::Nothing;
        }
        let first = this.route.first().copied().unwrap_or(usize::MAX);
        let (Some(decision), Some(candidates)) = (this.decision(), candidates(mesh, this)) else {
            let usage = at.use_of(&mesh.sketch, service, first, mesh.now);
            return Seen::unless(usage != Use::Full, || {
                format!("request #{request} was left to the table, and r{first} is {usage:?}")
            });
        };
        let reason = match decision.verdict {
            Verdict::Refuse { .. } | Verdict::Route { reason: Reason::Exhausted, .. } => return Seen::Nothing,
            Verdict::Split { .. } => {
                let shares = &mesh.sketch.rules[this.ask.rule].distribute;
                let lost =
                    shares.iter().find(|(region, _)| at.use_of(&mesh.sketch, service, *region, mesh.now) != Use::Full);
                return Seen::unless(lost.is_some(), || {
                    format!("request #{request} was left to the weights, and {lost:?} is not usable")
                });
            }
            Verdict::Route { reason, .. } => reason,
        };
        let Some(place) = candidates.iter().position(|(region, _)| *region == first) else {
            return Seen::Broken(format!(
                "request #{request} goes to r{first}, which is not in its order: {candidates:?}"
            ));
        };
        let skipped = candidates[..place].iter().find(|(_, usage)| *usage == Use::Full);
        let out = match candidates[place].1 {
            Use::Out => true,
            Use::HalfOpen => reason != Reason::HalfOpen,
            Use::Full | Use::Share(_) => false,
        };
        Seen::unless(skipped.is_some() || out, || {
            format!("request #{request} goes to r{first} by {reason:?}: {candidates:?}")
        })
    }
}
