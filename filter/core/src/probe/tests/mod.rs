//! Who asks, when, and what an answer says.

mod lease;
mod schedule;

use super::*;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;
use crate::testing::{Host, NOW, document, policy};
use serde_json::json;

/// Three regions of one service, asked every three seconds.
fn asked() -> Policy {
    let mut document = document();
    document["services"][0]["probe"] = json!({"path": "/healthz"});
    document["activeHealthCheck"] = json!({"expectedStatuses": [200, 204]});
    policy(&document)
}

fn later(millis: u64) -> Timestamp {
    NOW.plus(Duration::from_millis(millis))
}

fn answered(status: u16, tag: Option<&str>) -> ProbeResult {
    let policy = asked();
    let tagged = tag.and_then(|tag| policy.region_tagged(tag.as_bytes()));
    let facts = ResponseFacts { status, grpc_status: None, attempts: 1, tagged };
    result(&policy, &policy.probes()[0], Some(&facts))
}

#[test]
fn an_expected_status_passes_signed_or_not() {
    assert_eq!(answered(200, Some("EAST")), ProbeResult::Passed);
    assert_eq!(answered(204, None), ProbeResult::Passed);
}

#[test]
fn another_status_is_the_services_if_it_is_signed_and_nobodys_if_not() {
    assert_eq!(answered(503, Some("EAST")), ProbeResult::Failed);
    assert_eq!(answered(404, Some("EAST")), ProbeResult::Failed);
    assert_eq!(answered(503, None), ProbeResult::Unreachable);
    assert_eq!(answered(503, Some("somebody")), ProbeResult::Unreachable);
}

#[test]
fn an_answer_that_another_region_signed_says_that_this_one_was_not_reached() {
    assert_eq!(answered(200, Some("WEST")), ProbeResult::Unreachable);
}

#[test]
fn no_answer_at_all_is_nobodys() {
    let policy = asked();
    assert_eq!(result(&policy, &policy.probes()[0], None), ProbeResult::Unreachable);
}

#[test]
fn a_grpc_status_that_is_an_error_is_no_pass() {
    let policy = asked();
    let tagged = policy.region_tagged(b"EAST");
    let facts = ResponseFacts { status: 200, grpc_status: Some(14), attempts: 1, tagged };
    assert_eq!(result(&policy, &policy.probes()[0], Some(&facts)), ProbeResult::Failed);
}

#[test]
fn a_worker_asks_each_region_once_in_an_interval() {
    let (policy, host) = (asked(), Host::default());
    let mut worker = Prober::new(&policy, NOW);
    let mut sent = Vec::new();
    for tick in 0..24 {
        sent.extend(worker.tick(&policy, &host, later(tick * 250)));
    }
    assert_eq!(sent, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn of_four_workers_one_asks() {
    let (policy, host) = (asked(), Host::default());
    let mut workers = [0, 1, 2, 3].map(|_| Prober::new(&policy, NOW));
    let mut asking = std::collections::BTreeSet::new();
    for tick in 0..100 {
        for (index, worker) in workers.iter_mut().enumerate() {
            if !worker.tick(&policy, &host, later(tick * 250)).is_empty() {
                asking.insert(index);
            }
        }
    }
    assert_eq!(asking.len(), 1);
}

#[test]
fn a_policy_without_probes_costs_the_store_nothing() {
    let (policy, host) = (policy(&document()), Host::default());
    assert!(Prober::new(&policy, NOW).tick(&policy, &host, NOW).is_empty());
    assert!(host.value.borrow().is_none());
}
