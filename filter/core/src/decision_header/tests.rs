use super::*;
use crate::decide::candidates;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;
use crate::testing::{NOW, decided, ejected, get, policy, with_rules};
use serde_json::json;

#[test]
fn a_failover_tells_what_was_asked_what_was_skipped_and_by_which_rule() {
    let policy = policy(&with_rules(json!([{"name": "residents", "fence": "eu"}])));
    let health = ejected(&policy, &["eu-west-1"]);
    let decision = decided(&policy, &health, &get(&[("region", "eu")]));
    let record = DecisionRecord {
        asked: decision.asked,
        chosen: decision.chosen(),
        reason: decision.reason(),
        rule: "residents",
    };
    let mut text = decision_header(&policy, &record, candidates(&policy, &health, &decision, NOW));
    add_delivery(&mut text, Delivery::Served);
    let expected = format!(
        "asked=eu-west-1, chosen=eu-central-1, reason=failover, skipped=(\"eu-west-1\";ejected=12), \
         rule=residents, rev=\"{:04x}\", outcome=served",
        policy.revision()
    );
    assert_eq!(text, expected);
}

#[test]
fn a_refusal_that_has_nothing_to_do_with_health_skips_nobody() {
    let policy = policy(&with_rules(json!([{"name": "strict", "onUnknownRegion": "reject"}])));
    let health = ejected(&policy, &["eu-west-1"]);
    let decision = decided(&policy, &health, &get(&[("region", "mars")]));
    let record = DecisionRecord { asked: decision.asked, chosen: None, reason: decision.reason(), rule: "strict" };
    let text = decision_header(&policy, &record, candidates(&policy, &health, &decision, NOW));
    assert!(!text.contains("skipped"), "{text}");
}

#[test]
fn a_name_that_begins_with_a_digit_is_a_string() {
    let mut text = String::new();
    member(&mut text, "chosen", "1-region");
    assert_eq!(text, "chosen=\"1-region\"");
}

#[test]
fn a_name_that_is_nobodys_of_the_policy_breaks_nothing() {
    let mut text = String::new();
    member(&mut text, "rule", "a\"b\\c, é");
    assert_eq!(text, "rule=a*b*c****");
}

#[cfg(not(target_arch = "wasm32"))]
mod properties;
