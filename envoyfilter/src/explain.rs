//! What would happen to a request, and why: the filter's own code, asked from the command line.
//!
//! Nothing is decided here. The request goes through the very function that runs in Envoy, and what it says is put into words. Only a
//! rule's `distribute` needs more: its decision hangs on a random number, so every number is tried and the answer is the shares.

use crate::request_line::RequestLine;
use meridian_core::decide::{Decision, Reason, Verdict, candidates, decide};
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
    /// Where it goes; `null` for a refusal, and where it is one of several by weight.
    pub chosen: Option<String>,
    /// The plan it is sent to.
    pub plan: Option<String>,
    /// The plan the native table chooses by itself; `null` where that depends on weights or on Envoy's version.
    pub native: Option<String>,
    /// Why.
    pub reason: &'static str,
    /// The rule that decided.
    pub rule: String,
    /// Shares in percent by region, where it is one of several by weight.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub split: BTreeMap<String, u8>,
    /// The status of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Regions that stood before the chosen one.
    pub skipped: Vec<Candidate>,
    /// Every region: those the request may be served in, in order, then the others.
    pub candidates: Vec<Candidate>,
}

/// A region, and why it is chosen or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The region.
    pub region: String,
    /// Why, or why not.
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
    let first = decide(policy, &health, &facts, now, 0)?;
    let splits = policy.rule(first.rule).is_some_and(|rule| rule.split().is_some());
    let numbers = if splits { 0..100 } else { 0..1 };
    let decisions = numbers.filter_map(|random| decide(policy, &health, &facts, now, random)).collect();
    Some(Case { policy, health: &health, now, first, decisions }.describe())
}

/// One request with every decision that could be made for it.
struct Case<'a> {
    policy: &'a Policy,
    health: &'a Health,
    now: Timestamp,
    first: Decision,
    decisions: Vec<Decision>,
}

impl Case<'_> {
    fn describe(&self) -> Explanation {
        let (policy, first) = (self.policy, &self.first);
        let name = |region| policy.region_name(region).to_owned();
        let plan_name = |plan| policy.plan_name(plan).map(str::to_owned);
        let split = self.split();
        let one = split.is_empty();
        let (plan, status) = match first.verdict {
            Verdict::Route { plan, .. } if one => (plan_name(plan), None),
            Verdict::Route { .. } | Verdict::Split { .. } => (None, None),
            Verdict::Refuse { status, .. } => (None, Some(status).filter(|_| one)),
        };
        // With weights, the reason of those that went where the weights said.
        let by_weight = self.decisions.iter().find(|decision| !one && decision.chosen() == Some(decision.want));
        // A wish that is refused as such considered nobody.
        let considered = status.is_none() || first.reason() == Reason::Exhausted;
        let skipped = self
            .ordered()
            .into_iter()
            .take_while(|(_, availability)| considered && *availability != Availability::Usable);
        Explanation {
            asked: match first.asked {
                Asked::Nothing => None,
                Asked::Region(region) => Some(name(region)),
                Asked::Unknown => Some("unknown".to_owned()),
            },
            want: name(first.want),
            chosen: first.chosen().filter(|_| one).map(name),
            plan,
            native: first.native.and_then(plan_name),
            reason: by_weight.unwrap_or(first).reason().as_str(),
            rule: policy.rule(first.rule).map(|rule| rule.name.clone()).unwrap_or_default(),
            status,
            skipped: skipped
                .map(|(region, availability)| Candidate { region: name(region), why: unusable(availability) })
                .collect(),
            candidates: self.candidates(&split),
            split,
        }
    }

    /// Shares by region, if more than one could be chosen.
    fn split(&self) -> BTreeMap<String, u8> {
        let name = |region: RegionId| self.policy.region_name(region).to_owned();
        let mut shares = BTreeMap::new();
        for decision in &self.decisions {
            if let Verdict::Split { .. } = decision.verdict {
                let split = self.policy.rule(decision.rule).and_then(|rule| rule.split());
                let shares = split.into_iter().flat_map(|split| split.shares());
                return shares.map(|(region, percent)| (name(*region), *percent)).collect();
            }
            if let Some(region) = decision.chosen() {
                *shares.entry(name(region)).or_insert(0) += 1;
            }
        }
        if shares.len() > 1 { shares } else { BTreeMap::new() }
    }

    /// The regions the request may be served in, in order.
    fn ordered(&self) -> Vec<(RegionId, Availability)> {
        let order = candidates(self.policy, self.health, &self.first, self.now);
        order.map(|candidate| (candidate.region, candidate.availability)).collect()
    }

    fn candidates(&self, split: &BTreeMap<String, u8>) -> Vec<Candidate> {
        let policy = self.policy;
        let chosen = self.first.chosen().filter(|_| split.is_empty());
        let mut listed = vec![false; policy.regions().len()];
        let mut found = Vec::with_capacity(listed.len());
        for (region, availability) in self.ordered() {
            if let Some(seen) = listed.get_mut(region.index()) {
                *seen = true;
            }
            let name = policy.region_name(region);
            let why = match (split.get(name), chosen) {
                (Some(percent), _) => format!("chosen for {percent} % of such requests"),
                (None, Some(chosen)) if chosen == region => self.why_chosen(availability),
                (None, Some(chosen)) if availability == Availability::Usable => {
                    format!("usable, but {} comes first", policy.region_name(chosen))
                }
                (None, _) if availability == Availability::Usable => "usable, but not asked".to_owned(),
                (None, _) => unusable(availability),
            };
            found.push(Candidate { region: name.to_owned(), why });
        }
        let rest = policy.regions().iter().zip(&listed).filter(|(_, listed)| !**listed);
        found.extend(rest.map(|(region, _)| Candidate { region: region.name.clone(), why: self.why_outside() }));
        found
    }

    fn why_chosen(&self, availability: Availability) -> String {
        match availability {
            Availability::Usable => "chosen".to_owned(),
            Availability::HalfOpen => "chosen: half-open, and this request tries it".to_owned(),
            Availability::Ejected(_) | Availability::HalfOpenBusy => {
                format!("chosen although {}, because nothing else is left", unusable(availability))
            }
        }
    }

    fn why_outside(&self) -> String {
        let fenced = self.policy.rule(self.first.rule).is_some_and(|rule| rule.fenced);
        if fenced { "outside the fence of the rule".to_owned() } else { "not in the failover of the rule".to_owned() }
    }
}

fn unusable(availability: Availability) -> String {
    match availability {
        Availability::Usable => "usable".to_owned(),
        Availability::Ejected(left) => format!("ejected for {} s", left.as_secs()),
        Availability::HalfOpen => "half-open".to_owned(),
        Availability::HalfOpenBusy => "half-open, and another request is trying it".to_owned(),
    }
}
