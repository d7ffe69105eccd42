//! One configuration of the filter on one worker: the policy, the health it knows, what it counts.

use crate::abi::{self, Metric};
use crate::metrics::Metrics;
use crate::shared_health::SharedHealth;
use meridian_core::decide::{Decision, decide};
use meridian_core::health::{Cause, CellKey, Event, State, Transition};
use meridian_core::request::RequestFacts;
use meridian_core::{Policy, Table, Timestamp};
use std::cell::Cell;

/// Services times regions, of four series each, and rules, of one, up to which series are defined at the start; beyond, when they are
/// first needed.
const CELLS_AT_START: usize = 250;
const RULES_AT_START: usize = 250;

/// Everything a stream needs.
pub(crate) struct Engine {
    pub(crate) policy: Policy,
    pub(crate) health: SharedHealth,
    pub(crate) metrics: Metrics,
    random: Cell<u64>,
}

impl Engine {
    /// An engine for a policy.
    pub(crate) fn new(policy: Policy) -> Self {
        let engine = Self {
            health: SharedHealth::new(policy.layout()),
            metrics: Metrics::default(),
            policy,
            random: Cell::new(0),
        };
        engine.health.refresh(&engine.metrics);
        engine.define_metrics();
        engine
    }

    /// Whether the native table is right for every request as it stands, so that there is nothing to decide.
    pub(crate) fn is_calm(&self) -> bool {
        self.policy.table() == Table::Full && self.health.view().is_calm()
    }

    /// Decides for a request, and takes the token if the decision needs one.
    pub(crate) fn decide(&self, request: &RequestFacts<'_>, now: Timestamp) -> Option<Decision> {
        if !self.health.view().is_quiet() {
            self.health.refresh(&self.metrics);
        }
        let settings = self.policy.outlier_detection();
        let mut decision = None;
        // Each lost race rules one region out; a host that fails every call must not make this a loop.
        for _ in 0..4 {
            let decided = decide(&self.policy, &self.health.view(), request, now, self.random(now))?;
            let Some(key) = decided.token() else { return Some(decided) };
            decision = Some(decided);
            // Losing the race for the token leaves fresher health behind, which says so: the next round decides otherwise.
            if self.health.update(&self.metrics, |health| health.take_token(key, now, settings)) {
                let (service, region) = self.names(key);
                self.metrics.set(
                    "meridian_region_state",
                    &[("service", service), ("region", region)],
                    gauge(State::HalfOpen),
                );
                break;
            }
        }
        decision
    }

    /// Records what was learned. Touches the shared health only if it changes by it.
    pub(crate) fn record(&self, event: Event, now: Timestamp) {
        let (settings, regions) = (self.policy.outlier_detection(), self.policy.regions().len());
        let mut probe = self.health.view().clone();
        let changes = probe.record(event, now, settings, regions) != Transition::None || probe != *self.health.view();
        if !changes {
            return;
        }
        let transition = self.health.update(&self.metrics, |health| health.record(event, now, settings, regions));
        let (service, region) = self.names(event.key);
        let tags = [("service", service), ("region", region)];
        match transition {
            Transition::None => {}
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
                self.metrics.set("meridian_region_state", &tags, gauge(State::Ejected));
            }
            Transition::Readmitted => {
                log::warn!("readmitted service={service} region={region}");
                self.metrics.set("meridian_region_state", &tags, gauge(State::Healthy));
            }
        }
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

    /// The names behind a cell, for logs and metrics.
    pub(crate) fn names(&self, key: CellKey) -> (&str, &str) {
        let service = self.policy.service(key.service).map_or("", |service| &service.name);
        (service, self.policy.region_name(key.region))
    }

    /// What alerts use exists before anything happens; states are published, because another layout of the policy may have left its own.
    fn define_metrics(&self) {
        let (services, regions) = (self.policy.services(), self.policy.regions());
        self.metrics.define(Metric::Counter, "meridian_mismatch_total", &[]);
        for rule in self.policy.rules().iter().take(RULES_AT_START) {
            self.metrics.define(Metric::Counter, "meridian_fenced_total", &[("rule", &rule.name)]);
        }
        if services.len() * regions.len() > CELLS_AT_START {
            return;
        }
        let (health, now) = (self.health.view(), self.now());
        for key in self.policy.cells() {
            let (service, region) = self.names(key);
            let state = gauge(health.state(key, now));
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
    }
}
