//! One worker of an Envoy: what it knows of the health they all share, and what it does about it.
//!
//! Workers are threads that share no memory but a [`Store`], so everything that has to hold across them (errors in a row, tokens of a
//! half-open region) happens there, by compare-and-set, and everything that may be a little late stays here until the next tick. The
//! store, the time and the random numbers are arguments: Envoy's shared data in the filter, a simulated host in the tests, which run
//! dozens of workers against each other in one thread and in any order.

mod roster;
mod shared;
mod successes;

pub use roster::{LEASE, Member, RENEWED_EVERY, Renewed};
pub use shared::{Read, Store, Version, Written};

use crate::decide::{Decision, decide};
use crate::health::{CellKey, Change, Changes, Event, Health, Notice, Outcome, ProbeResult};
use crate::policy::{Policy, Table, Timestamp};
use crate::request::RequestFacts;
use shared::SharedHealth;
use std::cell::{Cell, Ref};
use successes::Successes;

/// Each lost race for a token rules one region out; a host that fails every call must not make this a loop.
const ROUNDS: usize = 4;

/// What one worker knows.
#[derive(Debug, Default)]
pub struct Worker {
    health: SharedHealth,
    successes: Successes,
    /// Whether a drill runs, as of the last tick.
    drilling: Cell<bool>,
    /// When a decision last looked at the store.
    looked: Cell<Timestamp>,
}

impl Worker {
    /// A worker that begins with what the others know.
    #[must_use]
    pub fn new(policy: &Policy, store: &impl Store, now: Timestamp) -> Self {
        let worker = Self::default();
        worker.drilling.set(policy.is_drilling(now));
        worker.health.refresh(store);
        worker
    }

    /// Health as this worker knows it.
    #[must_use]
    pub fn health(&self) -> Ref<'_, Health> {
        self.health.view()
    }

    /// Whether the native table is right for every request as it stands, so that there is nothing to decide.
    #[must_use]
    pub fn is_calm(&self, policy: &Policy) -> bool {
        policy.table() == Table::Full && !policy.compares() && self.health().is_calm() && !self.drilling.get()
    }

    /// Whether no decision depends on the time: nothing is known against any region, and no drill runs, as of the last tick.
    #[must_use]
    pub fn is_timeless(&self) -> bool {
        self.health().is_quiet() && !self.drilling.get()
    }

    /// Decides for a request, and takes the token if the decision needs one. `None`: as of [`decide`].
    pub fn decide(
        &self,
        policy: &Policy,
        store: &impl Store,
        request: &RequestFacts<'_>,
        now: Timestamp,
        mut random: impl FnMut() -> u32,
    ) -> Option<Decision> {
        // What changes within a millisecond is rung for, so that a busy worker need not look for each request.
        if !self.health().is_quiet() && self.looked.replace(now) != now {
            self.health.refresh(store);
        }
        let settings = policy.health();
        let mut decision = None;
        for _ in 0..ROUNDS {
            let decided = decide(policy, &self.health(), request, now, random())?;
            decision = Some(decided);
            // Whoever only watches takes nothing from anybody.
            let Some(key) = decided.token().filter(|_| policy.acts()) else { break };
            // Losing the race for the token leaves fresher health behind, which says so: the next round decides otherwise.
            if self.health.update(store, |health| health.take_token(key, now, settings)) {
                break;
            }
        }
        decision
    }

    /// Records what was learned. Touches the store only if something hangs on it.
    pub fn record(&self, policy: &Policy, store: &impl Store, event: Event, now: Timestamp) -> Changes {
        let (settings, regions) = (policy.health(), policy.regions().len());
        if event.outcome == Outcome::Success && !event.probe {
            let notice = self.health().notice(event.key, now);
            match notice {
                Notice::Never => return [None; 2],
                Notice::Later if !self.successes.add(event.key) => return [None; 2],
                Notice::Later | Notice::AtOnce => {}
            }
        }
        let changes = self.health.update(store, |health| {
            self.successes.flush(|key, count| health.add_successes(key, count, now, settings));
            health.record(event, now, settings, regions)
        });
        self.successes.clear();
        changes
    }

    /// Records how a probe ended.
    pub fn record_probe(
        &self,
        policy: &Policy,
        store: &impl Store,
        key: CellKey,
        result: ProbeResult,
        now: Timestamp,
    ) -> Changes {
        self.health.update(store, |health| health.record_probe(key, result, now, policy))
    }

    /// Takes a token back whose request proved nothing.
    pub fn return_token(&self, policy: &Policy, store: &impl Store, key: CellKey, now: Timestamp) {
        self.health.update(store, |health| health.return_token(key, now, policy.health()));
    }

    /// What a worker does that was rung: it looks at the store. Rings may be lost, late, doubled or in any order.
    pub fn heard(&self, store: &impl Store) {
        self.health.refresh(store);
    }

    /// What the passing of time does: the other workers' news, counts that waited, what is over.
    pub fn tick(&self, policy: &Policy, store: &impl Store, now: Timestamp) -> Vec<Change> {
        self.health.refresh(store);
        self.drilling.set(policy.is_drilling(now));
        if self.health().is_quiet() {
            return Vec::new();
        }
        let settings = policy.health();
        let warm = self.health.update(store, |health| {
            self.successes.flush(|key, count| health.add_successes(key, count, now, settings));
            health.age(now, settings)
        });
        self.successes.clear();
        warm
    }
}

#[cfg(test)]
mod tests;
