//! One request and its response: facts in, decision, effects out.
//!
//! A stream is nothing that lives here. Its request is looked at and may leave a [`Trail`], its response takes that up again, and a gRPC
//! answer leaves one more for its trailers. A request about which there is nothing to say leaves nothing and costs nothing to keep.

mod explanation;
mod request;
mod response;

pub(crate) use request::request;
pub(crate) use response::{response, trailers};

use crate::abi::{self, Map};
use crate::engine::Engine;
use meridian_core::RegionId;
use meridian_core::decide::Decision;
use meridian_core::judge::{Expected, ResponseFacts};
use std::rc::Rc;

/// What a stream leaves behind for its next callback.
pub(crate) struct Trail {
    /// The configuration that its ids are of.
    engine: Rc<Engine>,
    /// The client has shown the key.
    has_key: bool,
    left: Left,
}

enum Left {
    /// Nothing was decided: all was calm, or the host is not the policy's.
    Nothing,
    /// A decision was made; the header is there if it is worth telling however it ends.
    Decided { decision: Decision, header: Option<String> },
    /// The filter answered by itself.
    Refused,
    /// A gRPC answer whose status comes in the trailers.
    Open(Answered),
}

/// What is known of an answer that is not complete.
#[derive(Clone, Copy)]
struct Answered {
    expected: Option<Expected>,
    /// What its headers said, which the host has let go of by the time of the trailers.
    response: ResponseFacts,
}

impl Trail {
    /// Of a stream whose request left none.
    pub(crate) fn nothing(engine: Rc<Engine>) -> Self {
        Self { engine, has_key: false, left: Left::Nothing }
    }
}

/// A callback of a stream under a configuration.
struct Stream<'e> {
    engine: &'e Engine,
    /// The client has shown the key.
    has_key: bool,
}

impl Stream<'_> {
    /// Sets the tag of a region, if it is known.
    fn tag(&self, region: Option<RegionId>) {
        if let Some(region) = region.and_then(|region| self.engine.policy.region(region)) {
            let name = &self.engine.policy.headers().served_by;
            let set = abi::set_header(Map::Response, name, region.display_name.as_bytes());
            self.engine.metrics.checked("set_header", set);
        }
    }

    fn rule_name(&self, decision: &Decision) -> &str {
        self.engine.policy.rule(decision.rule).map_or("", |rule| &rule.name)
    }
}
