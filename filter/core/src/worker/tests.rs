//! Workers of one Envoy against one store.

use super::*;
use crate::health::Transition;
use crate::ids::RegionId;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;
use crate::testing::{Host, NOW, document, get, key, policy};
use serde_json::json;
use std::time::Duration;

fn failure(policy: &Policy) -> Event {
    Event { key: key(policy, "us-east-1"), outcome: Outcome::GatewayError, probe: false }
}

fn success(policy: &Policy) -> Event {
    Event { outcome: Outcome::Success, ..failure(policy) }
}

/// Two workers, and a store.
fn two(policy: &Policy) -> (Worker, Worker, Host) {
    let host = Host::default();
    (Worker::new(policy, &host, NOW), Worker::new(policy, &host, NOW), host)
}

fn is_ejected(changes: &Changes) -> bool {
    changes.iter().flatten().any(|change| matches!(change.transition, Transition::Ejected { .. }))
}

#[test]
fn errors_in_a_row_count_across_workers() {
    let policy = policy(&document());
    let (one, other, host) = two(&policy);
    let workers = [&one, &other, &one, &other, &one];
    let ejected = workers.map(|worker| is_ejected(&worker.record(&policy, &host, failure(&policy), NOW)));
    assert_eq!(ejected, [false, false, false, false, true]);
}

#[test]
fn a_success_of_one_worker_ends_the_row_of_another() {
    let policy = policy(&document());
    let (one, other, host) = two(&policy);
    for _ in 0..4 {
        let _ = one.record(&policy, &host, failure(&policy), NOW);
    }
    let _ = other.tick(&policy, &host, NOW);
    let _ = other.record(&policy, &host, success(&policy), NOW);
    assert!(!is_ejected(&one.record(&policy, &host, failure(&policy), NOW)));
}

#[test]
fn a_success_costs_the_store_nothing_while_all_is_well() {
    let policy = policy(&document());
    let (one, _, host) = two(&policy);
    for _ in 0..100 {
        let _ = one.record(&policy, &host, success(&policy), NOW);
    }
    assert_eq!(host.writes.get(), 0);
}

#[test]
fn only_one_worker_gets_the_token_of_a_half_open_region() {
    let policy = policy(&document());
    let (one, other, host) = two(&policy);
    for _ in 0..5 {
        let _ = one.record(&policy, &host, failure(&policy), NOW);
    }
    let _ = other.tick(&policy, &host, NOW);
    let later = NOW.plus(Duration::from_secs(31));
    let lines = get(&[]);
    let request = RequestFacts::new(&lines);
    let tokens = [&one, &other, &one].map(|worker| {
        worker.decide(&policy, &host, &request, later, || 0).and_then(|decision| decision.token()).is_some()
    });
    assert_eq!(tokens, [true, false, false]);
}

/// A worker that has seen one failure and decided since, and another that then ejects the region without being heard.
fn one_unaware(policy: &Policy) -> (Worker, Host) {
    let (one, other, host) = two(policy);
    let _ = one.record(policy, &host, failure(policy), NOW);
    assert_eq!(chosen(policy, &one, &host, NOW), Some(key(policy, "us-east-1").region));
    for _ in 0..4 {
        let _ = other.record(policy, &host, failure(policy), NOW);
    }
    (one, host)
}

fn chosen(policy: &Policy, worker: &Worker, host: &Host, now: Timestamp) -> Option<RegionId> {
    let lines = get(&[("region", "us")]);
    worker.decide(policy, host, &RequestFacts::new(&lines), now, || 0)?.chosen()
}

#[test]
fn what_nobody_rang_for_is_known_a_millisecond_later_where_something_is_known_already() {
    let policy = policy(&document());
    let (unaware, host) = one_unaware(&policy);
    let moved = chosen(&policy, &unaware, &host, NOW.plus(Duration::from_millis(1)));
    assert_ne!(moved, Some(key(&policy, "us-east-1").region));
}

#[test]
fn decisions_of_one_millisecond_look_at_the_store_once() {
    let policy = policy(&document());
    let (unaware, host) = one_unaware(&policy);
    assert_eq!(chosen(&policy, &unaware, &host, NOW), Some(key(&policy, "us-east-1").region));
    unaware.heard(&host);
    assert_ne!(chosen(&policy, &unaware, &host, NOW), Some(key(&policy, "us-east-1").region), "but a ring is heard");
}

#[test]
fn a_new_worker_begins_with_what_the_others_know() {
    let policy = policy(&document());
    let (one, _, host) = two(&policy);
    for _ in 0..5 {
        let _ = one.record(&policy, &host, failure(&policy), NOW);
    }
    assert!(!Worker::new(&policy, &host, NOW).is_calm(&policy));
}

#[test]
fn a_store_that_fails_leaves_each_worker_its_own_view() {
    let policy = policy(&document());
    let (one, other, host) = two(&policy);
    host.broken.set(true);
    for _ in 0..5 {
        let _ = one.record(&policy, &host, failure(&policy), NOW);
    }
    assert!(!one.is_calm(&policy) && other.is_calm(&policy));
}

#[test]
fn a_store_with_somebody_elses_bytes_knows_nothing() {
    let policy = policy(&document());
    let host = Host::default();
    *host.value.borrow_mut() = Some((vec![99; 7], 3));
    assert!(Worker::new(&policy, &host, NOW).is_calm(&policy));
}

#[test]
fn a_drill_ends_the_calm_with_the_next_tick() {
    let mut document = document();
    document["drills"] = json!([{"name": "q4", "region": "us-east-1", "percent": 10,
                                 "from": "1970-01-01T00:20:00Z", "until": "1970-01-01T00:30:00Z"}]);
    let policy = policy(&document);
    let (one, _, host) = two(&policy);
    let before = one.is_calm(&policy);
    let _ = one.tick(&policy, &host, Timestamp(1_200_000));
    assert!(before && !one.is_calm(&policy));
}

/// What rings while `record` goes on at one worker, event by event.
fn rings(policy: &Policy, host: &Host, worker: &Worker, events: &[Event]) -> Vec<u32> {
    let rung = |event: &Event| {
        let before = host.rings.get();
        let _ = worker.record(policy, host, *event, NOW);
        host.rings.get() - before
    };
    events.iter().map(rung).collect()
}

#[test]
fn the_first_error_and_the_ejection_ring_and_the_errors_between_do_not() {
    let policy = policy(&document());
    let (one, _, host) = two(&policy);
    assert_eq!(rings(&policy, &host, &one, &[failure(&policy); 7]), [1, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn a_success_does_not_ring_whether_it_ends_a_row_or_not() {
    let policy = policy(&document());
    let (one, _, host) = two(&policy);
    let events = [success(&policy), failure(&policy), success(&policy), failure(&policy), success(&policy)];
    assert_eq!(rings(&policy, &host, &one, &events), [0, 1, 0, 0, 0]);
}

#[test]
fn a_token_a_readmission_and_the_end_of_a_ramp_ring() {
    let policy = policy(&document());
    let (one, other, host) = two(&policy);
    let _ = rings(&policy, &host, &one, &[failure(&policy); 5]);
    let later = NOW.plus(Duration::from_secs(31));
    let lines = get(&[]);
    let before = host.rings.get();
    let _ = one.decide(&policy, &host, &RequestFacts::new(&lines), later, || 0);
    let token = host.rings.get();
    let _ = one.record(&policy, &host, Event { probe: true, ..success(&policy) }, later);
    let readmitted = host.rings.get();
    let _ = other.tick(&policy, &host, later.plus(policy.health().warmup.ramp.duration()));
    assert_eq!((token - before, readmitted - token, host.rings.get() - readmitted), (1, 1, 1));
}

#[test]
fn a_worker_that_was_rung_is_not_calm_and_needs_no_tick() {
    let policy = policy(&document());
    let (one, other, host) = two(&policy);
    let _ = rings(&policy, &host, &one, &[failure(&policy); 5]);
    let before = other.is_calm(&policy);
    other.heard(&host);
    assert!(before && !other.is_calm(&policy));
}

#[test]
fn a_success_of_a_worker_that_was_rung_ends_the_row_of_another_without_a_tick() {
    let policy = policy(&document());
    let (one, other, host) = two(&policy);
    let _ = rings(&policy, &host, &one, &[failure(&policy); 4]);
    other.heard(&host);
    let _ = other.record(&policy, &host, success(&policy), NOW);
    assert!(!is_ejected(&one.record(&policy, &host, failure(&policy), NOW)));
}

#[test]
fn a_store_that_fails_rings_nobody() {
    let policy = policy(&document());
    let (one, _, host) = two(&policy);
    host.broken.set(true);
    assert_eq!(rings(&policy, &host, &one, &[failure(&policy); 5]), [0; 5]);
}

#[cfg(not(target_arch = "wasm32"))]
proptest::proptest! {
    /// A step is (worker, what it does): it fails, succeeds, is rung though nothing may have happened, or ticks.
    #[test]
    fn rings_that_are_lost_late_doubled_or_mixed_up_leave_no_two_views_after_a_tick(
        steps in proptest::collection::vec((0_usize..4, 0_u8..6), 0..200),
        heard in proptest::collection::vec(0_usize..4, 0..8),
    ) {
        let policy = policy(&document());
        let host = Host::default();
        let workers: Vec<Worker> = (0..4).map(|_| Worker::new(&policy, &host, NOW)).collect();
        for (at, (number, step)) in steps.into_iter().enumerate() {
            let now = NOW.plus(Duration::from_millis(at as u64 * 40));
            let worker = &workers[number];
            match step {
                0..=2 => drop(worker.record(&policy, &host, failure(&policy), now)),
                3 => drop(worker.record(&policy, &host, success(&policy), now)),
                4 => worker.heard(&host),
                _ => drop(worker.tick(&policy, &host, now)),
            }
        }
        heard.into_iter().for_each(|number| workers[number].heard(&host));
        let end = NOW.plus(Duration::from_secs(9));
        workers.iter().for_each(|worker| drop(worker.tick(&policy, &host, end)));
        // The last tick may have forgotten something that the first ones knew of still.
        workers.iter().for_each(|worker| worker.heard(&host));
        let first = workers[0].health().clone();
        proptest::prop_assert!(workers.iter().all(|worker| *worker.health() == first));
    }
}
