//! What a response teaches: who served it, who is charged for what, and whether it went as decided.
//!
//! Facts are cheap or dear. Three of them come for free with the response headers: the status, the serving side's tag and Envoy's
//! attempt count. Only when those say that something is off ([`is_plain`] is false) does the caller ask the host for the rest, and
//! [`judge`] never needs it otherwise. A failed attempt that Envoy rescued is invisible but for the count, so the wanted region is
//! charged for it and nobody else: with several candidates anything more would be a guess.

use crate::decide::{Decision, Verdict};
use crate::health::{CellKey, Event, Outcome};
use crate::ids::{RegionId, ServiceId};
use crate::plan::Plan;
use crate::policy::Policy;

/// What the response headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseFacts {
    /// `:status`; 0 if it could not be read.
    pub status: u16,
    /// `grpc-status`, where it came with the headers: a local reply of Envoy's, or an answer without a message. One that comes in the
    /// trailers is not seen.
    pub grpc_status: Option<u32>,
    /// `x-envoy-attempt-count`; 1 if it is not there.
    pub attempts: u32,
    /// The region that the serving side's tag names (`x-served-by-cluster`); a tag that names none says nothing.
    pub tagged: Option<RegionId>,
}

/// What the host knows beyond the headers; asked for only when something is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpstreamFacts {
    /// Whether an upstream host was chosen at all.
    pub tried: bool,
    /// Whether the response is the upstream's and not Envoy's own.
    pub answered: bool,
    /// The region of the last host tried, from the control plane's own data.
    pub region: Option<RegionId>,
    /// The service and the plan that was used.
    pub planned: Option<(ServiceId, Plan)>,
}

/// What was decided for the request, if anything was: a calm request is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The service.
    pub service: ServiceId,
    /// The chosen plan.
    pub plan: Plan,
    /// Whether the request holds a half-open token of the chosen region.
    pub probe: bool,
}

impl Expected {
    /// By a decision; nothing where it left the region open, or refused.
    #[must_use]
    pub fn by(decision: &Decision) -> Option<Self> {
        let Verdict::Route { plan, .. } = decision.verdict else { return None };
        Some(Self { service: decision.service, plan, probe: decision.token().is_some() })
    }
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// By the chosen region, on the first attempt.
    Served,
    /// Well, by Envoy's own retry, after a failed attempt.
    Rescued,
    /// By another region on the first attempt: Envoy's own balancing moved it.
    Spilled,
    /// Not by any upstream.
    Refused,
}

impl Delivery {
    /// The name in headers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Rescued => "rescued",
            Self::Spilled => "spilled",
            Self::Refused => "refused",
        }
    }
}

/// What a response teaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How the request was answered.
    pub delivery: Delivery,
    /// The region that answered, as far as it is known.
    pub served: Option<RegionId>,
    /// What to record, in order.
    pub events: [Option<Event>; 2],
    /// A token whose request proved nothing about its region.
    pub returned_token: Option<CellKey>,
    /// It cannot be right.
    pub mismatch: Option<Mismatch>,
}

/// An answer that cannot be right: the serving side's tag and the control plane's data disagree, or it came from a region that is not in
/// the plan. Neither happens while everybody is who they say they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The region that should have answered, if that is known.
    pub chosen: Option<RegionId>,
    /// The region that did: by the control plane's data, else by its own tag.
    pub served: RegionId,
}

/// Whether the headers alone say that the request was answered as decided.
#[must_use]
pub fn is_plain(response: &ResponseFacts, expected: Option<Expected>) -> bool {
    outcome(response) == Outcome::Success
        && response.attempts <= 1
        && response.tagged.is_some()
        && expected.is_none_or(|expected| response.tagged == Some(expected.plan.first))
}

/// Judges a response. `upstream` is needed where the response is not [plain](is_plain).
#[must_use]
pub fn judge(
    policy: &Policy,
    response: &ResponseFacts,
    upstream: Option<UpstreamFacts>,
    expected: Option<Expected>,
) -> Judgement {
    let facts = upstream.unwrap_or(UpstreamFacts { tried: true, answered: true, ..UpstreamFacts::default() });
    let tagged = response.tagged;
    let last_tried = facts.region.or(tagged);
    let answered = facts.answered || tagged.is_some();
    let planned = expected.map(|e| (e.service, e.plan)).or(facts.planned);
    let inside =
        |region| planned.and_then(|(_, plan)| policy.scope(plan.scope)).is_none_or(|scope| scope.contains(region));
    let planned = planned.map(|(service, plan)| (service, plan.first));
    let probe = expected.filter(|e| e.probe).map(|e| CellKey { service: e.service, region: e.plan.first });
    // Only the serving side itself can say that a failure is its own.
    let outcome = match outcome(response) {
        Outcome::GatewayError if tagged.is_none() => Outcome::Unreachable,
        outcome => outcome,
    };
    let retried = response.attempts > 1;

    let events = match planned {
        Some((service, wanted)) if facts.tried || answered => {
            let event = |region, outcome| {
                let key = CellKey { service, region };
                // Who did not answer has proved nothing.
                Some(Event { key, outcome, probe: probe == Some(key) && outcome != Outcome::Absent })
            };
            let elsewhere = last_tried.filter(|region| *region != wanted);
            match (retried, elsewhere, outcome) {
                // The wanted region failed, another one answered.
                (true, Some(other), Outcome::Success) => [event(wanted, Outcome::Retried), event(other, outcome)],
                // The wanted region answered after all, and is known to be the one that did.
                (true, None, Outcome::Success) if last_tried == Some(wanted) => [event(wanted, outcome), None],
                // Nobody answered well: the wanted region is charged, and nobody else.
                (true, _, _) => [event(wanted, Outcome::Retried), None],
                // Envoy's own balancing moved it: the wanted region did not fail, and did not answer either.
                (false, Some(other), _) => [event(other, outcome), event(wanted, Outcome::Absent)],
                (false, None, _) => [event(wanted, outcome), None],
            }
        }
        _ => [None; 2],
    };
    let delivery = match planned {
        _ if !answered => Delivery::Refused,
        _ if retried && outcome == Outcome::Success => Delivery::Rescued,
        Some((_, wanted)) if last_tried.is_some_and(|region| region != wanted) => Delivery::Spilled,
        _ => Delivery::Served,
    };
    let proved = events.iter().flatten().any(|event| event.probe);
    Judgement {
        delivery,
        served: last_tried.filter(|_| answered),
        events,
        returned_token: probe.filter(|_| !proved),
        mismatch: last_tried.filter(|_| answered).and_then(|served| {
            let contradicted = tagged.is_some_and(|tagged| tagged != served);
            let chosen = planned.map(|(_, region)| region);
            (contradicted || !inside(served)).then_some(Mismatch { chosen, served })
        }),
    }
}

/// What a response says about the region that answered; none at all counts as a gateway error. A gRPC status counts as the HTTP status
/// that Envoy's outlier detection takes it for (`source/common/grpc/status.cc`, `grpcToHttpStatus`).
#[must_use]
pub fn outcome(response: &ResponseFacts) -> Outcome {
    let status = match (response.status, response.grpc_status) {
        (200, Some(4)) => 504,
        (200, Some(14)) => 503,
        (200, Some(12)) => 501,
        // What gRPC does not know is an error like any other.
        (200, Some(2 | 13 | 15 | 17..)) => 500,
        (status, _) => status,
    };
    match status {
        0 | 502..=504 => Outcome::GatewayError,
        500.. => Outcome::ServerError,
        _ => Outcome::Success,
    }
}

#[cfg(test)]
mod tests;
