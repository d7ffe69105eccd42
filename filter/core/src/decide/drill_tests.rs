//! Drilled requests.

use super::*;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;
use crate::testing::{NOW, document, get, policy};
use serde_json::{Value, json};
use std::time::Duration;

/// A drill of eu-west-1 for 30 % of the page's requests, around [`NOW`] (1970-01-01T00:16:40Z).
fn drilled(rules: Value) -> Policy {
    let mut document = document();
    document["rules"] = rules;
    document["drills"] = json!([{
        "name": "q4", "region": "eu-west-1", "services": ["page"], "percent": 30,
        "from": "1970-01-01T00:16:00Z", "until": "1970-01-01T00:17:00Z",
    }]);
    policy(&document)
}

fn ask(policy: &Policy, now: Timestamp, random: u32) -> Decision {
    let headers = get(&[("region", "eu")]);
    decide(policy, &Health::default(), &RequestFacts::new(&headers), now, random).unwrap()
}

/// What the drilled part of the numbers gets.
fn plan(policy: &Policy, random: u32) -> (Option<String>, Reason) {
    let decision = ask(policy, NOW, random);
    (decision.write().and_then(|plan| policy.plan_name(plan)).map(str::to_owned), decision.reason())
}

#[test]
fn a_drilled_request_takes_a_plan_of_one_region() {
    let policy = drilled(json!([]));
    assert_eq!(plan(&policy, 0), (Some("only-us-east-1".to_owned()), Reason::Drill));
}

#[test]
fn the_others_go_where_they_would_have_gone() {
    let policy = drilled(json!([]));
    assert_eq!(plan(&policy, 3_000), (None, Reason::Asked));
}

#[test]
fn as_many_are_drilled_as_the_drill_says() {
    let policy = drilled(json!([]));
    let drilled = (0..10_000).filter(|random| ask(&policy, NOW, *random).reason() == Reason::Drill);
    assert_eq!(drilled.count(), 3_000);
}

#[test]
fn a_drill_begins_and_ends_in_time() {
    let policy = drilled(json!([]));
    let second = Duration::from_secs(1);
    for (now, reason) in [
        (Timestamp(959_999), Reason::Asked),
        (Timestamp(960_000), Reason::Drill),
        (Timestamp(1_019_999), Reason::Drill),
        (Timestamp(1_020_000), Reason::Asked),
    ] {
        assert_eq!(ask(&policy, now, 0).reason(), reason, "{now:?}");
    }
    assert!(!policy.is_drilling(Timestamp(1_020_000).plus(second)));
}

#[test]
fn a_drill_leads_nobody_out_of_a_fence() {
    let policy = drilled(json!([{"name": "residents", "fence": "eu"}]));
    assert_eq!(plan(&policy, 0).0.as_deref(), Some("only-eu-central-1"));
}

#[test]
fn where_the_fence_has_nothing_else_the_rule_says_what_becomes_of_a_drilled_request() {
    let only = json!([{"name": "a", "failover": [{"from": "eu-west-1", "to": []}], "whenExhausted": "fail"}]);
    assert_eq!(ask(&drilled(only), NOW, 0).verdict, Verdict::Refuse { status: 503, reason: Reason::Exhausted });
}

#[test]
fn another_service_does_not_notice() {
    let policy = drilled(json!([]));
    let headers = vec![(":method", "GET"), (":authority", "a.data.example.com"), (":path", "/"), ("region", "eu")];
    let decision = decide(&policy, &Health::default(), &RequestFacts::new(&headers), NOW, 0).unwrap();
    assert_eq!((decision.reason(), decision.write()), (Reason::Asked, None));
}

#[test]
fn requests_that_are_shared_out_leave_the_native_weights_only_when_they_are_drilled() {
    let shared = json!([{"name": "a", "distribute": {"eu-west-1": 50, "us-east-1": 50}}]);
    let policy = drilled(shared);
    let headers = get(&[]);
    let decision = |random| decide(&policy, &Health::default(), &RequestFacts::new(&headers), NOW, random).unwrap();
    assert_eq!(decision(3_000).verdict, Verdict::Split { reason: Reason::Weighted });
    for random in 0..3_000 {
        let chosen = decision(random).chosen().map(|region| policy.region_name(region));
        assert!(matches!(chosen, Some("us-east-1" | "eu-central-1")), "{random}: {chosen:?}");
    }
}
