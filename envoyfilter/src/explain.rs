//! What would happen to a request, and why: the filter's own code, asked from the command line.

use crate::request_line::RequestLine;
use meridian_core::decide::{Candidate, Decision, Verdict, candidates, decide};
use meridian_core::health::{Availability, CellKey, Health};
use meridian_core::request::RequestFacts;
use meridian_core::{Asked, Policy, RegionId, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// The answer, in the words of the decision header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The region asked for; `null` if none, `"unknown"` if there is no such region.
    pub asked: Option<String>,
    /// Where the request should go when all is well.
    pub want: String,
    /// Where it goes; `null` for a refusal, and where the native weights choose.
    pub chosen: Option<String>,
    /// The plan it is sent to.
    pub plan: Option<String>,
    /// The plan the native table chooses by itself; `null` where that depends on Envoy's version.
    pub native: Option<String>,
    /// Why.
    pub reason: &'static str,
    /// The rule that decided.
    pub rule: String,
    /// Shares in percent by region, where the native weights choose.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub split: BTreeMap<String, u8>,
    /// The status of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Regions that stood before the chosen one.
    pub skipped: Vec<Skipped>,
}

/// A region that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The region.
    pub region: String,
    /// Why not.
    pub why: String,
}

impl Explanation {
    /// Whether the request is answered by the filter itself.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.status.is_some()
    }
}

/// Explains a request with these regions ejected. `None`: the policy says nothing about its host.
#[must_use]
pub fn explain(policy: &Policy, request: &RequestLine, ejected: &[RegionId], now: Timestamp) -> Option<Explanation> {
    let facts = RequestFacts::new(&request.headers);
    let host = policy.virtual_host(facts.authority())?;
    let mut health = Health::default();
    for region in ejected {
        let until = now.plus(Duration::from_secs(30));
        health.eject(CellKey { service: host.service, region: *region }, until);
    }
    let decision = decide(policy, &health, &facts, now, 0)?;
    Some(describe(policy, &health, &decision, now))
}

fn describe(policy: &Policy, health: &Health, decision: &Decision, now: Timestamp) -> Explanation {
    let name = |region| policy.region_name(region).to_owned();
    let plan_name = |plan| policy.plan_name(plan).map(str::to_owned);
    let (plan, status) = match decision.verdict {
        Verdict::Route { plan, .. } => (plan_name(plan), None),
        Verdict::Split { .. } => (None, None),
        Verdict::Refuse { status, .. } => (None, Some(status)),
    };
    let usable = |candidate: &Candidate| candidate.availability == Availability::Usable;
    let skipped = candidates(policy, health, decision, now)
        .take_while(|candidate| !usable(candidate))
        .map(|candidate| Skipped { region: name(candidate.region), why: why(candidate.availability) })
        .collect();
    Explanation {
        asked: match decision.asked {
            Asked::Nothing => None,
            Asked::Region(region) => Some(name(region)),
            Asked::Unknown => Some("unknown".to_owned()),
        },
        want: name(decision.want),
        chosen: decision.chosen().map(name),
        plan,
        native: decision.native.and_then(plan_name),
        reason: decision.reason().as_str(),
        rule: policy.rule(decision.rule).map(|rule| rule.name.clone()).unwrap_or_default(),
        split: match decision.verdict {
            Verdict::Split { .. } => split(policy, decision),
            Verdict::Route { .. } | Verdict::Refuse { .. } => BTreeMap::new(),
        },
        status,
        skipped,
    }
}

fn split(policy: &Policy, decision: &Decision) -> BTreeMap<String, u8> {
    let split = policy.rule(decision.rule).and_then(|rule| rule.split());
    let shares = split.into_iter().flat_map(|split| split.shares());
    shares.map(|(region, percent)| (policy.region_name(*region).to_owned(), *percent)).collect()
}

fn why(availability: Availability) -> String {
    match availability {
        Availability::Usable => "usable".to_owned(),
        Availability::Ejected(left) => format!("ejected for {} s", left.as_secs()),
        Availability::HalfOpen => "half-open".to_owned(),
        Availability::HalfOpenBusy => "half-open, and another request is trying it".to_owned(),
    }
}
