//! A service in a region: what it answers to one try, in which condition.

use crate::draw::Draw;
use crate::fault::{Condition, How};

/// What comes of one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reply {
    /// An answer, signed by the serving side or not.
    Answer { status: u16, signed: bool },
    /// No connection.
    Refused,
    /// Nothing, ever.
    Silence,
}

/// What it answers to a probe, which asks for something that is always there.
pub(crate) fn probe(condition: Condition, draw: &mut Draw) -> (Reply, u64) {
    match reply(condition, draw) {
        (Reply::Answer { status: 404, signed }, after) => (Reply::Answer { status: 200, signed }, after),
        other => other,
    }
}

/// What a service in this condition answers, and after how long.
pub(crate) fn reply(condition: Condition, draw: &mut Draw) -> (Reply, u64) {
    let latency = draw.between(2, 40);
    let well = Reply::Answer { status: if draw.chance(3) { 404 } else { 200 }, signed: true };
    match condition {
        Condition::Fine => (well, latency),
        Condition::Slow(by) => (well, latency + by),
        Condition::Fails { percent, status } if draw.chance(percent) => {
            (Reply::Answer { status, signed: true }, latency)
        }
        Condition::Fails { .. } => (well, latency),
        Condition::Down(How::Refused) => (Reply::Refused, 1),
        Condition::Down(How::Unavailable) => (Reply::Answer { status: 503, signed: false }, latency),
        Condition::Down(How::Failing) => (Reply::Answer { status: 503, signed: true }, latency),
        Condition::Down(How::Frozen) => (Reply::Silence, 0),
    }
}
