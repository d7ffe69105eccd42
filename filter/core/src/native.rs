//! What the native table does with a request, without the filter.
//!
//! The filter writes only where its decision differs from this, so this has to be what Envoy really does. It is short because the
//! table is made to be predictable: inside a rule, a request without a region header takes the rule's home plan, a listed spelling of
//! a region inside takes that region's plan, and everything else takes the home plan again. The renderer writes exactly these routes,
//! and a test on a real Envoy holds the two equal.

use crate::ids::RegionId;
use crate::plan::Plan;
use crate::policy::{Asked, Policy, Table};
use crate::request::Lines;
use crate::rule::Rule;

/// The plan the native table chooses for these lines of the region header, which ask for `asked`; `None` where it is not one plan:
/// where the rule shares requests out, or where Envoy versions differ and nothing may be left to the table.
///
/// A header in several lines is matched as one joined value up to Envoy 1.38 and line by line from 1.39 on.
#[must_use]
pub fn native_plan(policy: &Policy, rule: &Rule, lines: Lines<'_>, asked: Asked) -> Option<Plan> {
    let home = match rule.split() {
        Some(_) => None,
        None => Some(Plan { scope: rule.scope_for(rule.home()), first: rule.home() }),
    };
    match (policy.table(), lines) {
        (Table::Plans, _) | (Table::Full, Lines::None) => home,
        (Table::Full, Lines::Several) => None,
        (Table::Full, Lines::One(_)) => match asked {
            Asked::Region(region) if is_inside(policy, rule, region) => {
                Some(Plan { scope: rule.scope_for(region), first: region })
            }
            Asked::Region(_) | Asked::Unknown | Asked::Nothing => home,
        },
    }
}

/// Whether a region is inside the rule's scope.
#[must_use]
pub fn is_inside(policy: &Policy, rule: &Rule, region: RegionId) -> bool {
    policy.scope(rule.scope()).is_some_and(|scope| scope.contains(region))
}
