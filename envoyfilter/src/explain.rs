//! What would happen to a request, and why: the filter's own code, asked from the command line.
//!
//! Nothing is decided here. The request goes through the very function that runs in Envoy, and what it says is put into words. Only a
//! rule's `distribute` needs more: its decision hangs on a random number, so every number is tried. The answer is what they have in common,
//! and the shares of what they have not; where one story has to be told, it is that of the most requests.

use crate::render::fences_a_path;
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
    /// Shares in percent by reason, where the same request may be decided for several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<&'static str, u8>,
    /// The share in percent that is refused, where the others are served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<u8>,
    /// Whether the native table shares such requests out by weight.
    #[serde(skip)]
    pub weighted: bool,
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
    let headers = request.matched(fences_a_path(policy));
    let facts = RequestFacts::new(&headers).with_claims(request);
    let host = policy.virtual_host(facts.authority())?;
    let mut health = Health::default();
    for region in ejected {
        let until = now.plus(Duration::from_secs(30));
        health.eject(CellKey { service: host.service, region: *region }, until);
    }
    let first = decide(policy, &health, &facts, now, 0)?;
    let splits = policy.rule(first.rule).is_some_and(|rule| rule.split().is_some());
    let numbers = if splits || policy.is_drilling(now) { 0..100 } else { 0..1 };
    // `distribute` looks at the last two digits of the number, a drill at the two before them: each pair comes once, in no step.
    let numbers = numbers.map(|number| number * 37 % 100 * 100 + number);
    let decisions: Vec<_> = numbers.filter_map(|random| decide(policy, &health, &facts, now, random)).collect();
    let most = most_common(&decisions).unwrap_or(first);
    Some(Case { policy, health: &health, now, most, decisions }.describe())
}

/// One request with every decision that could be made for it.
struct Case<'a> {
    policy: &'a Policy,
    health: &'a Health,
    now: Timestamp,
    /// The one that most such requests get.
    most: Decision,
    decisions: Vec<Decision>,
}

/// The decision that most numbers lead to; of several, the first.
fn most_common(decisions: &[Decision]) -> Option<Decision> {
    let mut times: Vec<(Decision, usize)> = Vec::new();
    for decision in decisions {
        match times.iter_mut().find(|(one, _)| one == decision) {
            Some((_, count)) => *count += 1,
            None => times.push((*decision, 1)),
        }
    }
    times.into_iter().rev().max_by_key(|(_, count)| *count).map(|(decision, _)| decision)
}

impl Case<'_> {
    fn describe(&self) -> Explanation {
        let (policy, most) = (self.policy, &self.most);
        let name = |region| policy.region_name(region).to_owned();
        let plan_name = |plan| policy.plan_name(plan).map(str::to_owned);
        let (split, refused) = self.split();
        let one = split.is_empty();
        let (plan, status) = match most.verdict {
            Verdict::Route { plan, .. } if self.is_one_plan() => (plan_name(plan), None),
            Verdict::Route { .. } | Verdict::Split { .. } => (None, None),
            Verdict::Refuse { status, .. } => (None, Some(status).filter(|_| one)),
        };
        // A wish that is refused as such considered nobody.
        let considered = status.is_none() || most.reason() == Reason::Exhausted;
        let skipped = self
            .ordered()
            .into_iter()
            .take_while(|(_, availability)| considered && *availability != Availability::Usable);
        Explanation {
            asked: match most.asked {
                Asked::Nothing => None,
                Asked::Region(region) => Some(name(region)),
                Asked::Unknown => Some("unknown".to_owned()),
            },
            want: name(most.want),
            chosen: most.chosen().filter(|_| one).map(name),
            plan,
            native: most.native.and_then(plan_name),
            reason: most.reason().as_str(),
            reasons: self.reasons(),
            refused,
            weighted: self.decisions.len() > 1,
            rule: policy.rule(most.rule).map(|rule| rule.name.clone()).unwrap_or_default(),
            status,
            skipped: skipped
                .map(|(region, availability)| Candidate { region: name(region), why: unusable(availability) })
                .collect(),
            candidates: self.candidates(&split),
            split,
        }
    }

    /// Shares by region and the share that is refused, if more than one thing may happen.
    fn split(&self) -> (BTreeMap<String, u8>, Option<u8>) {
        let name = |region: RegionId| self.policy.region_name(region).to_owned();
        let (mut shares, mut refused, mut native) = (BTreeMap::new(), 0, false);
        for decision in &self.decisions {
            match decision.verdict {
                Verdict::Split { .. } => {
                    native = true;
                    *shares.entry(name(decision.want)).or_insert(0) += 1;
                }
                Verdict::Route { plan, .. } => *shares.entry(name(plan.first)).or_insert(0) += 1,
                Verdict::Refuse { .. } => refused += 1,
            }
        }
        let refused = Some(refused).filter(|refused| *refused > 0 && !shares.is_empty());
        if shares.len() > 1 || refused.is_some() || native { (shares, refused) } else { (BTreeMap::new(), None) }
    }

    fn is_one_plan(&self) -> bool {
        self.decisions.iter().all(|decision| match (decision.verdict, self.most.verdict) {
            (Verdict::Route { plan, .. }, Verdict::Route { plan: most, .. }) => plan == most,
            _ => false,
        })
    }

    /// Shares by reason, if there is more than one.
    fn reasons(&self) -> BTreeMap<&'static str, u8> {
        let mut reasons = BTreeMap::new();
        for decision in &self.decisions {
            *reasons.entry(decision.reason().as_str()).or_insert(0) += 1;
        }
        if reasons.len() > 1 { reasons } else { BTreeMap::new() }
    }

    /// The regions the request may be served in, in order.
    fn ordered(&self) -> Vec<(RegionId, Availability)> {
        let order = candidates(self.policy, self.health, &self.most, self.now);
        order.map(|candidate| (candidate.region, candidate.availability)).collect()
    }

    fn candidates(&self, split: &BTreeMap<String, u8>) -> Vec<Candidate> {
        let policy = self.policy;
        let chosen = self.most.chosen().filter(|_| split.is_empty());
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
            Availability::Ramping(percent) => format!("chosen: coming back, and this request is in its {percent} %"),
            Availability::Ejected(_) | Availability::HalfOpenBusy | Availability::Drilled => {
                format!("chosen although {}, because nothing else is left", unusable(availability))
            }
        }
    }

    fn why_outside(&self) -> String {
        let fenced = self.policy.rule(self.most.rule).is_some_and(|rule| rule.fenced);
        if fenced { "outside the fence of the rule".to_owned() } else { "not in the failover of the rule".to_owned() }
    }
}

fn unusable(availability: Availability) -> String {
    match availability {
        Availability::Usable => "usable".to_owned(),
        Availability::Ejected(left) => format!("ejected for {} s", left.as_secs()),
        Availability::HalfOpen => "half-open".to_owned(),
        Availability::Drilled => "taken away by a drill".to_owned(),
        Availability::Ramping(percent) => format!("coming back, with {percent} % of its requests"),
        Availability::HalfOpenBusy => "half-open, and another request is trying it".to_owned(),
    }
}
