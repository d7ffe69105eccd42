//! Who is to blame: the service, or the region.

use super::*;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;

/// Another service in the region of `A`.
const NEIGHBOUR: CellKey = CellKey { service: ServiceId(1), region: RegionId(0) };
/// One more, which nobody asked for anything.
const BYSTANDER: CellKey = CellKey { service: ServiceId(2), region: RegionId(0) };

fn fail(health: &mut Health, key: CellKey, outcome: Outcome, seconds: u64) -> Changes {
    let event = Event { key, outcome, probe: false };
    (0..3).map(|_| health.record(event, at(seconds), &settings(), 2)).last().unwrap()
}

fn usable(health: &Health, key: CellKey, seconds: u64) -> bool {
    health.availability(key, at(seconds), &settings()) == Availability::Usable
}

#[test]
fn a_service_that_says_that_it_failed_is_moved_alone() {
    let mut health = Health::default();
    let _ = fail(&mut health, A, Outcome::GatewayError, 0);
    let _ = fail(&mut health, NEIGHBOUR, Outcome::GatewayError, 1);
    assert!(!usable(&health, A, 1) && !usable(&health, NEIGHBOUR, 1));
    assert!(usable(&health, BYSTANDER, 1));
}

#[test]
fn a_service_that_nobody_reaches_is_moved_alone_as_well() {
    let mut health = Health::default();
    let _ = fail(&mut health, A, Outcome::Unreachable, 0);
    assert!(!usable(&health, A, 0) && usable(&health, NEIGHBOUR, 0));
}

#[test]
fn the_second_service_that_nobody_reaches_takes_the_region_with_it() {
    let mut health = Health::default();
    let _ = fail(&mut health, A, Outcome::Unreachable, 0);
    let changes = fail(&mut health, NEIGHBOUR, Outcome::Unreachable, 9);
    let region = changes[1].unwrap();
    assert_eq!(region.key, CellKey::whole(RegionId(0)));
    assert!(matches!(region.transition, Transition::Ejected { cause: Cause::Unreachable, .. }));
    assert!(!usable(&health, BYSTANDER, 9), "nobody has to try it there first");
    assert!(usable(&health, B, 9), "and the region next door does not notice");
}

#[test]
fn two_services_that_fail_at_different_times_have_nothing_in_common() {
    let mut health = Health::default();
    let _ = fail(&mut health, A, Outcome::Unreachable, 0);
    let _ = fail(&mut health, NEIGHBOUR, Outcome::Unreachable, 10);
    assert!(usable(&health, BYSTANDER, 10));
}

#[test]
fn one_request_that_is_answered_brings_the_region_back_for_every_service() {
    let mut health = Health::default();
    let _ = fail(&mut health, A, Outcome::Unreachable, 0);
    let _ = fail(&mut health, NEIGHBOUR, Outcome::Unreachable, 0);
    assert_eq!(health.availability(BYSTANDER, at(30), &settings()), Availability::HalfOpen);
    assert!(health.take_token(BYSTANDER, at(30), &settings()));
    assert_eq!(health.availability(A, at(30), &settings()), Availability::HalfOpenBusy, "one token for the region");
    let event = Event { key: BYSTANDER, outcome: Outcome::Success, probe: true };
    let changes = health.record(event, at(30), &settings(), 2);
    assert_eq!(changes[1].unwrap().key, CellKey::whole(RegionId(0)));
    assert!(usable(&health, BYSTANDER, 30));
    assert_eq!(health.availability(A, at(30), &settings()), Availability::HalfOpen, "which has to prove itself still");
}

#[test]
fn a_region_that_fails_its_try_is_out_again_for_every_service() {
    let mut health = Health::default();
    let _ = fail(&mut health, A, Outcome::Unreachable, 0);
    let _ = fail(&mut health, NEIGHBOUR, Outcome::Unreachable, 0);
    assert!(health.take_token(BYSTANDER, at(30), &settings()));
    let event = Event { key: BYSTANDER, outcome: Outcome::Unreachable, probe: true };
    let _ = health.record(event, at(30), &settings(), 2);
    assert_eq!(health.availability(BYSTANDER, at(30), &settings()), Availability::Ejected(Duration::from_secs(60)));
}
