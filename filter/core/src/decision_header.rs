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

/// As long as a header is, with one region skipped and names as they are: no growing, which copies.
const LENGTH: usize = 224;

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
    let mut text = String::with_capacity(LENGTH);
    if let Asked::Region(region) = record.asked {
        member(&mut text, "asked", policy.region_name(region));
    }
    if let Some(region) = record.chosen {
        member(&mut text, "chosen", policy.region_name(region));
    }
    member(&mut text, "reason", record.reason.as_str());
    skipped(&mut text, policy, record, candidates);
    member(&mut text, "rule", record.rule);
    text.push_str(", rev=\"");
    for shift in [12, 8, 4, 0] {
        text.push(char::from_digit(u32::from(policy.revision() >> shift & 0xf), 16).unwrap_or_default());
    }
    text.push('"');
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
    let (before, mut separator) = (text.len(), ", skipped=(");
    for candidate in candidates.take_while(|candidate| Some(candidate.region) != until).take(8) {
        let (why, number) = match candidate.availability {
            Availability::Ejected(left) => (";ejected=", Some(left.as_secs())),
            Availability::HalfOpen | Availability::HalfOpenBusy => (";half_open", None),
            Availability::Drilled => (";drill", None),
            Availability::Ramping(percent) => (";ramping=", Some(percent.into())),
            Availability::Usable => ("", None),
        };
        for part in [separator, "\"", policy.region_name(candidate.region), "\"", why] {
            text.push_str(part);
        }
        if let Some(number) = number {
            push_number(text, number);
        }
        separator = " ";
    }
    if text.len() > before {
        text.push(')');
    }
}

/// A name that begins with a letter is a token, and another one a string. What neither can hold, in a name that is not the policy's
/// own, is a star.
fn member(text: &mut String, key: &str, value: &str) {
    let plain = |byte: u8| PLAIN.get(usize::from(byte)) == Some(&true);
    let is_token = value.starts_with(|first: char| first.is_ascii_alphabetic());
    let quote = if is_token { "" } else { "\"" };
    for part in [if text.is_empty() { "" } else { ", " }, key, "=", quote] {
        text.push_str(part);
    }
    if value.bytes().all(plain) {
        text.push_str(value);
    } else {
        text.extend(value.bytes().map(|byte| if plain(byte) { char::from(byte) } else { '*' }));
    }
    text.push_str(quote);
}

/// The bytes that a token and a string may hold alike, as a table: each byte of each header goes through it.
#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and would say so")]
const PLAIN: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], 0);
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-' | b'_' | b'.');
        byte += 1;
    }
    table
};

/// In decimal.
fn push_number(text: &mut String, number: u64) {
    if number > 9 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

#[cfg(test)]
mod tests;
