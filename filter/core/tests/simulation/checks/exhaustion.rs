//! When no region of a request's order can be used, it fails or is tried all the same, exactly as `whenExhausted` says; and neither
//! happens while one can. A region that is coming back can be used, a half-open one by whoever gets a token.

use super::{Check, Seen, candidates, is_settled};
use crate::ledger::Use;
use crate::mesh::Mesh;
use crate::story::Fact;
use meridian_core::decide::{Reason, Verdict};

pub(crate) struct Exhaustion;

impl Check for Exhaustion {
    fn name(&self) -> &'static str {
        "exhaustion"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        let Fact::Sent { request } = *fact else { return Seen::Nothing };
        let this = &mesh.requests[request];
        if !is_settled(mesh, this) {
            return Seen::Nothing;
        }
        let (Some(decision), Some(candidates)) = (this.decision(), candidates(mesh, this)) else {
            return Seen::Nothing;
        };
        let fails = mesh.sketch.rules[this.ask.rule].fails;
        let usable = candidates.iter().any(|(_, usage)| *usage < Use::HalfOpen);
        let exhausted = candidates.iter().all(|(_, usage)| *usage == Use::Out);
        let why = match decision.verdict {
            Verdict::Refuse { status: 400, .. } => return Seen::Nothing,
            Verdict::Refuse { .. } if !fails => "was refused, and the rule says `preferred`",
            Verdict::Route { reason: Reason::Exhausted, .. } if fails => "was tried, and the rule says `fail`",
            Verdict::Route { reason: Reason::Exhausted, plan } if plan.first != decision.want => {
                "was tried elsewhere than it wants to go"
            }
            Verdict::Refuse { .. } | Verdict::Route { reason: Reason::Exhausted, .. } if usable => {
                "was given up, and something is usable"
            }
            Verdict::Refuse { .. } | Verdict::Route { reason: Reason::Exhausted, .. } => return Seen::Held,
            Verdict::Route { .. } | Verdict::Split { .. } if exhausted => {
                "was sent somewhere as if anything were usable"
            }
            Verdict::Route { .. } | Verdict::Split { .. } => return Seen::Nothing,
        };
        Seen::Broken(format!("request #{request} {why}: {candidates:?}"))
    }
}
