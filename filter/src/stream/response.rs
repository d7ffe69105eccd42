//! A response: who served it, what that teaches, and what the client is told.

use super::{Answered, Left, Stream, Trail};
use crate::abi::{self, Map};
use crate::facts::{self, Answer, STATE};
use crate::vm::Action;
use meridian_core::decide::Decision;
use meridian_core::health::Outcome;
use meridian_core::judge::{Delivery, Expected, Judgement, Mismatch, ResponseFacts, UpstreamFacts, is_plain, judge};
use meridian_core::shadow::compare;
use meridian_core::{OnMismatch, Role, add_delivery};

/// Looks at the headers of a response, which may be all there is of it.
pub(crate) fn response(trail: Trail, id: u32, end: bool) -> (Action, Option<Trail>) {
    let Trail { engine, has_key, left } = trail;
    let stream = Stream { engine: &engine, has_key };
    if engine.policy.role() == Role::Inbound {
        if engine.policy.acts_natively() {
            stream.tag_own();
        }
        return (Action::Continue, None);
    }
    engine.waiting.end(id);
    let (decided, header) = match left {
        Left::Refused => return (Action::Continue, None),
        Left::Decided { decision, header } => (Some(decision), header),
        Left::Nothing | Left::Open(_) => (None, None),
    };
    let tries = decided.as_ref().is_some_and(|decision| decision.token().is_some());
    let (action, open) = stream.response(decided, header, end);
    if tries && open.is_none() {
        engine.tries.end(id);
    }
    (action, open.map(|answered| Trail { engine, has_key, left: Left::Open(answered) }))
}

/// Looks at the trailers of a response.
pub(crate) fn trailers(trail: &Trail, id: u32) {
    if let Left::Open(answered) = &trail.left {
        Stream { engine: &trail.engine, has_key: trail.has_key }.complete(answered);
        trail.engine.tries.end(id);
    }
}

impl Stream<'_> {
    /// What is left for the trailers, and what becomes of the stream.
    fn response(&self, decided: Option<Decision>, mut header: Option<String>, end: bool) -> (Action, Option<Answered>) {
        let (engine, metrics) = (self.engine, &self.engine.metrics);
        let names = engine.policy.headers();
        let Some(headers) = metrics.checked("get_headers", abi::headers(Map::Response)) else {
            return (Action::Continue, None);
        };
        let Answer { response, is_grpc, is_tagged, is_explained } = facts::answer(&headers, &engine.policy);
        let acts = engine.policy.acts();
        let blocks = acts && engine.policy.on_mismatch() == OnMismatch::Block;
        let expected = decided.as_ref().filter(|_| acts).and_then(Expected::by);
        let plain = is_plain(&response, expected);
        // To hold every answer against the control plane's data, it has to be asked every time.
        let sampled = engine.samples() || blocks;
        // What a gRPC call came to is in its trailers; until then it is no success.
        let open = !end && plain && response.grpc_status.is_none() && is_grpc;
        let answered_in_part = open.then_some(Answered { expected, response });
        let tagged = response.tagged;
        // What is plain was answered by the region of its tag.
        let (mut served, mut answered) = (tagged, true);
        let nothing_to_learn = plain && !sampled && engine.health().is_quiet();
        if !(open || nothing_to_learn) {
            let upstream = match (plain && !sampled, expected) {
                (false, _) => Some(facts::upstream(&engine.policy, metrics)),
                // A success that nobody decided about counts as well, or errors would never stop being in a row.
                (true, None) => Some(UpstreamFacts {
                    tried: true,
                    answered: true,
                    region: None,
                    planned: facts::planned(&engine.policy, metrics),
                }),
                (true, Some(_)) => None,
            };
            let observed = decided.as_ref().filter(|_| !acts);
            let upstream = upstream.map(|facts| facts::observed(&engine.policy, facts, observed, tagged));
            let mut judgement = judge(&engine.policy, &response, upstream, expected);
            if let Some(decision) = observed {
                mark_try(&mut judgement, decision);
                served = judgement.served;
                answered = judgement.delivery != Delivery::Refused;
            }
            self.learn(&judgement);
            if let Some(mismatch) = &judgement.mismatch
                && blocks
            {
                return (self.block(decided.as_ref(), mismatch), None);
            }
            let notable = judgement.delivery == Delivery::Rescued || response.status >= 500;
            if notable && header.is_none() {
                header = match &decided {
                    Some(decision) => Some(self.explain(decision, engine.now())),
                    None => self.explain_native(upstream.and_then(|facts| facts.planned).map(|(_, plan)| plan.first)),
                };
            }
            if let Some(text) = &mut header {
                add_delivery(text, judgement.delivery);
            }
            // A tag that names no region of the policy says nothing, whoever wrote it.
            if tagged.is_none() && acts && !engine.policy.hides_tag() {
                self.tag(judgement.served);
            }
        } else if let Some(text) = &mut header {
            add_delivery(text, Delivery::Served);
        }
        // It was for the checks above, and clients need not know it.
        if acts && engine.policy.hides_tag() && is_tagged {
            metrics.checked("remove_header", abi::remove_header(Map::Response, &names.served_by));
        }
        if let Some(decision) = decided.as_ref().filter(|_| !acts) {
            engine.count_agreement(compare(&engine.policy, decision, answered, served), decision.reason());
        }
        match header {
            Some(text) if self.may_tell() => {
                metrics.checked("set_state", abi::set_state(STATE, text.as_bytes()));
                metrics.checked("set_header", abi::set_header(Map::Response, &names.decision, text.as_bytes()));
            }
            Some(text) => {
                metrics.checked("set_state", abi::set_state(STATE, text.as_bytes()));
                self.drop_forged(is_explained);
            }
            None => self.drop_forged(is_explained),
        }
        (Action::Continue, answered_in_part)
    }

    /// Answers in place of an answer that cannot be right.
    fn block(&self, decided: Option<&Decision>, mismatch: &Mismatch) -> Action {
        let (policy, metrics) = (&self.engine.policy, &self.engine.metrics);
        log::warn!("blocked an answer of region={}", policy.region_name(mismatch.served));
        let rule = decided.map_or("*", |decision| self.rule_name(decision));
        metrics.count("meridian_refused_total", &[("rule", rule), ("reason", "mismatch")]);
        let body = "The region that answered is not one that may answer this request.\n";
        match metrics.checked("send_local_response", abi::respond(502, None, body)) {
            Some(()) => Action::Pause,
            None => Action::Continue,
        }
    }

    /// Records what a response taught.
    fn learn(&self, judgement: &Judgement) {
        let now = self.engine.now();
        for event in judgement.events.iter().flatten() {
            self.engine.record(*event, now);
        }
        if let Some(key) = judgement.returned_token {
            self.engine.return_token(key);
        }
        if let Some(mismatch) = &judgement.mismatch {
            self.engine.count_mismatch(mismatch);
        }
    }

    /// Judges a gRPC answer by its trailers.
    fn complete(&self, answered: &Answered) {
        let (policy, metrics) = (&self.engine.policy, &self.engine.metrics);
        let status = metrics.checked("get_header", abi::header(Map::ResponseTrailers, "grpc-status")).flatten();
        let grpc_status = status.as_deref().and_then(facts::digits);
        let response = ResponseFacts { grpc_status, ..answered.response };
        if is_plain(&response, answered.expected) && self.engine.health().is_quiet() {
            return;
        }
        let upstream = facts::upstream(policy, metrics);
        self.learn(&judge(policy, &response, Some(upstream), answered.expected));
    }

    /// The serving side says who it is, whatever the application said.
    fn tag_own(&self) {
        match self.engine.policy.local() {
            Some(region) => self.tag(Some(region)),
            // Who does not know where it runs cannot say it, and the application may not either.
            None => {
                let name = &self.engine.policy.headers().served_by;
                self.engine.metrics.checked("remove_header", abi::remove_header(Map::Response, name));
            }
        }
    }
}

/// A request that was sent without regard to the decision tries a half-open region as well as one that was sent there on purpose.
fn mark_try(judgement: &mut Judgement, decision: &Decision) {
    if let Some(key) = decision.token() {
        for event in judgement.events.iter_mut().flatten() {
            event.probe |= event.key == key && event.outcome != Outcome::Absent;
        }
    }
}
