//! A request: decided if there is something to decide, and sent on, elsewhere than the native table would, or answered here.

use super::{Left, Stream, Trail};
use crate::abi::{self, Map};
use crate::engine::Engine;
use crate::facts::{STATE, Token};
use crate::vm::Action;
use meridian_core::decide::{Decision, Reason, Verdict};
use meridian_core::judge::Delivery;
use meridian_core::request::{HeaderLines, Lines, RequestFacts};
use meridian_core::{HeaderMap, Role, Timestamp, add_delivery};
use std::rc::Rc;

/// Looks at a request.
pub(crate) fn request(engine: &Rc<Engine>, id: u32) -> (Action, Option<Trail>) {
    if engine.policy.role() == Role::Inbound {
        return (Action::Continue, None);
    }
    let (action, trail) = look(engine, id);
    if action == Action::Continue {
        engine.waiting.begin(id);
    }
    (action, trail)
}

fn look(engine: &Rc<Engine>, id: u32) -> (Action, Option<Trail>) {
    const PASS: (Action, Option<Trail>) = (Action::Continue, None);
    let (policy, metrics) = (&engine.policy, &engine.metrics);
    let calm = engine.is_calm();
    let (region, key) =
        (policy.region_header(), policy.explain().key.as_ref().map(|_| policy.headers().explain.as_str()));
    // The cheapest question there is: a header that is not there is not copied. Of one that is there it tells the first line only, and a
    // newer Envoy's native table takes any.
    let asks = |name: &str| metrics.checked("get_header", abi::header(Map::Request, name)).flatten().is_some();
    if calm && !engine.habit.get().matters() && !asks(region) && !key.is_some_and(asks) {
        engine.habit.set(engine.habit.get().after(false));
        return PASS;
    }
    // All in one call: one that is there costs as much as all of them.
    let Some(headers) = metrics.checked("get_headers", abi::headers(Map::Request)) else { return PASS };
    let brings = |name: &str| headers.lines(name) != Lines::None;
    let asks_why = key.is_some_and(brings);
    let matters = asks_why || brings(region);
    engine.habit.set(engine.habit.get().after(matters));
    if calm && !matters {
        return PASS;
    }
    let mut stream = Stream { engine, has_key: false };
    stream.has_key = asks_why && stream.takes_key(&headers);
    let now = engine.now_to_decide();
    let token = Token(metrics);
    let request = RequestFacts::new(&headers).with_claims(&token);
    let Some(decision) = engine.decide(&request, now) else { return PASS };
    engine.try_shadow(&request, now, &decision);
    if let Some(key) = decision.token().filter(|_| policy.acts()) {
        engine.tries.begin(id, key);
    }
    let (action, left) = match decision.verdict {
        Verdict::Refuse { status, reason } if policy.acts() => stream.refuse(&decision, status, reason, now),
        _ => {
            if policy.acts() {
                stream.route(&decision, &headers);
            }
            (Action::Continue, stream.remember(&decision, now))
        }
    };
    (action, Some(Trail { engine: Rc::clone(engine), has_key: stream.has_key, left }))
}

impl Stream<'_> {
    /// Writes the plan if the native table would take another one; otherwise writes nothing.
    fn route(&self, decision: &Decision, headers: &HeaderMap) {
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
    }

    /// Keeps the decision for the response.
    fn remember(&self, decision: &Decision, now: Timestamp) -> Left {
        // Who got what was asked for, or asked for nothing and went where such requests go, needs no explanation.
        let notable = self.has_key || !matches!(decision.reason(), Reason::Asked | Reason::Local | Reason::Weighted);
        let header = notable.then(|| self.explain(decision, now));
        Left::Decided { decision: *decision, header }
    }

    fn refuse(&self, decision: &Decision, status: u16, reason: Reason, now: Timestamp) -> (Action, Left) {
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
            Some(()) => (Action::Pause, Left::Refused),
            None => (Action::Continue, Left::Nothing),
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
}
