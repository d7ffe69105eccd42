//! Why a request went where it went: for whom, and in which words.

use super::Stream;
use crate::abi::{self, Map};
use crate::facts;
use meridian_core::decide::{Decision, Reason, candidates};
use meridian_core::request::{HeaderLines, Lines};
use meridian_core::{Asked, DecisionRecord, HeaderMap, RegionId, Timestamp, decision_header};

impl Stream<'_> {
    /// Whether this client may read the explanation.
    pub(super) fn may_tell(&self) -> bool {
        self.has_key || (self.engine.policy.explain().public && self.engine.policy.acts())
    }

    /// Takes the key for the explanation out of the request, which nobody else may see; whether it is the right one.
    pub(super) fn takes_key(&self, headers: &HeaderMap) -> bool {
        let Some(key) = &self.engine.policy.explain().key else { return false };
        let name = &self.engine.policy.headers().explain;
        self.engine.metrics.checked("remove_header", abi::remove_header(Map::Request, name));
        matches!(headers.lines(name), Lines::One(shown) if key.opens(shown))
    }

    /// Whoever wrote an explanation upstream does not speak for this gateway.
    pub(super) fn drop_forged(&self, is_explained: bool) {
        let name = &self.engine.policy.headers().decision;
        if is_explained && self.engine.policy.acts() {
            self.engine.metrics.checked("remove_header", abi::remove_header(Map::Response, name));
        }
    }

    pub(super) fn explain(&self, decision: &Decision, now: Timestamp) -> String {
        let (policy, health) = (&self.engine.policy, self.engine.health());
        let record = DecisionRecord {
            asked: decision.asked,
            chosen: decision.chosen(),
            reason: decision.reason(),
            rule: self.rule_name(decision),
        };
        decision_header(policy, &record, candidates(policy, &health, decision, now))
    }

    /// Explains a request that was left to the native table, from the name of the route it took (`<rule>/<asked|local>/...`).
    pub(super) fn explain_native(&self, planned: Option<RegionId>) -> Option<String> {
        let chosen = planned?;
        let name = facts::route_name(&self.engine.metrics)?;
        let mut parts = std::str::from_utf8(&name).ok()?.split('/');
        let (rule, how) = (parts.next()?, parts.next()?);
        let policy = &self.engine.policy;
        let split = policy.rule_named(rule.as_bytes()).and_then(|id| policy.rule(id)?.split());
        let (asked, reason) = match split {
            _ if how == Reason::Asked.as_str() => (Asked::Region(chosen), Reason::Asked),
            Some(_) => (Asked::Nothing, Reason::Weighted),
            None => (Asked::Nothing, Reason::Local),
        };
        let record = DecisionRecord { asked, chosen: Some(chosen), reason, rule };
        Some(decision_header(policy, &record, std::iter::empty()))
    }
}
