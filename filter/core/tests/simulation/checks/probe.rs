//! What a probe finds needs no client: a region of a probed service that answers nothing well is out after so many probes in a row as
//! `unhealthyThreshold` says, and an interval until a worker is the one that asks. And while it answers nothing well, no client is made
//! to try it. Not where no other region of the service is in use, which no probe takes, and not soon after a clock was set or a VM began.

use super::{Check, Seen};
use crate::fault::{Condition, condition};
use crate::ledger::Use;
use crate::mesh::Mesh;
use crate::story::Fact;
use crate::vm::TICK;
use meridian_core::decide::Reason;
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Probe {
    /// When each gateway's probes were disturbed last.
    disturbed: BTreeMap<usize, u64>,
    /// Since when a service in a region answers nothing well, as a gateway meets it, with others in use.
    down: BTreeMap<(usize, usize, usize), u64>,
}

impl Check for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        match *fact {
            Fact::Restarted { gateway, .. } | Fact::Stepped { gateway, .. } => {
                self.disturbed.insert(gateway, mesh.now);
                Seen::Nothing
            }
            Fact::Ticks { gateway, .. } => self.ticks(mesh, gateway),
            Fact::Sent { request } => self.sent(mesh, request),
            _ => Seen::Nothing,
        }
    }
}

impl Probe {
    fn ticks(&mut self, mesh: &Mesh, gateway: usize) -> Seen {
        let (at, settings) = (&mesh.gateways[gateway], &mesh.sketch.probes);
        let soon = 2 * (settings.interval + TICK) + settings.unhealthy * (settings.interval + TICK) + settings.timeout;
        let mut seen = Seen::Nothing;
        for probe in at.policy.probes() {
            let (service, region) = (probe.key.service.index(), probe.key.region.index());
            let usage = |region: usize| at.use_of(&mesh.sketch, service, region, mesh.now);
            let others = at
                .policy
                .probes()
                .iter()
                .filter(|other| other.key.service == probe.key.service && other.key.region != probe.key.region);
            let is_down = matches!(condition(&mesh.faults, gateway, service, region, mesh.now), Condition::Down(_));
            let spared = mesh.sketch.health.most < 100
                || others.clone().all(|other| usage(other.key.region.index()) != Use::Full);
            if !is_down || spared {
                self.down.remove(&(gateway, service, region));
                continue;
            }
            let since = *self.down.entry((gateway, service, region)).or_insert(mesh.now);
            let since = since.max(self.disturbed.get(&gateway).copied().unwrap_or(0));
            if mesh.now < since + soon {
                continue;
            }
            if usage(region) < Use::HalfOpen {
                return Seen::Broken(format!(
                    "s{service} in r{region} is down since {since}, and gateway {gateway} has not noticed"
                ));
            }
            seen = Seen::Held;
        }
        seen
    }

    fn sent(&self, mesh: &Mesh, request: usize) -> Seen {
        let this = &mesh.requests[request];
        let Some(decision) = this.decision().filter(|decision| decision.reason() == Reason::HalfOpen) else {
            return Seen::Nothing;
        };
        let Some(region) = decision.chosen() else { return Seen::Nothing };
        let settings = &mesh.sketch.probes;
        let soon = 3 * (settings.interval + TICK) + settings.timeout;
        let Some(since) = self.down.get(&(this.gateway, this.ask.service, region.index())) else {
            return Seen::Nothing;
        };
        let since = (*since).max(self.disturbed.get(&this.gateway).copied().unwrap_or(0));
        Seen::unless(mesh.now >= since + soon, || {
            format!("request #{request} had to try r{}, whose probes fail", region.index())
        })
    }
}
