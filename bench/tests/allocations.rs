//! The hot path allocates nothing: counted, so that it can gate on any machine.

use bench::{NOW, document, ejected, policy, request};
use meridian_core::decide::decide;
use meridian_core::health::Health;
use meridian_core::request::RequestFacts;

/// Allocations of one decision for a policy of this size; `None` if there was no decision to count for.
fn allocations(regions: usize, hosts: usize, region: Option<&str>, lost: bool) -> Option<u64> {
    let policy = policy(&document(regions, hosts)).ok()?;
    let health = if lost { ejected(&policy, hosts) } else { Health::default() };
    let headers = request(hosts, region);
    let mut decision = None;
    let counted = allocation_counter::measure(|| {
        decision = decide(&policy, &health, &RequestFacts::new(&headers), NOW, 0);
    });
    decision.map(|_| counted.count_total)
}

#[test]
fn a_healthy_decision_allocates_nothing() {
    assert_eq!(allocations(2, 1, None, false), Some(0));
    assert_eq!(allocations(1_000, 1_000, Some("alias-3"), false), Some(0));
}

#[test]
fn a_failover_allocates_nothing() {
    assert_eq!(allocations(2, 1, None, true), Some(0));
    assert_eq!(allocations(1_000, 1_000, Some("alias-0"), true), Some(0));
}

#[test]
fn a_header_of_64_kib_allocates_nothing() {
    assert_eq!(allocations(2, 1, Some(&"r".repeat(65_536)), false), Some(0));
}
