//! What probes do to health.

use super::*;
use crate::policy::Policy;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;
use crate::testing::{document, policy};
use serde_json::json;

/// Three regions of two services, of which `probed` have a probe. A region that is ejected is out for 30 s, and ramps for none.
fn asked(probed: &[usize]) -> Policy {
    let mut document = document();
    document["warmup"] = json!({"duration": "0s"});
    document["outlierDetection"] = json!({"consecutiveGatewayErrors": 3});
    for service in probed {
        document["services"][service]["probe"] = json!({"path": "/healthz"});
    }
    policy(&document)
}

/// Another service in the region of `A`.
const NEIGHBOUR: CellKey = CellKey { service: ServiceId(1), region: RegionId(0) };
/// The third region.
const C: CellKey = CellKey { service: ServiceId(0), region: RegionId(2) };

fn probe(policy: &Policy, health: &mut Health, key: CellKey, result: ProbeResult, seconds: u64) -> Vec<Cause> {
    let changes = health.record_probe(key, result, at(seconds), policy);
    let causes = changes.iter().flatten().filter_map(|change| match change.transition {
        Transition::Ejected { cause, .. } => Some(cause),
        _ => None,
    });
    causes.collect()
}

fn state(policy: &Policy, health: &Health, key: CellKey, seconds: u64) -> State {
    health.state(key, at(seconds), policy.health())
}

#[test]
fn failures_in_a_row_eject_a_service_that_says_so_itself_and_it_alone() {
    let (policy, mut health) = (asked(&[0]), Health::default());
    let causes: Vec<_> = (0..3).map(|second| probe(&policy, &mut health, A, ProbeResult::Failed, second)).collect();
    assert_eq!(causes, [vec![], vec![], vec![Cause::ActiveHealthCheck]]);
    assert_eq!(state(&policy, &health, NEIGHBOUR, 2), State::Healthy);
}

#[test]
fn a_pass_ends_the_row_and_leaves_nothing_behind() {
    let (policy, mut health) = (asked(&[0]), Health::default());
    for second in [0, 3] {
        let _ = probe(&policy, &mut health, A, ProbeResult::Failed, second);
        let _ = probe(&policy, &mut health, A, ProbeResult::Failed, second + 1);
        let _ = probe(&policy, &mut health, A, ProbeResult::Passed, second + 2);
        assert!(health.is_quiet());
    }
}

#[test]
fn the_only_probe_that_reaches_nobody_takes_the_region_with_it() {
    let (policy, mut health) = (asked(&[0]), Health::default());
    for second in 0..3 {
        let _ = probe(&policy, &mut health, A, ProbeResult::Unreachable, second);
    }
    assert_eq!(health.availability(NEIGHBOUR, at(2), policy.health()), Availability::Ejected(Duration::from_secs(30)));
}

#[test]
fn of_two_probes_one_alone_is_its_services_and_both_are_the_regions() {
    let (policy, mut health) = (asked(&[0, 1]), Health::default());
    for second in 0..3 {
        let _ = probe(&policy, &mut health, A, ProbeResult::Unreachable, second);
    }
    assert_eq!(state(&policy, &health, CellKey::whole(RegionId(0)), 2), State::Healthy);
    let causes: Vec<_> =
        (0..3).flat_map(|second| probe(&policy, &mut health, NEIGHBOUR, ProbeResult::Unreachable, second)).collect();
    assert_eq!(causes, [Cause::ActiveHealthCheck, Cause::Unreachable]);
}

#[test]
fn a_region_that_answers_others_is_not_ejected_again_by_every_probe() {
    let (policy, mut health) = (asked(&[0]), Health::default());
    for second in 0..32 {
        let _ = probe(&policy, &mut health, A, ProbeResult::Unreachable, second);
    }
    let settings = policy.health();
    assert!(health.take_token(NEIGHBOUR, at(33), settings));
    let _ = health.record(Event { key: NEIGHBOUR, outcome: Outcome::Success, probe: true }, at(33), settings, 3);
    for second in 34..60 {
        assert!(probe(&policy, &mut health, A, ProbeResult::Unreachable, second).is_empty());
    }
    assert_eq!(health.availability(NEIGHBOUR, at(60), settings), Availability::Usable);
}

#[test]
fn what_fails_everywhere_is_the_probe_and_leaves_one_region_in_use() {
    let (policy, mut health) = (asked(&[0]), Health::default());
    for second in 0..20 {
        for key in [A, B, C] {
            let _ = probe(&policy, &mut health, key, ProbeResult::Failed, second);
        }
    }
    let in_use = [A, B, C].into_iter().filter(|key| state(&policy, &health, *key, 20) == State::Healthy).count();
    assert_eq!(in_use, 1);
}

#[test]
fn a_region_whose_time_is_over_waits_for_its_probe() {
    let (policy, mut health) = (asked(&[0]), Health::default());
    for second in 0..60 {
        let _ = probe(&policy, &mut health, A, ProbeResult::Failed, second);
    }
    assert_eq!(state(&policy, &health, A, 60), State::Ejected);
    let _ = probe(&policy, &mut health, A, ProbeResult::Passed, 61);
    assert_eq!(state(&policy, &health, A, 61), State::HalfOpen);
}

#[test]
fn a_region_that_requests_ejected_waits_for_its_probe_as_well() {
    let (policy, mut health) = (asked(&[0]), Health::default());
    let mut document = document();
    document["services"][0]["probe"] = json!({"path": "/healthz"});
    document["outlierDetection"] = json!({"consecutiveGatewayErrors": 1, "baseEjectionTime": "1s"});
    let short = crate::testing::policy(&document);
    let _ = health.record(Event { key: A, outcome: Outcome::GatewayError, probe: false }, at(0), short.health(), 3);
    assert_eq!(state(&short, &health, A, 2), State::Ejected, "nobody has asked it yet");
    let _ = probe(&policy, &mut health, A, ProbeResult::Passed, 3);
    assert_eq!(state(&short, &health, A, 3), State::HalfOpen);
}

#[test]
fn a_pass_does_not_shorten_an_ejection() {
    let (policy, mut health) = (asked(&[0]), Health::default());
    for second in 0..3 {
        let _ = probe(&policy, &mut health, A, ProbeResult::Failed, second);
    }
    let _ = probe(&policy, &mut health, A, ProbeResult::Passed, 3);
    assert_eq!(state(&policy, &health, A, 31), State::Ejected);
    assert_eq!(state(&policy, &health, A, 32), State::HalfOpen);
}

#[test]
fn a_probe_that_nobody_sends_any_more_forbids_nothing() {
    let (policy, mut health) = (asked(&[0]), Health::default());
    for second in 0..40 {
        let _ = probe(&policy, &mut health, A, ProbeResult::Failed, second);
    }
    // Three intervals and a timeout after the last.
    assert_eq!(state(&policy, &health, A, 48), State::Ejected);
    assert_eq!(state(&policy, &health, A, 49), State::HalfOpen);
}

#[test]
fn failures_that_nobody_goes_on_with_are_forgotten() {
    let (policy, mut health) = (asked(&[0]), Health::default());
    let _ = probe(&policy, &mut health, A, ProbeResult::Failed, 0);
    assert!(!health.is_quiet() && health.is_calm());
    let _ = health.age(at(10), policy.health());
    let _ = probe(&policy, &mut health, A, ProbeResult::Passed, 11);
    assert!(health.is_quiet());
}

#[test]
fn a_region_that_is_out_for_a_service_and_as_a_whole_is_one_region() {
    let (policy, mut health) = (asked(&[0]), Health::default());
    for second in 0..3 {
        let _ = probe(&policy, &mut health, A, ProbeResult::Unreachable, second);
    }
    for key in [B, C] {
        for _ in 0..3 {
            let event = Event { key, outcome: Outcome::GatewayError, probe: false };
            let _ = health.record(event, at(3), policy.health(), 3);
        }
    }
    assert_eq!(state(&policy, &health, C, 3), State::Ejected, "maxEjectionPercent is 100");
}
