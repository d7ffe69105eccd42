//! Where every region is in use and no drill runs, a request goes where the document says, and the filter writes nothing: the full
//! table does it alone. Exceptions are what no Envoy leaves to a table: a region header in several lines.

use super::{Check, Seen, is_drilling, is_settled};
use crate::mesh::Mesh;
use crate::request::Wish;
use crate::story::Fact;
use crate::vm::Trail;

pub(crate) struct Native;

impl Check for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        let Fact::Sent { request } = *fact else { return Seen::Nothing };
        let this = &mesh.requests[request];
        let at = &mesh.gateways[this.gateway];
        if !at.ledger.is_empty()
            || !is_settled(mesh, this)
            || is_drilling(mesh, this.gateway)
            || this.ask.forged.is_some()
        {
            return Seen::Nothing;
        }
        let (ask, rule) = (&this.ask, &mesh.sketch.rules[this.ask.rule]);
        let unknown = matches!(ask.wish, Wish::Unknown | Wish::Several(..));
        let refused = matches!(this.trail, Trail::Refused(_));
        if refused != (unknown && rule.rejects) {
            return Seen::Broken(format!(
                "request #{request} was refused: {refused}, and asks for what exists: {}",
                !unknown
            ));
        }
        if refused {
            return Seen::Held;
        }
        let wrote = this.decision().is_some_and(|decision| decision.write().is_some());
        if wrote && mesh.sketch.full_table && !matches!(ask.wish, Wish::Several(..)) {
            return Seen::Broken(format!("request #{request} was written to, and everything is in use"));
        }
        let (first, want) = (this.route.first().copied(), ask.want(&mesh.sketch, this.gateway));
        let is_right = match want {
            Some(want) => first == Some(want),
            None => rule.distribute.iter().any(|(region, _)| first == Some(*region)),
        };
        Seen::unless(!is_right, || format!("request #{request} goes to {first:?}, and wants {want:?}"))
    }
}
