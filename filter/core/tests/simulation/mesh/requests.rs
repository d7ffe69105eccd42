//! What becomes of a request: it arrives, is tried and tried again as its rule and its Envoy say, and ends.

use super::{ABORTS, Broken, Due, Mesh};
use crate::envoy;
use crate::fault;
use crate::request::{Ask, Request};
use crate::sabotage::Sabotage;
use crate::site::{self, Reply};
use crate::sketch::{Rescue, tag};
use crate::story::Fact;
use crate::vm::{Answer, Trail};
use meridian_core::decide::Verdict;
use meridian_core::judge::UpstreamFacts;

impl Mesh {
    pub(super) fn arrive(&mut self, gateway: usize) -> Result<(), Broken> {
        let traits = &self.sketch.gateways[gateway];
        let next = if traits.steady { traits.gap } else { self.draw.gap(traits.gap) };
        self.queue(self.now + next, Due::Arrival { gateway });

        let traits = &self.sketch.gateways[gateway];
        let ask = Ask::draw(&mut self.draw, &self.sketch);
        let worker = self.draw.index(traits.workers);
        let at = &mut self.gateways[gateway];
        let trail = at.request(worker, &ask.lines(traits.strips), self.now);
        self.ring(gateway, worker);
        let (traits, at) = (&self.sketch.gateways[gateway], &self.gateways[gateway]);
        let written = match &trail {
            Trail::Decided(decision) => decision.write().and_then(|plan| at.policy.plan_name(plan)),
            Trail::Native => ask.forged.as_deref().filter(|_| !traits.strips),
            Trail::Refused(_) => None,
        };
        let route = envoy::route((&at.table, &self.sketch), gateway, &ask, written, &mut self.draw);
        let (vm, begun) = (at.vms[worker].number, self.now);
        let timeout = self.sketch.rules[ask.rule].timeout;
        let request = self.requests.len();
        let (tries, done) = (Vec::new(), false);
        self.requests.push(Request { gateway, worker, vm, ask, begun, trail, route, tries, done });
        self.open[gateway].push(request);
        self.happened(&Fact::Sent { request })?;
        if let Trail::Refused(decision) = trail
            && let Verdict::Refuse { status, .. } = decision.verdict
        {
            self.close(request);
            return self.happened(&Fact::Answered { request, status, by: None });
        }
        self.queue(begun + timeout, Due::TimeOut { request });
        if self.draw.chance(ABORTS) {
            let at = begun + self.draw.between(1, 500);
            self.queue(at, Due::Abort { request });
        }
        self.try_it(request)
    }

    /// Its rule's rescue, if Envoy may repeat it.
    pub(super) fn rescue(&self, request: usize) -> Option<Rescue> {
        let ask = &self.requests[request].ask;
        self.sketch.rules[ask.rule].rescue.filter(|_| ask.method == "GET" && self.sabotage != Some(Sabotage::NoRetries))
    }

    pub(super) fn try_it(&mut self, request: usize) -> Result<(), Broken> {
        let rescue = self.rescue(request);
        let Request { gateway, ask, route, tries, done, .. } = &self.requests[request];
        if *done {
            return Ok(());
        }
        let (gateway, service) = (*gateway, ask.service);
        let moves_every = if rescue.is_some() { self.sketch.gateways[gateway].moves_every } else { u32::MAX };
        let chosen = self.gateways[gateway].envoy.choose(service, route, tries, moves_every, self.now);
        // No host at all: Envoy answers by itself, and counts the try that it could not make.
        let Some(region) = chosen else {
            let attempts = tries.len() + 1;
            return self.answer(request, Reply::Refused, attempts);
        };
        let everywhere =
            if self.sabotage == Some(Sabotage::Storm) && rescue.is_some() { route.clone() } else { Vec::new() };
        self.requests[request].tries.push(region);
        for region in everywhere.into_iter().filter(|other| *other != region) {
            self.happened(&Fact::Tried { request, region })?;
        }
        self.happened(&Fact::Tried { request, region })?;
        let condition = fault::condition(&self.faults, gateway, service, region, self.now);
        let (reply, after) = site::reply(condition, &mut self.draw);
        let tries = self.requests[request].tries.len();
        let (reply, after) = match rescue {
            Some(rescue) if reply == Reply::Silence || after > rescue.per_try => (Reply::Silence, rescue.per_try),
            None if reply == Reply::Silence => return Ok(()),
            Some(_) | None => (reply, after),
        };
        self.queue(self.now + after, Due::Reply { request, tries, reply });
        Ok(())
    }

    pub(super) fn reply(&mut self, request: usize, reply: Reply) -> Result<(), Broken> {
        let Request { gateway, ask, tries, done, .. } = &self.requests[request];
        let traits = &self.sketch.gateways[*gateway];
        if *done {
            return Ok(());
        }
        if let Some(region) = tries.last().filter(|_| traits.detects) {
            self.gateways[*gateway].envoy.learn(&self.sketch.health, ask.service, *region, reply, self.now);
        }
        let retries = self.rescue(request).map_or(traits.own_retries, |rescue| rescue.attempts);
        let again = match reply {
            Reply::Refused => true,
            Reply::Silence => self.rescue(request).is_some(),
            Reply::Answer { status, .. } => self.rescue(request).is_some() && (502..=504).contains(&status),
        };
        if again && tries.len() <= retries as usize {
            let at = self.now + self.draw.between(1, 25);
            self.queue(at, Due::Try { request });
            return Ok(());
        }
        self.finish(request, reply)
    }

    pub(super) fn finish(&mut self, request: usize, reply: Reply) -> Result<(), Broken> {
        if self.requests[request].done {
            return Ok(());
        }
        let attempts = self.requests[request].tries.len();
        self.answer(request, reply, attempts)
    }

    pub(super) fn answer(&mut self, request: usize, reply: Reply, attempts: usize) -> Result<(), Broken> {
        self.close(request);
        let this = &self.requests[request];
        let (gateway, worker, service) = (this.gateway, this.worker, this.ask.service);
        let last = this.tries.last().copied();
        let (mut status, mut by) = match reply {
            Reply::Answer { status, signed } => (status, last.filter(|_| signed)),
            Reply::Refused => (503, None),
            Reply::Silence => (504, None),
        };
        self.happened(&Fact::Answered { request, status, by: last.filter(|_| matches!(reply, Reply::Answer { .. })) })?;
        let slander = self.sabotage == Some(Sabotage::Slander) && self.draw.chance(30);
        if slander {
            (status, by) = (503, None);
        }
        let this = &self.requests[request];
        let at = &mut self.gateways[gateway];
        let planned = this.route.first().map(|region| at.key(service, *region));
        let planned = planned.map(|key| (key.service, at.policy.everywhere(key.region)));
        let region = last.map(|region| at.key(service, region).region);
        let signature = by.map(tag);
        let answered = matches!(reply, Reply::Answer { .. });
        let answer = Answer {
            status,
            attempts: attempts as u32,
            tag: signature.as_ref().map(|tag| tag.as_bytes()),
            upstream: UpstreamFacts { tried: last.is_some(), answered, region, planned },
        };
        let changes = at.response(this, &answer, self.now);
        self.ring(gateway, worker);
        self.changed(gateway, worker, &changes)
    }

    pub(super) fn abort(&mut self, request: usize) -> Result<(), Broken> {
        if self.requests[request].done {
            return Ok(());
        }
        self.close(request);
        let this = &self.requests[request];
        let (gateway, worker) = (this.gateway, this.worker);
        self.gateways[gateway].gone(this, self.now);
        self.ring(gateway, worker);
        self.happened(&Fact::Aborted { request })
    }

    pub(super) fn close(&mut self, request: usize) {
        let this = &mut self.requests[request];
        this.done = true;
        self.open[this.gateway].retain(|open| *open != request);
    }
}
