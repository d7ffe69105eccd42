//! What workers do without a client: they tick, tell each other of news, ask regions, and say what changed.

use super::{Broken, Due, Mesh};
use crate::fault;
use crate::request::Request;
use crate::sabotage::Sabotage;
use crate::site::{self, Reply};
use crate::sketch::tag;
use crate::story::Fact;
use crate::vm::TICK;
use meridian_core::health::Change;

impl Mesh {
    pub(super) fn changed(&mut self, gateway: usize, worker: usize, changes: &[Change]) -> Result<(), Broken> {
        for change in changes {
            // The checks see what was said before, and what is said now.
            self.happened(&Fact::Changed { gateway, worker, change: *change })?;
            let wall = self.gateways[gateway].wall(self.now);
            self.gateways[gateway].ledger.write(change, self.now, wall);
        }
        Ok(())
    }

    pub(super) fn tick(&mut self, gateway: usize, worker: usize) -> Result<(), Broken> {
        self.queue(self.now + TICK, Due::Tick { gateway, worker });
        self.happened(&Fact::Ticks { gateway, worker })?;
        if self.sabotage == Some(Sabotage::NoTicks) && worker == 0 {
            return Ok(());
        }
        let at = &self.gateways[gateway];
        let mine = |request: &&Request| request.worker == worker && request.vm == at.vms[worker].number;
        let waiting: Vec<&Request> = self.open[gateway].iter().map(|open| &self.requests[*open]).filter(mine).collect();
        let changes = self.gateways[gateway].tick(worker, &waiting, self.now);
        self.ring(gateway, worker);
        self.changed(gateway, worker, &changes)?;
        self.probe(gateway, worker);
        Ok(())
    }

    /// Tells the other workers of what one has just done, if they should know.
    pub(super) fn ring(&mut self, gateway: usize, worker: usize) {
        let queues = self.gateways[gateway].rung(worker, self.now);
        if self.sabotage == Some(Sabotage::NoRings) {
            return;
        }
        for queue in queues {
            for after in self.gateways[gateway].bell.arrivals() {
                self.queue(self.now + after, Due::Ring { gateway, queue });
            }
        }
    }

    /// Sends the probes that are due at a worker's tick.
    pub(super) fn probe(&mut self, gateway: usize, worker: usize) {
        if self.sabotage == Some(Sabotage::NoProbes) {
            return;
        }
        let (vm, timeout) = (self.gateways[gateway].vms[worker].number, self.sketch.probes.timeout);
        for (number, service, region) in self.gateways[gateway].probes(worker, self.now) {
            let condition = fault::condition(&self.faults, gateway, service, region, self.now);
            let (reply, after) = match site::probe(condition, &mut self.draw) {
                (reply, after) if reply != Reply::Silence && after < timeout => (reply, after),
                _ => (Reply::Silence, timeout),
            };
            self.queue(self.now + after, Due::Probed { gateway, worker, vm, number, reply, region });
        }
    }

    pub(super) fn probed(
        &mut self,
        (gateway, worker, vm): (usize, usize, u32),
        number: usize,
        reply: Reply,
        region: usize,
    ) -> Result<(), Broken> {
        let signature = tag(region);
        let answer = match reply {
            Reply::Answer { status, signed } => Some((status, signed.then_some(signature.as_bytes()))),
            Reply::Refused => Some((503, None)),
            Reply::Silence => None,
        };
        let changes = self.gateways[gateway].probed((worker, vm), number, answer, self.now);
        self.ring(gateway, worker);
        self.changed(gateway, worker, &changes)
    }
}
