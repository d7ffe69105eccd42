//! One configuration of the filter on one worker: the policy, the health it knows, what it counts.

use crate::abi::{self, Metric};
use crate::doorbell;
use crate::metrics::Metrics;
use crate::probes::Probes;
use crate::shared_data::SharedData;
use crate::tries::Tries;
use crate::waiting::{TICK, Waiting};
use meridian_core::decide::{Decision, Reason};
use meridian_core::health::{Cause, CellKey, Change, Event, Health, Outcome, ProbeResult, State, Transition};
use meridian_core::judge::Mismatch;
use meridian_core::request::RequestFacts;
use meridian_core::shadow::{Agreement, try_shadow};
use meridian_core::worker::Worker;
use meridian_core::{Habit, Policy, Timestamp};
use std::cell::{Cell, Ref};

/// Services times regions, of nine series each, and rules, of one, up to which series are defined at the start; beyond, when they are
/// first needed.
const CELLS_AT_START: usize = 150;
const RULES_AT_START: usize = 250;
/// One response in so many is looked at in full.
const SAMPLE: u32 = 32;

/// A region that nobody knows, in metrics; `*` and the like are no names a region can have.
const NONE: &str = "*";

/// What is asked of the host while it serves, as failures of it are counted.
const CALLS: [&str; 15] = [
    "dequeue_shared_queue",
    "enqueue_shared_queue",
    "get_current_time",
    "get_header",
    "get_headers",
    "get_property",
    "get_shared_data",
    "http_call",
    "register_shared_queue",
    "remove_header",
    "send_local_response",
    "set_effective_context",
    "set_header",
    "set_shared_data",
    "set_state",
];

/// Everything a stream needs.
pub(crate) struct Engine {
    pub(crate) policy: Policy,
    pub(crate) metrics: Metrics,
    pub(crate) waiting: Waiting,
    pub(crate) tries: Tries,
    worker: Worker,
    /// Where the shared health is, under a key that says what its ids mean.
    shared: String,
    pub(crate) probes: Probes,
    /// Whether requests usually ask for something.
    pub(crate) habit: Cell<Habit>,
    /// The time of the last tick.
    ticked: Cell<Timestamp>,
    random: Cell<u64>,
    /// The random number of the last decision.
    drawn: Cell<u32>,
    answers: Cell<u32>,
}

impl Engine {
    /// An engine for a policy.
    pub(crate) fn new(policy: Policy) -> Self {
        let shared = format!("meridian/health/{:016x}", policy.layout());
        let mut engine = Self {
            probes: Probes::new(&policy, &shared, abi::now().unwrap_or_default()),
            shared,
            worker: Worker::default(),
            metrics: Metrics::default(),
            waiting: Waiting::default(),
            tries: Tries::default(),
            policy,
            habit: Cell::default(),
            ticked: Cell::default(),
            random: Cell::new(0),
            drawn: Cell::new(0),
            answers: Cell::new(0),
        };
        engine.ticked.set(engine.now());
        engine.worker = Worker::new(&engine.policy, &engine.store(), engine.ticked.get());
        engine.define_metrics();
        engine
    }

    /// Begins to serve.
    pub(crate) fn start(&self) {
        self.metrics.checked("set_tick_period", abi::set_tick_period(TICK.subsec_millis()));
    }

    /// The store that this worker shares with the others.
    fn store(&self) -> SharedData<'_> {
        SharedData { key: &self.shared, metrics: &self.metrics }
    }

    /// Health as this worker knows it.
    pub(crate) fn health(&self) -> Ref<'_, Health> {
        self.worker.health()
    }

    /// Whether the native table is right for every request as it stands, so that there is nothing to decide.
    pub(crate) fn is_calm(&self) -> bool {
        self.worker.is_calm(&self.policy)
    }

    /// Decides for a request, and takes the token if the decision needs one.
    pub(crate) fn decide(&self, request: &RequestFacts<'_>, now: Timestamp) -> Option<Decision> {
        let draw = || {
            self.drawn.set(self.random(now));
            self.drawn.get()
        };
        let decision = self.worker.decide(&self.policy, &self.store(), request, now, draw)?;
        if let Some(key) = decision.token().filter(|_| self.policy.acts()) {
            let (service, region) = self.names(key);
            let tags = [("service", service), ("region", region)];
            self.metrics.set("meridian_region_state", &tags, gauge(State::HalfOpen));
        }
        Some(decision)
    }

    /// Tries the shadow rules, if there are any, on a request that was just decided, and counts what would have been different.
    pub(crate) fn try_shadow(&self, request: &RequestFacts<'_>, now: Timestamp, done: &Decision) {
        let tried = try_shadow(&self.policy, &self.health(), request, now, self.drawn.get(), done);
        if let Some((agreement, tried)) = tried {
            self.count_agreement(agreement, tried.reason());
        }
    }

    /// Counts how a decision that was not acted on compares with what was done.
    pub(crate) fn count_agreement(&self, agreement: Agreement, reason: Reason) {
        let tags = [("result", agreement.as_str()), ("reason", reason.as_str())];
        self.metrics.count("meridian_shadow_total", &tags);
    }

    /// Counts an answer that cannot be right.
    pub(crate) fn count_mismatch(&self, mismatch: &Mismatch) {
        let chosen = mismatch.chosen.map_or(NONE, |region| self.policy.region_name(region));
        let tags = [("chosen", chosen), ("served", self.policy.region_name(mismatch.served))];
        self.metrics.count("meridian_mismatch_total", &tags);
    }

    /// Whether this response is one of those that are looked at in full though nothing seems wrong: a calm gateway has no other way to
    /// see that a region answers in another's place.
    pub(crate) fn samples(&self) -> bool {
        let answers = self.answers.get().wrapping_add(1);
        self.answers.set(answers);
        answers.is_multiple_of(SAMPLE)
    }

    /// Records what was learned.
    pub(crate) fn record(&self, event: Event, now: Timestamp) {
        let changes = self.worker.record(&self.policy, &self.store(), event, now);
        changes.iter().flatten().for_each(|change| self.tell(change));
    }

    /// Takes a token back whose request proved nothing.
    pub(crate) fn return_token(&self, key: CellKey) {
        self.worker.return_token(&self.policy, &self.store(), key, self.now());
    }

    /// Another worker has news.
    pub(crate) fn heard(&self) {
        self.worker.heard(&self.store());
    }

    /// What the passing of time does; among it, requests that nobody answers.
    pub(crate) fn tick(&self, root: u32) {
        self.waiting.tick();
        let now = self.now();
        self.ticked.set(now);
        doorbell::tick(&self.metrics, now);
        let changes = self.worker.tick(&self.policy, &self.store(), now);
        changes.iter().for_each(|change| self.tell(change));
        self.send_probes(now);
        let (abandoned, stalled) = (self.tries.take_abandoned(), self.waiting.stalled(&self.policy, &self.metrics));
        self.metrics.checked("set_effective_context", abi::act_for(root));
        for key in abandoned {
            self.return_token(key);
        }
        for key in stalled {
            self.record(Event { key, outcome: Outcome::Stalled, probe: false }, now);
        }
    }

    /// Records how a probe ended.
    pub(crate) fn record_probe(&self, key: CellKey, result: ProbeResult, now: Timestamp) {
        let tags = [("region", self.policy.region_name(key.region)), ("result", result.as_str())];
        self.metrics.count("meridian_probe_total", &tags);
        let changes = self.worker.record_probe(&self.policy, &self.store(), key, result, now);
        changes.iter().flatten().for_each(|change| self.tell(change));
    }

    /// Logs and counts a change.
    fn tell(&self, change: &Change) {
        let (service, region) = self.names(change.key);
        let tags = [("service", service), ("region", region)];
        let state = match change.transition {
            Transition::None => return,
            Transition::Ejected { duration, times, cause } => {
                let cause = cause.as_str();
                // Durations print as people write them (`3s`, `1.5s`) only with a float's formatter, which is 10 KiB.
                let (number, unit) = match duration.as_millis() {
                    millis if millis % 1_000 == 0 => (millis / 1_000, "s"),
                    millis => (millis, "ms"),
                };
                log::warn!("ejected service={service} region={region} cause={cause} times={times} for={number}{unit}");
                self.metrics
                    .count("meridian_ejections_total", &[("service", service), ("region", region), ("cause", cause)]);
                State::Ejected
            }
            Transition::Readmitted { ramps } => {
                log::warn!("readmitted service={service} region={region}");
                if ramps { State::Ramping } else { State::Healthy }
            }
            Transition::Warm => State::Healthy,
        };
        self.metrics.set("meridian_region_state", &tags, gauge(state));
    }

    /// A random number, good enough to share requests out: splitmix64 over the time and what came before.
    fn random(&self, now: Timestamp) -> u32 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_add(now.0);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from(mixed >> 32).unwrap_or(0)
    }

    /// The time; the epoch if the host does not know, which ejects nobody for long.
    pub(crate) fn now(&self) -> Timestamp {
        self.metrics.checked("get_current_time", abi::now()).unwrap_or_default()
    }

    /// The time for a decision: where it decides nothing, that of the last tick, which costs nothing.
    pub(crate) fn now_to_decide(&self) -> Timestamp {
        if self.worker.is_timeless() { self.ticked.get() } else { self.now() }
    }

    /// The names behind a cell, for logs and metrics.
    pub(crate) fn names(&self, key: CellKey) -> (&str, &str) {
        // A region that is meant as a whole has no service; `*` is no name a service can have.
        let service = self.policy.service(key.service).map_or("*", |service| &service.name);
        (service, self.policy.region_name(key.region))
    }

    /// What alerts use exists before anything happens; states are published, because another layout of the policy may have left its own.
    fn define_metrics(&self) {
        let (services, regions) = (self.policy.services(), self.policy.regions());
        self.metrics.define(Metric::Histogram, doorbell::NEWS_AGE, &[]);
        // The name is there even where the pairs are too many; alerts ask for it to see that the filter is.
        self.metrics.define(Metric::Counter, "meridian_mismatch_total", &[("chosen", NONE), ("served", NONE)]);
        if regions.len() * regions.len() <= CELLS_AT_START {
            for (chosen, served) in regions.iter().flat_map(|chosen| regions.iter().map(move |served| (chosen, served)))
            {
                let tags = [("chosen", chosen.name.as_str()), ("served", served.name.as_str())];
                self.metrics.define(Metric::Counter, "meridian_mismatch_total", &tags);
            }
        }
        if self.policy.compares() {
            for (result, reason) in
                Agreement::ALL.iter().flat_map(|result| Reason::ALL.iter().map(move |reason| (result, reason)))
            {
                let tags = [("result", result.as_str()), ("reason", reason.as_str())];
                self.metrics.define(Metric::Counter, "meridian_shadow_total", &tags);
            }
        }
        for rule in self.policy.rules().iter().take(RULES_AT_START) {
            let tag = ("rule", rule.name.as_str());
            self.metrics.define(Metric::Counter, "meridian_fenced_total", &[tag]);
            for reason in [Reason::Exhausted, Reason::UnknownRegion] {
                self.metrics.define(Metric::Counter, "meridian_refused_total", &[tag, ("reason", reason.as_str())]);
            }
        }
        for call in CALLS {
            self.metrics.define(Metric::Counter, "meridian_host_errors_total", &[("call", call)]);
        }
        if services.len() * regions.len() > CELLS_AT_START {
            return;
        }
        let (health, now) = (self.health(), self.now());
        for key in self.policy.cells() {
            let (service, region) = self.names(key);
            let state = gauge(health.state(key, now, self.policy.health()));
            self.metrics.set("meridian_region_state", &[("service", service), ("region", region)], state);
            for cause in Cause::ALL {
                let tags = [("service", service), ("region", region), ("cause", cause.as_str())];
                self.metrics.define(Metric::Counter, "meridian_ejections_total", &tags);
            }
        }
    }
}

/// The value of `meridian_region_state`.
fn gauge(state: State) -> u64 {
    match state {
        State::Healthy => 0,
        State::Ejected => 1,
        State::HalfOpen => 2,
        State::Ramping => 3,
    }
}
