//! The decision: which region serves this request, and why.
//!
//! One pass, no allocation: the host gives the rules, the first that matches gives the scope, the header gives the wish, health gives
//! the choice. A wish outside the fence is not an error to hide but a reason to state. The decision also says whether the native table
//! would have done the same with this very request, because then there is nothing to write and nothing to pay.

use crate::drill::Drilled;
use crate::health::{Availability, CellKey, Health};
use crate::ids::{RegionId, RuleId, ServiceId};
use crate::native::{is_inside, native_plan};
use crate::plan::Plan;
use crate::policy::{Asked, Policy, Timestamp};
use crate::request::{Lines, RequestFacts};
use crate::rule::{OnUnknownRegion, Rule, WhenExhausted};

/// What should become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The service it is for.
    pub service: ServiceId,
    /// The rule that decided.
    pub rule: RuleId,
    /// What the request asked for.
    pub asked: Asked,
    /// Where it should go when all is well; of a [`Verdict::Split`], where it might.
    pub want: RegionId,
    /// Where the native table sends it; `None` where that is not one plan ([`native_plan`]).
    pub native: Option<Plan>,
    /// The drills it takes part in.
    pub drilled: Drilled,
    /// Where it goes.
    pub verdict: Verdict,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To a plan, whose first region is the chosen one.
    Route {
        /// The plan.
        plan: Plan,
        /// Why.
        reason: Reason,
    },
    /// To one of the regions of the rule's `distribute`, by the native table's own weights.
    Split {
        /// Why.
        reason: Reason,
    },
    /// Nowhere: answered here.
    Refuse {
        /// The HTTP status of the answer.
        status: u16,
        /// Why.
        reason: Reason,
    },
}

/// Why a decision is what it is. A closed set: dashboards and alerts are made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The region that was asked for.
    Asked,
    /// No region was asked for: the local one, or the first of the scope.
    Local,
    /// No region was asked for: one of the rule's `distribute`.
    Weighted,
    /// The wanted region is ejected, or gets only a share; this is the next in order.
    Failover,
    /// A half-open region, which this request tries.
    HalfOpen,
    /// A region that is coming back, and this request is in its share.
    Ramp,
    /// A drill takes the wanted region away from this request.
    Drill,
    /// No region is usable.
    Exhausted,
    /// The region that was asked for does not exist.
    UnknownRegion,
    /// The region that was asked for is outside the fence.
    Fenced,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::Asked,
        Self::Local,
        Self::Weighted,
        Self::Failover,
        Self::HalfOpen,
        Self::Ramp,
        Self::Drill,
        Self::Exhausted,
        Self::UnknownRegion,
        Self::Fenced,
    ];

    /// The name in headers, metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Local => "local",
            Self::Weighted => "weighted",
            Self::Failover => "failover",
            Self::HalfOpen => "half_open",
            Self::Ramp => "ramp",
            Self::Drill => "drill",
            Self::Exhausted => "exhausted",
            Self::UnknownRegion => "unknown_region",
            Self::Fenced => "fenced",
        }
    }
}

impl Decision {
    /// The plan to write, if the native table would not choose it by itself.
    #[must_use]
    pub fn write(&self) -> Option<Plan> {
        match self.verdict {
            Verdict::Route { plan, .. } if self.native != Some(plan) => Some(plan),
            Verdict::Route { .. } | Verdict::Split { .. } | Verdict::Refuse { .. } => None,
        }
    }

    /// The chosen region, if one was chosen here.
    #[must_use]
    pub fn chosen(&self) -> Option<RegionId> {
        match self.verdict {
            Verdict::Route { plan, .. } => Some(plan.first),
            Verdict::Split { .. } | Verdict::Refuse { .. } => None,
        }
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self.verdict {
            Verdict::Route { reason, .. } | Verdict::Split { reason } | Verdict::Refuse { reason, .. } => reason,
        }
    }

    /// The half-open region whose token the request must hold, if it tries one.
    #[must_use]
    pub fn token(&self) -> Option<CellKey> {
        match self.verdict {
            Verdict::Route { plan, reason: Reason::HalfOpen } => {
                Some(CellKey { service: self.service, region: plan.first })
            }
            Verdict::Route { .. } | Verdict::Split { .. } | Verdict::Refuse { .. } => None,
        }
    }
}

/// Decides, with a random number for rules that share requests out. `None`: the policy has nothing to say about this host, and Envoy does what it would have done.
#[must_use]
pub fn decide(
    policy: &Policy,
    health: &Health,
    request: &RequestFacts<'_>,
    now: Timestamp,
    random: u32,
) -> Option<Decision> {
    let host = policy.virtual_host(request.authority())?;
    let (rule_id, rule) = host
        .rules
        .iter()
        .filter_map(|id| policy.rule(*id).map(|rule| (*id, rule)))
        .find(|(_, rule)| rule.matches.matches(request))?;

    let lines = request.header(policy.region_header());
    let asked = policy.asked(lines);
    let (want, wish) = want(policy, rule, asked, random);
    let drilled = Drilled::new(policy.drills(), host.service, now, second_die(random));
    let choice = Choice { policy, health, service: host.service, rule, now, random, drilled };
    let verdict = match wish {
        Reason::UnknownRegion if rule.on_unknown_region == OnUnknownRegion::Reject => {
            Verdict::Refuse { status: 400, reason: wish }
        }
        Reason::Weighted | Reason::UnknownRegion | Reason::Fenced
            // Several lines are never left to the table: Envoy versions differ in what they match.
            if lines != Lines::Several && choice.split_is_usable() =>
        {
            Verdict::Split { reason: wish }
        }
        _ => choice.choose(want, wish)?,
    };
    let native = native_plan(policy, rule, lines, asked);
    Some(Decision { service: host.service, rule: rule_id, asked, want, native, drilled, verdict })
}

/// Where the request should go when all is well, and why.
fn want(policy: &Policy, rule: &Rule, asked: Asked, random: u32) -> (RegionId, Reason) {
    let picked = rule.split().and_then(|split| split.pick(random));
    let home = picked.unwrap_or_else(|| rule.home());
    match asked {
        Asked::Region(region) if is_inside(policy, rule, region) => (region, Reason::Asked),
        Asked::Region(_) => (home, Reason::Fenced),
        Asked::Unknown => (home, Reason::UnknownRegion),
        Asked::Nothing if picked.is_some() => (home, Reason::Weighted),
        Asked::Nothing => (home, Reason::Local),
    }
}

/// A number below 100 that is independent of the one `distribute` makes of the same random number.
fn second_die(random: u32) -> u8 {
    u8::try_from(random / 100 % 100).unwrap_or(0)
}

/// What is known when a region has to be chosen.
struct Choice<'a> {
    policy: &'a Policy,
    health: &'a Health,
    service: ServiceId,
    rule: &'a Rule,
    now: Timestamp,
    random: u32,
    drilled: Drilled,
}

impl Choice<'_> {
    fn availability(&self, region: RegionId) -> Availability {
        if self.drilled.takes(region, self.policy.drills()) {
            return Availability::Drilled;
        }
        self.health.availability(CellKey { service: self.service, region }, self.now, self.policy.health())
    }

    /// Whether the native weights are right as they stand: every region that has a share may be used for all of it, and no plan leads
    /// to a region that is taken away.
    fn split_is_usable(&self) -> bool {
        let usable = |region| self.availability(region) == Availability::Usable;
        let split = self.rule.split().is_some_and(|split| split.shares().iter().all(|(region, _)| usable(*region)));
        split && self.drilled.is_empty()
    }

    /// The first region of the order that may serve this request. One that ramps serves its share, and everything where no other can:
    /// a region that is coming back is better than none.
    fn choose(&self, want: RegionId, wish: Reason) -> Option<Verdict> {
        let scope_id = self.rule.scope_for(want);
        let scope = self.policy.scope(scope_id)?;
        let drills = self.policy.drills();
        // A drilled region is in no plan that is used.
        let alone = drills.iter().any(|drill| self.drilled.takes(drill.region, drills) && scope.contains(drill.region));
        let route = |first, reason| {
            let single = self.rule.single(first).filter(|_| alone);
            Verdict::Route { plan: Plan { scope: single.unwrap_or(scope_id), first }, reason }
        };
        if self.health.is_calm() && !alone {
            return Some(route(want, wish));
        }
        let moved = if self.drilled.takes(want, drills) { Reason::Drill } else { Reason::Failover };
        let mut ramping = None;
        for region in scope.order_from(want) {
            match self.availability(region) {
                Availability::Usable => return Some(route(region, if region == want { wish } else { moved })),
                Availability::HalfOpen => return Some(route(region, Reason::HalfOpen)),
                Availability::Ramping(percent) if self.share(region) < percent => {
                    return Some(route(region, Reason::Ramp));
                }
                Availability::Ramping(_) => ramping = ramping.or(Some(region)),
                Availability::Ejected(_) | Availability::HalfOpenBusy | Availability::Drilled => {}
            }
        }
        Some(match (ramping, self.rule.when_exhausted) {
            (Some(region), _) => route(region, Reason::Ramp),
            (None, WhenExhausted::Preferred) => route(want, Reason::Exhausted),
            (None, WhenExhausted::Fail) => Verdict::Refuse { status: 503, reason: Reason::Exhausted },
        })
    }

    /// A number below 100, independent for each region and of what `distribute` did with the same random number.
    fn share(&self, region: RegionId) -> u8 {
        let mixed = (self.random ^ u32::from(region.0).wrapping_add(1)).wrapping_mul(0x9e37_79b1);
        let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x85eb_ca77);
        u8::try_from((mixed >> 16) % 100).unwrap_or(0)
    }
}

/// A region that stood before the chosen one in the order, and why it was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The region.
    pub region: RegionId,
    /// Whether it could be used.
    pub availability: Availability,
}

/// Every candidate of a decision in order, with its availability at `now`; what `explain` prints and the decision header lists.
pub fn candidates<'a>(
    policy: &'a Policy,
    health: &'a Health,
    decision: &'a Decision,
    now: Timestamp,
) -> impl Iterator<Item = Candidate> + 'a {
    let scope = policy.rule(decision.rule).and_then(|rule| policy.scope(rule.scope_for(decision.want)));
    scope.into_iter().flat_map(move |scope| scope.order_from(decision.want)).map(move |region| {
        let key = CellKey { service: decision.service, region };
        let availability = if decision.drilled.takes(region, policy.drills()) {
            Availability::Drilled
        } else {
            health.availability(key, now, policy.health())
        };
        Candidate { region, availability }
    })
}

#[cfg(test)]
mod drill_tests;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod properties;
#[cfg(test)]
mod tests;
