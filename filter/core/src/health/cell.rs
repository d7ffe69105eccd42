//! One service in one region: healthy, ejected, half-open.
//!
//! Ejection follows Envoy's outlier detection (so many errors in a row; the n-th ejection n times as long), with two differences. The
//! multiplier goes down only while real requests succeed, not because time passed: a region that got no traffic has proven nothing.
//! And the way back is by evidence: when the time is over the region is half-open, a few requests try it, and the first of them
//! decides. Outcomes of other requests, sent before the ejection and answered after it, change nothing.

use super::Availability;
use crate::policy::{OutlierDetection, Timestamp};
use std::time::Duration;

/// What a region did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer below 500.
    Success,
    /// 502, 503, 504, or no answer at all: connect failure, reset, timeout.
    GatewayError,
    /// Another 5xx: the application's own.
    ServerError,
}

/// A cell's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In use.
    Healthy,
    /// Not in use until its time is over.
    Ejected,
    /// Its time is over; tokens try it.
    HalfOpen,
}

impl State {
    /// The name in logs, metrics and explanations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Ejected => "ejected",
            Self::HalfOpen => "half-open",
        }
    }
}

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
    Readmitted,
}

/// Why a region was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// `consecutiveGatewayErrors`.
    ConsecutiveGatewayErrors,
    /// `consecutive5xxErrors`.
    Consecutive5xxErrors,
    /// A half-open region failed a request that tried it.
    HalfOpen,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 3] = [Self::ConsecutiveGatewayErrors, Self::Consecutive5xxErrors, Self::HalfOpen];

    /// The name in logs and metrics: the setting's.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConsecutiveGatewayErrors => "consecutiveGatewayErrors",
            Self::Consecutive5xxErrors => "consecutive5xxErrors",
            Self::HalfOpen => "halfOpen",
        }
    }
}

/// One service in one region. The default is healthy without history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) gateway_errors: u16,
    pub(super) server_errors: u16,
    /// Ejections in a row, less what successes took off.
    pub(super) times: u16,
    pub(super) tokens_out: u16,
    /// Ejected until then, and half-open from then on; zero: healthy.
    pub(super) until: Timestamp,
    /// Healthy: when the next success takes one off `times`. Half-open: when the tokens that are out are given up for lost.
    pub(super) due: Timestamp,
}

impl Cell {
    pub(super) fn ejected(until: Timestamp) -> Self {
        Self { times: 1, until: Timestamp(until.0.max(1)), ..Self::default() }
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.until == Timestamp::default()
    }

    pub(super) fn state(&self, now: Timestamp) -> State {
        if self.is_healthy() {
            State::Healthy
        } else if now < self.until {
            State::Ejected
        } else {
            State::HalfOpen
        }
    }

    pub(super) fn availability(&self, now: Timestamp, settings: &OutlierDetection) -> Availability {
        match self.state(now) {
            State::Healthy => Availability::Usable,
            State::Ejected => Availability::Ejected(self.until.since(now)),
            State::HalfOpen if self.tokens_out < settings.half_open_requests || now >= self.due => {
                Availability::HalfOpen
            }
            State::HalfOpen => Availability::HalfOpenBusy,
        }
    }

    pub(super) fn take_token(&mut self, now: Timestamp, settings: &OutlierDetection) -> bool {
        if self.availability(now, settings) != Availability::HalfOpen {
            return false;
        }
        let lost = now >= self.due;
        self.tokens_out = if lost { 1 } else { self.tokens_out.saturating_add(1) };
        self.due = now.plus(settings.interval);
        true
    }

    /// Nobody else tries for a tenth of the interval: whatever kept this request away keeps the next one away as well.
    pub(super) fn return_token(&mut self, now: Timestamp, settings: &OutlierDetection) {
        if self.state(now) == State::HalfOpen {
            self.tokens_out = settings.half_open_requests;
            self.due = now.plus(settings.interval / 10);
        }
    }

    pub(super) fn record(
        &mut self,
        outcome: Outcome,
        probe: bool,
        now: Timestamp,
        settings: &OutlierDetection,
        may_eject: bool,
    ) -> Transition {
        match (self.state(now), probe, outcome) {
            (State::Healthy, _, Outcome::Success) => {
                self.success(now, settings);
                Transition::None
            }
            (State::Healthy, _, Outcome::GatewayError) => {
                self.gateway_errors = self.gateway_errors.saturating_add(1);
                self.server_errors = self.server_errors.saturating_add(1);
                self.trip(now, settings, may_eject)
            }
            (State::Healthy, _, Outcome::ServerError) => {
                self.gateway_errors = 0;
                self.server_errors = self.server_errors.saturating_add(1);
                self.trip(now, settings, may_eject)
            }
            (State::HalfOpen, true, Outcome::Success | Outcome::ServerError) => {
                *self = Self { times: self.times, due: now.plus(settings.interval), ..Self::default() };
                Transition::Readmitted
            }
            (State::HalfOpen, true, Outcome::GatewayError) => self.eject(now, settings, Cause::HalfOpen),
            // Whatever else arrives was sent before the ejection, or past it on purpose.
            (State::HalfOpen | State::Ejected, _, _) => Transition::None,
        }
    }

    fn success(&mut self, now: Timestamp, settings: &OutlierDetection) {
        self.gateway_errors = 0;
        self.server_errors = 0;
        if self.times > 0 && now >= self.due {
            self.times -= 1;
            self.due = now.plus(settings.interval);
        }
        if self.times == 0 {
            self.due = Timestamp::default();
        }
    }

    fn trip(&mut self, now: Timestamp, settings: &OutlierDetection, may_eject: bool) -> Transition {
        let reached = |count: u16, limit: u32| limit > 0 && u32::from(count) >= limit;
        if !may_eject {
            Transition::None
        } else if reached(self.gateway_errors, settings.consecutive_gateway_errors) {
            self.eject(now, settings, Cause::ConsecutiveGatewayErrors)
        } else if reached(self.server_errors, settings.consecutive_5xx_errors) {
            self.eject(now, settings, Cause::Consecutive5xxErrors)
        } else {
            Transition::None
        }
    }

    fn eject(&mut self, now: Timestamp, settings: &OutlierDetection, cause: Cause) -> Transition {
        let times = self.times.saturating_add(1);
        let duration = settings.base_ejection_time.saturating_mul(u32::from(times)).min(settings.max_ejection_time);
        // Envoy stops counting once the longest ejection is reached; otherwise it would take as long to forget.
        let capped = settings.base_ejection_time.saturating_mul(u32::from(self.times)) >= settings.max_ejection_time;
        *self = Self { times: if capped { self.times } else { times }, until: now.plus(duration), ..Self::default() };
        Transition::Ejected { duration, times: self.times, cause }
    }
}
