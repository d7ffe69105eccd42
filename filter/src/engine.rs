//! One configuration of the filter on one worker: the policy, the health it knows, what it counts.

use crate::abi::{self, Metric};
use crate::metrics::Metrics;
use crate::shared_health::SharedHealth;
use meridian_core::decide::{Decision, decide};
use meridian_core::health::{Cause, CellKey, Event, State, Transition};
use meridian_core::request::RequestFacts;
use meridian_core::{Policy, Table, Timestamp};
use std::cell::Cell;

/// Services times regions beyond which gauges are only defined when they are first set.
const GAUGES_AT_START: usize = 500;

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
                log::debug!("half_open service={service} region={region}");
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

    fn define_metrics(&self) {
        let (services, regions) = (self.policy.services(), self.policy.regions());
        if services.len() * regions.len() > GAUGES_AT_START {
            return;
        }
        for service in services {
            for region in regions {
                let tags = [("service", service.name.as_str()), ("region", region.name.as_str())];
                self.metrics.define(Metric::Gauge, "meridian_region_state", &tags);
                for cause in Cause::ALL {
                    let tags = [tags[0], tags[1], ("cause", cause.as_str())];
                    self.metrics.define(Metric::Counter, "meridian_ejections_total", &tags);
                }
            }
        }
        for rule in self.policy.rules() {
            self.metrics.define(Metric::Counter, "meridian_fenced_total", &[("rule", &rule.name)]);
        }
        self.metrics.define(Metric::Counter, "meridian_mismatch_total", &[]);
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
