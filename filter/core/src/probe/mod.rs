//! Probes: questions the filter asks by itself, so that a lost region is found, and one that came back, without a client's request.
//!
//! A probe belongs to a service and goes to one region of it, by the plan of that region alone, so nothing can answer in its place. It is
//! asked of every region that a rule may send the service's requests to and of no other: a fence holds for probes as well. Of all
//! workers of an Envoy one asks, the holder of the [`Lease`]; when and whom is the [`Schedule`]'s; what
//! an answer means is here. What follows from it is [`Health`](crate::health::Health)'s.

mod lease;
mod schedule;

pub use lease::Lease;
pub use schedule::Schedule;

use crate::health::{CellKey, ProbeResult};
use crate::judge::ResponseFacts;
use crate::plan::Plan;
use crate::policy::{Policy, Timestamp};
use crate::worker::Store;
use std::time::Duration;

/// A question to one region of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The service, and the region.
    pub key: CellKey,
    /// The plan of that region alone.
    pub plan: Plan,
}

/// One worker's part in the probes.
#[derive(Clone, Debug)]
pub struct Prober {
    lease: Lease,
    schedule: Schedule,
    holds: bool,
}

impl Prober {
    /// A worker's that was configured at `now`.
    #[must_use]
    pub fn new(policy: &Policy, now: Timestamp) -> Self {
        let settings = &policy.health().active_health_check;
        Self {
            lease: Lease::new(settings.interval, now, policy.revision()),
            schedule: Schedule::new(policy.probes().len(), settings.interval, settings.timeout),
            holds: false,
        }
    }

    /// The probes that this worker has to send now, by index in [`Policy::probes`]; none while another one asks. `store` holds the lease
    /// and nothing else.
    pub fn tick(&mut self, policy: &Policy, store: &impl Store, now: Timestamp) -> Vec<usize> {
        if policy.probes().is_empty() {
            return Vec::new();
        }
        let held = std::mem::replace(&mut self.holds, self.lease.hold(store, now));
        if !self.holds {
            return Vec::new();
        }
        if !held {
            self.schedule.begin(now);
        }
        self.schedule.due(now)
    }

    /// The host has sent a probe, and will tell the answer under this number.
    pub fn sent(&mut self, index: usize, token: u32, now: Timestamp) {
        self.schedule.sent(index, token, now);
    }

    /// The probe that is answered under a number, by index; `None` if none is waited for under it.
    pub fn answered(&mut self, token: u32) -> Option<usize> {
        self.schedule.answered(token)
    }
}

/// What the answer to a probe says; `None`: there was none. One that another region signed says that this one was not reached.
#[must_use]
pub fn result(policy: &Policy, probe: &Probe, answer: Option<&ResponseFacts>) -> ProbeResult {
    let Some(answer) = answer else { return ProbeResult::Unreachable };
    let expected = policy.health().active_health_check.expected_statuses.contains(&answer.status);
    match answer.tagged {
        Some(region) if region != probe.key.region => ProbeResult::Unreachable,
        _ if expected && answer.grpc_status.is_none_or(|status| status == 0) => ProbeResult::Passed,
        Some(_) => ProbeResult::Failed,
        None => ProbeResult::Unreachable,
    }
}

/// A setting in the clock's unit.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
