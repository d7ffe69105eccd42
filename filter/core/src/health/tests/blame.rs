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

#[test]
fn a_service_that_says_that_it_failed_does_not_keep_the_whole_region_out() {
    let mut health = Health::default();
    let _ = fail(&mut health, A, Outcome::Unreachable, 0);
    let _ = fail(&mut health, NEIGHBOUR, Outcome::Unreachable, 1);
    assert!(health.take_token(A, at(31), &settings()));
    let _ = health.record(Event { key: A, outcome: Outcome::GatewayError, probe: true }, at(31), &settings(), 2);
    assert!(!usable(&health, A, 31) && usable(&health, BYSTANDER, 31));
}

#[test]
fn a_failure_that_a_retry_hid_keeps_the_whole_region_out() {
    let mut health = Health::default();
    let _ = fail(&mut health, A, Outcome::Unreachable, 0);
    let _ = fail(&mut health, NEIGHBOUR, Outcome::Unreachable, 1);
    assert!(health.take_token(A, at(31), &settings()));
    let _ = health.record(Event { key: A, outcome: Outcome::Retried, probe: true }, at(31), &settings(), 2);
    assert!(!usable(&health, BYSTANDER, 31));
}

/// Both services were unreachable, and so the region was out, and is back since 31 s.
fn back_once() -> Health {
    let mut health = Health::default();
    let _ = fail(&mut health, A, Outcome::Unreachable, 0);
    let _ = fail(&mut health, NEIGHBOUR, Outcome::Unreachable, 1);
    for key in [A, NEIGHBOUR] {
        assert!(health.take_token(key, at(31), &settings()));
        let _ = health.record(Event { key, outcome: Outcome::Success, probe: true }, at(31), &settings(), 2);
    }
    health
}

#[test]
fn a_region_that_is_lost_again_soon_is_ejected_whole_again() {
    let mut health = back_once();
    let _ = fail(&mut health, A, Outcome::Unreachable, 32);
    let _ = fail(&mut health, NEIGHBOUR, Outcome::Unreachable, 33);
    assert!(!usable(&health, BYSTANDER, 33));
}

#[test]
fn one_service_that_fails_when_it_is_tried_says_nothing_of_a_region_in_use() {
    let mut health = back_once();
    let _ = fail(&mut health, A, Outcome::Unreachable, 50);
    for seconds in [110, 200, 320] {
        assert!(health.take_token(A, at(seconds), &settings()));
        let _ =
            health.record(Event { key: A, outcome: Outcome::Unreachable, probe: true }, at(seconds), &settings(), 2);
    }
    assert!(usable(&health, BYSTANDER, 320));
}
