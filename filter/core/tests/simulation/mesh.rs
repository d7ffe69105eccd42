//! The whole mesh: time, what is due when, and what follows from it.
//!
//! One queue holds everything that will happen, ordered by time and, at the same time, by who was first. Nothing else decides what
//! comes next, so a seed is a story.

mod requests;
mod workers;

use crate::checks::{self, Check, Seen};
use crate::draw::Draw;
use crate::fault::{self, Fault, Kind};
use crate::gateway::Gateway;
use crate::request::Request;
use crate::sabotage::Sabotage;
use crate::site::Reply;
use crate::sketch::Sketch;
use crate::story::{Fact, Story, Telling};
use crate::vm::TICK;
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
    Probed { gateway: usize, worker: usize, vm: u32, number: usize, reply: Reply, region: usize },
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
                Due::Probed { gateway, worker, vm, number, reply, region } => {
                    self.probed((gateway, worker, vm), number, reply, region)?;
                }
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
}
