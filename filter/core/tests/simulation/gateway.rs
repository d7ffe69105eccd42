//! One Envoy with the filter in it: its workers' VMs, the store they share, its clock, and what it has said of every region.

use crate::bell::{Bell, SOON};
use crate::draw::Draw;
use crate::envoy::Envoy;
use crate::ledger::{Ledger, Use};
use crate::request::Request;
use crate::sabotage::Sabotage;
use crate::sketch::{BEGIN, Sketch};
use crate::store::Shared;
use crate::vm::{Answer, Host, TICK, Trail, Vm};
use meridian_core::health::{CellKey, Change};
use meridian_core::{LocalHints, Policy, Timestamp, UnknownKeys, compile};
use serde_json::Value;

pub(crate) struct Gateway {
    /// The policy that the native table was made from.
    pub(crate) table: Policy,
    /// The filter's.
    pub(crate) policy: Policy,
    pub(crate) vms: Vec<Vm>,
    pub(crate) envoy: Envoy,
    pub(crate) ledger: Ledger,
    /// How far its clock is from the story's, in milliseconds.
    pub(crate) offset: i64,
    /// How far it ever jumped back in all.
    pub(crate) behind: u64,
    /// When it jumped last.
    stepped: u64,
    pub(crate) bell: Bell,
    store: Shared,
    roster: Shared,
    lease: Shared,
    draw: Draw,
}

impl Gateway {
    pub(crate) fn new(sketch: &Sketch, number: usize, sabotage: Option<Sabotage>, draw: &mut Draw) -> Self {
        let mut for_table = sketch.document();
        let mut for_filter = for_table.clone();
        if let Some(sabotage) = sabotage {
            sabotage.spoil_table(&mut for_table);
            sabotage.spoil_filter(&mut for_filter, sketch);
        }
        let local = sketch.gateways[number].local.map(|region| format!("c{region}"));
        let (table, policy) = (compiled(&for_table, local.as_deref()), compiled(&for_filter, local.as_deref()));
        let store = Shared::new(draw.fork());
        let host = Host { policy: &policy, store: &store, now: Timestamp(BEGIN) };
        let vms = (0..sketch.gateways[number].workers).map(|_| Vm::new(0, &host)).collect();
        Self {
            vms,
            table,
            policy,
            envoy: Envoy::default(),
            ledger: Ledger::default(),
            offset: 0,
            behind: 0,
            stepped: 0,
            bell: Bell::new(sketch.gateways[number].rings, draw.fork()),
            store,
            roster: Shared::new(draw.fork()),
            lease: Shared::new(draw.fork()),
            draw: draw.fork(),
        }
    }

    /// Its wall clock.
    pub(crate) fn wall(&self, now: u64) -> Timestamp {
        wall(self.offset, now)
    }

    /// A service in a region, as the core names them.
    pub(crate) fn key(&self, service: usize, region: usize) -> CellKey {
        let region =
            self.policy.regions().get(region).and_then(|region| self.policy.region_named(&region.name)).unwrap();
        let service = self.policy.services().get(service).and_then(|s| self.policy.service_named(&s.name)).unwrap();
        CellKey { service, region }
    }

    /// What a service in a region can be used for, by what was said.
    pub(crate) fn use_of(&self, sketch: &Sketch, service: usize, region: usize, now: u64) -> Use {
        self.ledger.use_of(self.key(service, region), self.wall(now), sketch.health.ramp)
    }

    pub(crate) fn request(&mut self, worker: usize, lines: &Vec<(&'static str, String)>, now: u64) -> Trail {
        let host = Host { policy: &self.policy, store: &self.store, now: self.wall(now) };
        let draw = &mut self.draw;
        self.vms[worker].request(&host, lines, || draw.word())
    }

    pub(crate) fn response(&mut self, request: &Request, answer: &Answer<'_>, now: u64) -> Vec<Change> {
        let host = Host { policy: &self.policy, store: &self.store, now: self.wall(now) };
        let vm = &mut self.vms[request.worker];
        if vm.number == request.vm { vm.response(&host, &request.trail, answer) } else { Vec::new() }
    }

    pub(crate) fn gone(&self, request: &Request, now: u64) {
        let host = Host { policy: &self.policy, store: &self.store, now: self.wall(now) };
        let vm = &self.vms[request.worker];
        if vm.number == request.vm {
            vm.gone(&host, &request.trail);
        }
    }

    pub(crate) fn tick(&mut self, worker: usize, waiting: &[&Request], now: u64) -> Vec<Change> {
        let host = Host { policy: &self.policy, store: &self.store, now: wall(self.offset, now) };
        let (vm, bell) = (&mut self.vms[worker], &mut self.bell);
        let number = vm.number;
        vm.renew(&self.roster, (now, host.now), |slot| Some(bell.register(slot, (worker, number))));
        self.vms[worker].tick(&host, now, waiting)
    }

    /// The probes that a worker sends at its tick: each with its number, its service and its region.
    pub(crate) fn probes(&mut self, worker: usize, now: u64) -> Vec<(usize, usize, usize)> {
        let host = Host { policy: &self.policy, store: &self.store, now: wall(self.offset, now) };
        let due = self.vms[worker].probes(&host, &self.lease);
        let key = |index: usize| self.policy.probes()[index].key;
        due.into_iter().map(|index| (index, key(index).service.index(), key(index).region.index())).collect()
    }

    /// What came of a probe that one of a worker's VMs sent.
    pub(crate) fn probed(
        &mut self,
        (worker, vm): (usize, u32),
        number: usize,
        answer: Option<(u16, Option<&[u8]>)>,
        now: u64,
    ) -> Vec<Change> {
        let host = Host { policy: &self.policy, store: &self.store, now: wall(self.offset, now) };
        let this = &mut self.vms[worker];
        if this.number == vm { this.probed(&host, number, answer) } else { Vec::new() }
    }

    pub(crate) fn restart(&mut self, worker: usize, now: u64) {
        let host = Host { policy: &self.policy, store: &self.store, now: self.wall(now) };
        self.vms[worker] = Vm::new(self.vms[worker].number + 1, &host);
    }

    /// The queues that a worker rings, if it has just changed what the others should know.
    pub(crate) fn rung(&self, worker: usize, now: u64) -> Vec<u32> {
        if self.store.was_rung() { self.vms[worker].others(&self.roster, self.wall(now)) } else { Vec::new() }
    }

    /// A message in a queue.
    pub(crate) fn heard(&self, queue: u32) {
        if let Some((worker, number)) = self.bell.listener(queue)
            && self.vms[worker].number == number
        {
            self.vms[worker].worker.heard(&self.store);
        }
    }

    /// How late a worker may be with what another one knows: no more than the bell, if the others know where to ring it, or else a tick.
    pub(crate) fn is_late_by(&self, worker: usize) -> u64 {
        let listed = self.vms[worker].listed.is_some_and(|listed| listed > self.stepped);
        if self.bell.works() && listed { SOON } else { TICK }
    }

    pub(crate) fn step(&mut self, by: i64, now: u64) {
        self.stepped = now;
        self.offset += by;
        self.behind += by.min(0).unsigned_abs();
    }
}

fn wall(offset: i64, now: u64) -> Timestamp {
    Timestamp((BEGIN + now).saturating_add_signed(offset))
}

fn compiled(document: &Value, cluster_id: Option<&str>) -> Policy {
    let hints = LocalHints { cluster_id, ..LocalHints::default() };
    match compile(document, UnknownKeys::Refuse, &hints) {
        Ok((policy, _)) => policy,
        Err(problems) => panic!("{problems:#?}\n{document:#}"),
    }
}
