//! One request and its response: facts in, decision, effects out.

use crate::abi::{self, Map};
use crate::engine::Engine;
use crate::facts::{self, STATE, Token};
use meridian_core::decide::{Decision, Reason, Verdict, candidates};
use meridian_core::health::Outcome;
use meridian_core::judge::{Delivery, Expected, Judgement, Mismatch, ResponseFacts, UpstreamFacts, is_plain, judge};
use meridian_core::request::{HeaderLines, Lines, RequestFacts};
use meridian_core::shadow::compare;
use meridian_core::{
    Asked, DecisionRecord, HeaderMap, OnMismatch, RegionId, Role, Timestamp, add_delivery, decision_header,
};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::rc::Rc;

/// The context of one stream.
pub(crate) struct Stream {
    id: u32,
    engine: Rc<Engine>,
    trail: Trail,
    /// Its place among those that wait for an answer.
    place: Option<u32>,
    /// A gRPC answer whose status comes in the trailers.
    open: Option<Answered>,
    /// The client has shown the key.
    has_key: bool,
}

/// What is known of an answer that is not complete.
#[derive(Clone, Copy)]
struct Answered {
    expected: Option<Expected>,
    attempts: u32,
    /// Who signed it: by the time of the trailers the host has let go of the headers, and clients may not see it.
    tagged: Option<RegionId>,
}

/// What the request left behind for its response.
enum Trail {
    /// Nothing was decided: all was calm, or the host is not the policy's.
    Native,
    /// A decision was made; the header is there if it is worth telling however it ends.
    Decided { decision: Decision, header: Option<String> },
    /// The filter answered by itself.
    Refused,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        match self.engine.policy.role() {
            Role::Gateway | Role::Outbound => {
                let action = self.request();
                if action == Action::Continue {
                    self.place = Some(self.engine.waiting.begin(self.id));
                }
                action
            }
            Role::Inbound => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, end: bool) -> Action {
        self.stop_waiting();
        match self.engine.policy.role() {
            Role::Gateway | Role::Outbound => self.response(end),
            Role::Inbound => {
                if self.engine.policy.acts_natively() {
                    self.tag_own();
                }
                Action::Continue
            }
        }
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        if let Some(answered) = self.open.take() {
            self.complete(answered);
        }
        Action::Continue
    }
}

impl Drop for Stream {
    /// A client that goes away says nothing about the region, so its token goes back.
    fn drop(&mut self) {
        self.stop_waiting();
        if let Trail::Decided { decision, .. } = &self.trail
            && let Some(key) = decision.token()
        {
            self.engine.return_token(key);
        }
    }
}

impl Stream {
    pub(crate) fn new(id: u32, engine: Rc<Engine>) -> Self {
        Self { id, engine, trail: Trail::Native, place: None, open: None, has_key: false }
    }

    fn stop_waiting(&mut self) {
        if let Some(place) = self.place.take() {
            self.engine.waiting.end(place);
        }
    }

    fn request(&mut self) -> Action {
        let (policy, metrics) = (&self.engine.policy, &self.engine.metrics);
        if self.engine.is_calm() {
            // The cheapest call there is: an absent header is not copied.
            let brings = |name| metrics.checked("get_header", abi::header(Map::Request, name)).flatten().is_some();
            let asks_why = policy.explain().key.is_some() && brings(&policy.headers().explain);
            if !asks_why && !brings(policy.region_header()) {
                return Action::Continue;
            }
        }
        let Some(headers) = metrics.checked("get_headers", abi::headers(Map::Request)) else { return Action::Continue };
        self.has_key = self.takes_key(&headers);
        let now = self.engine.now();
        let token = Token(metrics);
        let request = RequestFacts::new(&headers).with_claims(&token);
        let Some(decision) = self.engine.decide(&request, now) else { return Action::Continue };
        self.engine.try_shadow(&request, now, &decision);
        if !policy.acts() {
            self.remember(&decision, now);
            return Action::Continue;
        }
        match decision.verdict {
            Verdict::Route { .. } | Verdict::Split { .. } => {
                self.route(&decision, &headers, now);
                Action::Continue
            }
            Verdict::Refuse { status, reason } => self.refuse(&decision, status, reason, now),
        }
    }

    /// Writes the plan if the native table would take another one; otherwise writes nothing.
    fn route(&mut self, decision: &Decision, headers: &HeaderMap, now: Timestamp) {
        let (policy, metrics) = (&self.engine.policy, &self.engine.metrics);
        let plan = policy.headers().route.as_str();
        match decision.write().and_then(|plan| policy.plan_name(plan)) {
            Some(name) => {
                metrics.checked("set_header", abi::set_header(Map::Request, plan, name.as_bytes()));
            }
            // The native table removes the header before any filter; where somebody's table does not, a client's own must not count.
            None if headers.lines(plan) != Lines::None => {
                metrics.checked("remove_header", abi::remove_header(Map::Request, plan));
            }
            None => {}
        }
        // What is written says what the table would have done; what moved is what left the region it was meant for.
        if decision.chosen().is_some_and(|region| region != decision.want) {
            self.count_move(decision);
        }
        if decision.reason() == Reason::Fenced {
            metrics.count("meridian_fenced_total", &[("rule", self.rule_name(decision))]);
        }
        self.remember(decision, now);
    }

    /// Keeps the decision for the response.
    fn remember(&mut self, decision: &Decision, now: Timestamp) {
        // Who got what was asked for, or asked for nothing and went where such requests go, needs no explanation.
        let notable = self.has_key || !matches!(decision.reason(), Reason::Asked | Reason::Local | Reason::Weighted);
        let header = notable.then(|| self.explain(decision, now));
        self.trail = Trail::Decided { decision: *decision, header };
    }

    fn refuse(&mut self, decision: &Decision, status: u16, reason: Reason, now: Timestamp) -> Action {
        let metrics = &self.engine.metrics;
        let rule = self.rule_name(decision);
        metrics.count("meridian_refused_total", &[("rule", rule), ("reason", reason.as_str())]);
        let body = match reason {
            Reason::UnknownRegion => "The region this request asks for does not exist.\n",
            _ => "No region that may serve this request is available.\n",
        };
        let mut header = self.explain(decision, now);
        add_delivery(&mut header, Delivery::Refused);
        metrics.checked("set_state", abi::set_state(STATE, header.as_bytes()));
        let told = self.may_tell().then_some((self.engine.policy.headers().decision.as_str(), header.as_str()));
        match metrics.checked("send_local_response", abi::respond(status, told, body)) {
            Some(()) => {
                self.trail = Trail::Refused;
                Action::Pause
            }
            None => Action::Continue,
        }
    }

    fn response(&mut self, end: bool) -> Action {
        let (engine, metrics) = (Rc::clone(&self.engine), &self.engine.metrics);
        let names = engine.policy.headers();
        if matches!(self.trail, Trail::Refused) {
            return Action::Continue;
        }
        let Some(headers) = metrics.checked("get_headers", abi::headers(Map::Response)) else {
            return Action::Continue;
        };
        let response = facts::response(&headers, &names.served_by);
        let (decided, mut header) = match std::mem::replace(&mut self.trail, Trail::Native) {
            Trail::Decided { decision, header } => (Some(decision), header),
            Trail::Native | Trail::Refused => (None, None),
        };
        let acts = engine.policy.acts();
        let blocks = acts && engine.policy.on_mismatch() == OnMismatch::Block;
        let expected = decided.as_ref().filter(|_| acts).and_then(Expected::by);
        let plain = is_plain(&engine.policy, &response, expected);
        // To hold every answer against the control plane's data, it has to be asked every time.
        let sampled = engine.samples() || blocks;
        // What a gRPC call came to is in its trailers; until then it is no success.
        let open = !end && plain && response.grpc_status.is_none() && facts::is_grpc(&headers);
        let tagged = response.tag.and_then(|tag| engine.policy.region_tagged(tag));
        self.open = open.then_some(Answered { expected, attempts: response.attempts, tagged });
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
                return self.block(decided.as_ref(), mismatch);
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
        if acts && engine.policy.hides_tag() && headers.lines(&names.served_by) != Lines::None {
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
                self.drop_forged(&headers);
            }
            None => self.drop_forged(&headers),
        }
        Action::Continue
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

    /// Whether this client may read the explanation.
    fn may_tell(&self) -> bool {
        self.has_key || (self.engine.policy.explain().public && self.engine.policy.acts())
    }

    /// Takes the key for the explanation out of the request, which nobody else may see; whether it is the right one.
    fn takes_key(&self, headers: &HeaderMap) -> bool {
        let Some(key) = &self.engine.policy.explain().key else { return false };
        let name = &self.engine.policy.headers().explain;
        let lines = headers.lines(name);
        if lines != Lines::None {
            self.engine.metrics.checked("remove_header", abi::remove_header(Map::Request, name));
        }
        matches!(lines, Lines::One(shown) if key.opens(shown))
    }

    /// Whoever wrote an explanation upstream does not speak for this gateway.
    fn drop_forged(&self, headers: &HeaderMap) {
        let name = &self.engine.policy.headers().decision;
        if headers.lines(name) != Lines::None && self.engine.policy.acts() {
            self.engine.metrics.checked("remove_header", abi::remove_header(Map::Response, name));
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
    fn complete(&self, answered: Answered) {
        let (policy, metrics) = (&self.engine.policy, &self.engine.metrics);
        let status = metrics.checked("get_header", abi::header(Map::ResponseTrailers, "grpc-status")).flatten();
        let grpc_status = status.as_deref().and_then(facts::digits);
        let tag = answered.tagged.and_then(|region| policy.region(region)).map(|region| region.display_name.as_bytes());
        let response = ResponseFacts { status: 200, grpc_status, attempts: answered.attempts, tag };
        if is_plain(policy, &response, answered.expected) && self.engine.health().is_quiet() {
            return;
        }
        let upstream = facts::upstream(policy, metrics);
        self.learn(&judge(policy, &response, Some(upstream), answered.expected));
    }

    /// Sets the tag of a region, if it is known.
    fn tag(&self, region: Option<RegionId>) {
        if let Some(region) = region.and_then(|region| self.engine.policy.region(region)) {
            let name = &self.engine.policy.headers().served_by;
            let set = abi::set_header(Map::Response, name, region.display_name.as_bytes());
            self.engine.metrics.checked("set_header", set);
        }
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

    fn count_move(&self, decision: &Decision) {
        let policy = &self.engine.policy;
        let service = policy.service(decision.service).map_or("", |service| &service.name);
        let from = policy.region_name(decision.want);
        let to = decision.chosen().map_or("", |region| policy.region_name(region));
        let tags = [("service", service), ("from", from), ("to", to), ("reason", decision.reason().as_str())];
        self.engine.metrics.count("meridian_moved_total", &tags);
    }

    fn rule_name(&self, decision: &Decision) -> &str {
        self.engine.policy.rule(decision.rule).map_or("", |rule| &rule.name)
    }

    fn explain(&self, decision: &Decision, now: Timestamp) -> String {
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
    fn explain_native(&self, planned: Option<RegionId>) -> Option<String> {
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

/// A request that was sent without regard to the decision tries a half-open region as well as one that was sent there on purpose.
fn mark_try(judgement: &mut Judgement, decision: &Decision) {
    if let Some(key) = decision.token() {
        for event in judgement.events.iter_mut().flatten() {
            event.probe |= event.key == key && event.outcome != Outcome::Absent;
        }
    }
}
