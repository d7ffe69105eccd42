//! What changed: a transition is a return value, so that whoever applies it can log it and count it once.

use super::CellKey;
use std::time::Duration;

/// A transition and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// A service in a region, or a region.
    pub key: CellKey,
    /// What happened to it; never [`Transition::None`].
    pub transition: Transition,
}

/// What one piece of news changed: the service there, and the region when it is the second one.
pub type Changes = [Option<Change>; 2];

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Transition {
    /// Nothing that anyone but the counters would notice.
    None,
    /// The region was ejected, or a half-open one was ejected again.
    Ejected {
        /// For how long.
        duration: Duration,
        /// The how-manieth time in a row.
        times: u16,
        /// The setting that did it.
        cause: Cause,
    },
    /// A half-open region answered and is in use again.
    Readmitted {
        /// For a share of its requests at first.
        ramps: bool,
    },
    /// A region that came back has all its requests again.
    Warm,
}

/// Why a region was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// `consecutiveGatewayErrors`.
    ConsecutiveGatewayErrors,
    /// `consecutive5xxErrors`.
    Consecutive5xxErrors,
    /// `failurePercentage`.
    FailurePercentage,
    /// `stallTimeout`: requests waited and none was answered.
    StallTimeout,
    /// It answered nothing for `interval` while others answered in its place.
    Absent,
    /// `activeHealthCheck`: its probe failed.
    ActiveHealthCheck,
    /// A half-open region failed a request that tried it.
    HalfOpen,
    /// The whole region: several services failed there and none of them said that it was itself.
    Unreachable,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 8] = [
        Self::ConsecutiveGatewayErrors,
        Self::Consecutive5xxErrors,
        Self::FailurePercentage,
        Self::StallTimeout,
        Self::Absent,
        Self::ActiveHealthCheck,
        Self::HalfOpen,
        Self::Unreachable,
    ];

    /// The name in logs and metrics: the setting's, where there is one.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConsecutiveGatewayErrors => "consecutiveGatewayErrors",
            Self::Consecutive5xxErrors => "consecutive5xxErrors",
            Self::FailurePercentage => "failurePercentage",
            Self::StallTimeout => "stallTimeout",
            Self::Absent => "absent",
            Self::ActiveHealthCheck => "activeHealthCheck",
            Self::HalfOpen => "halfOpen",
            Self::Unreachable => "unreachable",
        }
    }
}
