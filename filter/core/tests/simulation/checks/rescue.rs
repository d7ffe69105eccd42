//! Where the rule rescues, a GET does not fail while a region of its plan is sound, unless its tries or its time are used up. What
//! Envoy itself has ejected is not there to be tried.

use super::{Check, Seen};
use crate::fault::harmed;
use crate::mesh::Mesh;
use crate::story::Fact;

pub(crate) struct Rescue;

impl Check for Rescue {
    fn name(&self) -> &'static str {
        "rescue"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        let Fact::Answered { request, status, .. } = *fact else { return Seen::Nothing };
        let this = &mesh.requests[request];
        let (ask, rule) = (&this.ask, &mesh.sketch.rules[this.ask.rule]);
        let Some(rescue) = rule.rescue.filter(|_| ask.method == "GET") else { return Seen::Nothing };
        if this
            .decision()
            .is_some_and(|decision| decision.chosen().is_none() && !this.tries.is_empty() && decision.write().is_some())
        {
            return Seen::Nothing;
        }
        let refused = matches!(this.trail, crate::vm::Trail::Refused(_));
        if !(502..=504).contains(&status) || refused {
            return if this.tries.len() > 1 { Seen::Held } else { Seen::Nothing };
        }
        let envoy = &mesh.gateways[this.gateway].envoy;
        let is_sound = |region: &&usize| {
            let out = [this.begun, mesh.now].iter().any(|at| envoy.is_out(ask.service, **region, *at));
            !out && !harmed(&mesh.faults, (this.gateway, ask.service, **region), this.begun, mesh.now)
        };
        let explained = this.tries.len() > rescue.attempts as usize || mesh.now - this.begun >= rule.timeout;
        let sound = this.route.iter().find(is_sound);
        Seen::unless(sound.is_some() && !explained, || {
            format!("request #{request} failed after {:?}, and {sound:?} of {:?} was sound", this.tries, this.route)
        })
    }
}
