//! The whole mesh: time, what is due when, and what follows from it.
//!
//! One queue holds everything that will happen, ordered by time and, at the same time, by who was first. Nothing else decides what
//! comes next, so a seed is a story.

use crate::checks::{self, Check, Seen};
use crate::draw::Draw;
use crate::envoy;
use crate::fault::{self, Fault, Kind};
use crate::gateway::Gateway;
use crate::request::{Ask, Request};
use crate::sabotage::Sabotage;
use crate::site::{self, Reply};
use crate::sketch::{Rescue, Sketch, tag};
use crate::story::{Fact, Story, Telling};
use crate::vm::{Answer, TICK, Trail};
use meridian_core::decide::Verdict;
use meridian_core::judge::UpstreamFacts;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// So many clients in a hundred go away before they are answered.
const ABORTS: u64 = 2;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Begins(usize),
    Ends(usize),
    Arrival { gateway: usize },
    Tick { gateway: usize, worker: usize },
    Ring { gateway: usize, queue: u32 },
    Try { request: usize },
    Reply { request: usize, tries: usize, reply: Reply },
    TimeOut { request: usize },
    Abort { request: usize },
}

/// A check that did not hold.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) check: &'static str,
    pub(crate) why: String,
}

pub(crate) struct Mesh {
    pub(crate) sketch: Sketch,
    pub(crate) faults: Vec<Fault>,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) requests: Vec<Request>,
    /// The requests of each gateway that wait for an answer.
    pub(crate) open: Vec<Vec<usize>>,
    pub(crate) now: u64,
    pub(crate) story: Story,
    /// The checks, with how often each had something to judge.
    pub(crate) checks: Vec<(Box<dyn Check>, u64)>,
    queue: BinaryHeap<Reverse<(u64, u64, Due)>>,
    queued: u64,
    sabotage: Option<Sabotage>,
    draw: Draw,
}

impl Mesh {
    pub(crate) fn new(seed: u64, sabotage: Option<Sabotage>, telling: Telling) -> Self {
        let mut draw = Draw::new(seed);
        let sketch = Sketch::draw(&mut draw.fork());
        let faults = fault::draw(&mut draw.fork(), &sketch);
        let gateways =
            (0..sketch.gateways.len()).map(|number| Gateway::new(&sketch, number, sabotage, &mut draw)).collect();
        let mut mesh = Self {
            checks: checks::all(&sketch).into_iter().map(|check| (check, 0)).collect(),
            open: vec![Vec::new(); sketch.gateways.len()],
            requests: Vec::new(),
            story: Story::new(telling),
            now: 0,
            queue: BinaryHeap::new(),
            queued: 0,
            faults,
            gateways,
            sketch,
            sabotage,
            draw,
        };
        mesh.prepare();
        mesh
    }

    fn prepare(&mut self) {
        for (number, fault) in self.faults.clone().into_iter().enumerate() {
            self.queue(fault.from, Due::Begins(number));
            self.queue(fault.until, Due::Ends(number));
        }
        for gateway in 0..self.gateways.len() {
            self.queue(1, Due::Arrival { gateway });
            for worker in 0..self.gateways[gateway].vms.len() {
                let phase = self.draw.between(0, TICK - 1);
                self.queue(phase, Due::Tick { gateway, worker });
            }
        }
    }

    fn queue(&mut self, at: u64, due: Due) {
        self.queued += 1;
        self.queue.push(Reverse((at, self.queued, due)));
    }

    /// Lets everything happen, until the end or until a check does not hold.
    pub(crate) fn run(&mut self) -> Result<(), Broken> {
        while let Some(Reverse((at, _, due))) = self.queue.pop() {
            if at > self.sketch.length {
                break;
            }
            self.now = at;
            match due {
                Due::Begins(number) => self.begin(number)?,
                Due::Ends(number) => self.happened(&Fact::Ended { fault: self.faults[number] })?,
                Due::Arrival { gateway } => self.arrive(gateway)?,
                Due::Tick { gateway, worker } => self.tick(gateway, worker)?,
                Due::Ring { gateway, queue } => self.gateways[gateway].heard(queue),
                Due::Try { request } => self.try_it(request)?,
                Due::Reply { request, tries, reply } if self.requests[request].tries.len() == tries => {
                    self.reply(request, reply)?;
                }
                Due::Reply { .. } => {}
                Due::TimeOut { request } => self.finish(request, Reply::Silence)?,
                Due::Abort { request } => self.abort(request)?,
            }
        }
        Ok(())
    }

    fn happened(&mut self, fact: &Fact) -> Result<(), Broken> {
        let mut story = std::mem::replace(&mut self.story, Story::new(Telling::Nothing));
        story.tell(self.now, || checks::line(self, fact));
        self.story = story;
        let mut checks = std::mem::take(&mut self.checks);
        let mut broken = Ok(());
        for (check, judged) in &mut checks {
            match check.see(self, fact) {
                Seen::Nothing => {}
                Seen::Held => *judged += 1,
                Seen::Broken(why) => {
                    broken = Err(Broken { check: check.name(), why });
                    break;
                }
            }
        }
        self.checks = checks;
        broken
    }

    fn begin(&mut self, number: usize) -> Result<(), Broken> {
        let fault = self.faults[number];
        match fault.kind {
            Kind::Restart { gateway, worker } => {
                self.gateways[gateway].restart(worker, self.now);
                self.happened(&Fact::Restarted { gateway, worker })
            }
            Kind::Step { gateway, by } => {
                self.gateways[gateway].step(by, self.now);
                self.happened(&Fact::Stepped { gateway, by })
            }
            _ => self.happened(&Fact::Began { fault }),
        }
    }

    fn arrive(&mut self, gateway: usize) -> Result<(), Broken> {
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
    fn rescue(&self, request: usize) -> Option<Rescue> {
        let ask = &self.requests[request].ask;
        self.sketch.rules[ask.rule].rescue.filter(|_| ask.method == "GET" && self.sabotage != Some(Sabotage::NoRetries))
    }

    fn try_it(&mut self, request: usize) -> Result<(), Broken> {
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

    fn reply(&mut self, request: usize, reply: Reply) -> Result<(), Broken> {
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

    fn finish(&mut self, request: usize, reply: Reply) -> Result<(), Broken> {
        if self.requests[request].done {
            return Ok(());
        }
        let attempts = self.requests[request].tries.len();
        self.answer(request, reply, attempts)
    }

    fn answer(&mut self, request: usize, reply: Reply, attempts: usize) -> Result<(), Broken> {
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

    fn changed(
        &mut self,
        gateway: usize,
        worker: usize,
        changes: &[meridian_core::health::Change],
    ) -> Result<(), Broken> {
        for change in changes {
            // The checks see what was said before, and what is said now.
            self.happened(&Fact::Changed { gateway, worker, change: *change })?;
            let wall = self.gateways[gateway].wall(self.now);
            self.gateways[gateway].ledger.write(change, self.now, wall);
        }
        Ok(())
    }

    /// Tells the other workers of what one has just done, if they should know.
    fn ring(&mut self, gateway: usize, worker: usize) {
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

    fn abort(&mut self, request: usize) -> Result<(), Broken> {
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

    fn close(&mut self, request: usize) {
        let this = &mut self.requests[request];
        this.done = true;
        self.open[this.gateway].retain(|open| *open != request);
    }

    fn tick(&mut self, gateway: usize, worker: usize) -> Result<(), Broken> {
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
        self.changed(gateway, worker, &changes)
    }
}
