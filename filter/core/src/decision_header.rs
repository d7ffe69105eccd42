//! `x-region-decision`: a decision as an RFC 9651 dictionary.
//!
//! E.g. `asked=eu-west-1, chosen=eu-central-1, reason=failover, skipped=("eu-west-1";ejected=12), rule=eu-residents, rev="3f9a"`. A
//! token must begin with a letter (RFC 9651 §3.3.4), so a revision is a string, and so is a name that begins with a digit. It is
//! written only for requests that did not simply go where the native table sends them, so formatting is off the hot path.

use crate::decide::{Candidate, Reason};
use crate::health::Availability;
use crate::ids::RegionId;
use crate::judge::Delivery;
use crate::policy::{Asked, Policy};
use std::fmt::Write;

/// What the header tells.
#[derive(Clone, Copy, Debug)]
pub struct DecisionRecord<'a> {
    /// What was asked.
    pub asked: Asked,
    /// The chosen region; `None` for a refusal.
    pub chosen: Option<RegionId>,
    /// Why.
    pub reason: Reason,
    /// The rule's name.
    pub rule: &'a str,
}

/// The header's value, without how the request was delivered.
#[must_use]
pub fn decision_header(
    policy: &Policy,
    record: &DecisionRecord<'_>,
    candidates: impl Iterator<Item = Candidate>,
) -> String {
    let mut text = String::with_capacity(128);
    if let Asked::Region(region) = record.asked {
        member(&mut text, "asked", policy.region_name(region));
    }
    if let Some(region) = record.chosen {
        member(&mut text, "chosen", policy.region_name(region));
    }
    member(&mut text, "reason", record.reason.as_str());
    skipped(&mut text, policy, record, candidates);
    member(&mut text, "rule", record.rule);
    let _ = write!(text, ", rev=\"{:04x}\"", policy.revision());
    text
}

/// Adds how the request was delivered to a header's value.
pub fn add_delivery(text: &mut String, delivery: Delivery) {
    member(text, "outcome", delivery.as_str());
}

/// The regions that stood before the chosen one; all of them where none was chosen or every one was ejected.
fn skipped(
    text: &mut String,
    policy: &Policy,
    record: &DecisionRecord<'_>,
    candidates: impl Iterator<Item = Candidate>,
) {
    // A refusal that has nothing to do with health considered nobody.
    if record.chosen.is_none() && record.reason != Reason::Exhausted {
        return;
    }
    let until = record.chosen.filter(|_| record.reason != Reason::Exhausted);
    let mut list = String::new();
    for candidate in candidates.take_while(|candidate| Some(candidate.region) != until).take(8) {
        let separator = if list.is_empty() { "" } else { " " };
        let name = policy.region_name(candidate.region);
        let _ = match candidate.availability {
            Availability::Ejected(left) => write!(list, "{separator}\"{name}\";ejected={}", left.as_secs()),
            Availability::HalfOpen | Availability::HalfOpenBusy => write!(list, "{separator}\"{name}\";half_open"),
            Availability::Drilled => write!(list, "{separator}\"{name}\";drill"),
            Availability::Ramping(percent) => write!(list, "{separator}\"{name}\";ramping={percent}"),
            Availability::Usable => write!(list, "{separator}\"{name}\""),
        };
    }
    if !list.is_empty() {
        let _ = write!(text, ", skipped=({list})");
    }
}

fn member(text: &mut String, key: &str, value: &str) {
    let separator = if text.is_empty() { "" } else { ", " };
    let is_token = value.starts_with(|first: char| first.is_ascii_alphabetic());
    let quote = if is_token { "" } else { "\"" };
    let _ = write!(text, "{separator}{key}={quote}{value}{quote}");
}

#[cfg(test)]
mod tests {
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
}
