//! Any health: what may have happened to the regions of two services before a request comes.

use super::drawn::{REGIONS, SERVICES};
use crate::health::{CellKey, Event, Health, Outcome};
use crate::ids::{RegionId, ServiceId};
use crate::policy::{Policy, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

/// When histories end: about the time of the drills.
const NOON: u64 = 1_000_000;

/// One thing that happened to a service in a region, so many milliseconds after the last.
type Step = (u16, u16, u8, u64);

/// What may have happened before a request comes: anything, and in the end each region was taken out or brought back, or was not.
#[derive(Clone, Debug)]
pub(super) struct History {
    steps: Vec<Step>,
    ends: Vec<(End, u64)>,
}

/// How a region ended, so many milliseconds before or after.
#[derive(Clone, Copy, Debug)]
enum End {
    AsItWas,
    Out,
    HalfOpen,
    Tried,
    Back,
}

pub(super) fn histories() -> impl Strategy<Value = History> {
    let end = prop_oneof![
        2 => Just(End::AsItWas), 2 => Just(End::Out), 1 => Just(End::HalfOpen), 1 => Just(End::Tried), 1 => Just(End::Back)
    ];
    let steps = vec((0..SERVICES as u16, 0..REGIONS as u16, 0_u8..12, 0_u64..10_000), 0..60);
    (steps, vec((end, 0_u64..40_000), REGIONS)).prop_map(|(steps, ends)| History { steps, ends })
}

/// The health that a history leaves of a service, and the time it ends.
pub(super) fn health(policy: &Policy, history: &History, service: usize) -> (Health, Timestamp) {
    let length: u64 = history.steps.iter().map(|(.., millis)| millis).sum();
    let (mut health, mut now) = (Health::default(), Timestamp(NOON - length));
    for (service, region, what, millis) in &history.steps {
        let key = CellKey { service: ServiceId(*service), region: RegionId(*region) };
        now = now.plus(Duration::from_millis(*millis));
        let outcome = match what {
            0..=2 => Outcome::Success,
            3..=5 => Outcome::Unreachable,
            6..=7 => Outcome::GatewayError,
            8 => Outcome::Retried,
            9 => Outcome::ServerError,
            10 => Outcome::Absent,
            _ => Outcome::Stalled,
        };
        let probe = health.take_token(key, now, policy.health());
        let _ = health.record(Event { key, outcome, probe }, now, policy.health(), REGIONS);
    }
    for (region, (end, millis)) in history.ends.iter().enumerate() {
        let key = key(service, region);
        match end {
            End::AsItWas => {}
            End::Out => health.eject(key, now.plus(Duration::from_millis(*millis))),
            End::HalfOpen => health.eject(key, now),
            End::Tried => {
                health.eject(key, now);
                while health.take_token(key, now, policy.health()) {}
            }
            End::Back => bring_back(&mut health, policy, key, Timestamp(now.0 - millis)),
        }
    }
    (health, now)
}

/// Ejects a region, and lets a request that tries it succeed.
pub(super) fn bring_back(health: &mut Health, policy: &Policy, key: CellKey, then: Timestamp) {
    health.eject(key, then);
    if health.take_token(key, then, policy.health()) {
        let event = Event { key, outcome: Outcome::Success, probe: true };
        let _ = health.record(event, then, policy.health(), REGIONS);
    }
}

pub(super) fn key(service: usize, region: usize) -> CellKey {
    CellKey { service: ServiceId::at(service).unwrap(), region: RegionId::at(region).unwrap() }
}
