//! What a run leaves behind: every request, every event, every check, as plain data.
//!
//! The load generator fills it, the scenarios judge it and the report draws it. None of them need each other, so the
//! types here hold no behaviour beyond construction, no clock and no handles: a run can be stored, compared with another
//! and drawn again without a mesh. All instants are offsets from the start of the run, so that requests and events of
//! different tasks are on one axis. In JSON, a duration is a number of milliseconds.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// One request of the load, as its client saw it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// When it was sent, since the start of the run.
    #[serde(serialize_with = "milliseconds")]
    pub at: Duration,
    /// Which of the rotating request kinds it was, e.g. `asks us-chicago-1`.
    pub kind: String,
    /// How it ended.
    pub outcome: SampleOutcome,
    /// `x-served-by-cluster` of the response, if there was one.
    pub served_by: Option<String>,
    /// `x-region-decision` of the response, if there was one.
    pub decision: Option<String>,
    /// From sending it to the end of the response body, or to the error.
    #[serde(serialize_with = "milliseconds")]
    pub latency: Duration,
    /// The phase of the run it was sent in: the name of the last mark before it.
    pub phase: String,
}

impl Sample {
    /// Whether the client got a success: a status below 400.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self.outcome, SampleOutcome::Status(status) if status < 400)
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SampleOutcome {
    /// A complete response came, with this status.
    Status(u16),
    /// None came: refused, reset, cut short, or later than the client waits.
    Error(String),
}

/// Something that happened to the mesh during the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, since the start of the run.
    #[serde(serialize_with = "milliseconds")]
    pub at: Duration,
    /// What, in words, e.g. `productpage in secondary stopped`.
    pub label: String,
    /// What sort of thing it was.
    pub kind: EventKind,
}

/// The sorts of [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum EventKind {
    /// A part of the mesh was taken away: stopped, frozen, or told to fail.
    Stopped,
    /// It was given back.
    Returned,
    /// The filter ejected a region.
    Ejected,
    /// The filter took a region back.
    Readmitted,
    /// Anything else worth a mark on the axis, such as the start of a phase.
    Note,
}

/// One thing that was asked of the mesh, and what it showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What is being proven, in a few words.
    pub name: String,
    /// What was done: the request, the fault.
    pub asked: String,
    /// What was seen.
    pub seen: String,
    /// What had to be seen.
    pub expected: String,
    /// Whether they agree.
    pub passed: bool,
}

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Run {
    /// What the run is called.
    pub title: String,
    /// The circumstances, in order: versions, rate, policy, machine.
    pub facts: Vec<(String, String)>,
    /// Every request, in the order sent.
    pub samples: Vec<Sample>,
    /// Every event, in order.
    pub events: Vec<Event>,
    /// Every check, in order.
    pub checks: Vec<Check>,
}

impl Run {
    /// Whether every check passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64() * 1000.0)
}
