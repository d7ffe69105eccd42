//! One service in one region (or a whole region): healthy, ejected, half-open, ramping.
//!
//! Ejection follows Envoy's outlier detection (so many errors in a row; the n-th ejection n times as long), with two differences. The
//! multiplier goes down only while real requests succeed, not because time passed: a region that got no traffic has proven nothing.
//! And the way back is by evidence: when the time is over (and the probe passes, where there is one) the region is half-open, a few
//! requests try it, the first of them decides, and then its share grows. Outcomes of other requests, sent before the ejection and
//! answered after it, change nothing.

use super::change::{Cause, Transition};
use super::settings::{HealthSettings, OutlierDetection};
use super::window::Window;
use super::{Availability, Outcome};
use crate::policy::Timestamp;

/// A cell's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In use.
    Healthy,
    /// Not in use until its time is over.
    Ejected,
    /// Its time is over; tokens try it.
    HalfOpen,
    /// In use for a share of its requests that grows.
    Ramping,
}

impl State {
    /// The name in logs, metrics and explanations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Ejected => "ejected",
            Self::HalfOpen => "half-open",
            Self::Ramping => "ramping",
        }
    }
}

/// The default is healthy without history. A time of zero is "never".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) gateway_errors: u16,
    pub(super) server_errors: u16,
    /// Ejections in a row, less what successes took off.
    pub(super) times: u16,
    pub(super) tokens_out: u16,
    /// Ejected until then, and half-open from then on.
    pub(super) until: Timestamp,
    /// In use: when the next success takes one off `times`. Half-open: when the tokens that are out are given up for lost.
    pub(super) due: Timestamp,
    /// When its share began to grow.
    pub(super) ramp_from: Timestamp,
    /// What was counted lately.
    pub(super) window: Window,
    /// Since when others answer in its place and it answers nothing.
    pub(super) absent_since: Timestamp,
    /// Since when requests are known to wait for it.
    pub(super) stalled_since: Timestamp,
    /// When it last failed in a way that may be the path's fault and not the service's.
    pub(super) unreachable_at: Timestamp,
    /// When its probe last had a result, and how many of which kind in a row.
    pub(super) probed_at: Timestamp,
    pub(super) probe_failures: u16,
    pub(super) probe_passes: u16,
}

/// What a cell is told of beside an outcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) now: Timestamp,
    pub(super) settings: &'a HealthSettings,
    /// The request held one of the region's tokens.
    pub(super) probe: bool,
    /// `maxEjectionPercent` leaves room.
    pub(super) may_eject: bool,
    /// Another region of the service is in use, and does not fail alike.
    pub(super) has_company: bool,
    /// The service has a probe, which has to pass before it comes back.
    pub(super) probed: bool,
}

impl Cell {
    pub(super) fn ejected(until: Timestamp) -> Self {
        Self { times: 1, until: Timestamp(until.0.max(1)), ..Self::default() }
    }

    /// Neither ejected nor on its way back.
    pub(super) fn is_healthy(&self) -> bool {
        self.until.is_never() && self.ramp_from.is_never()
    }

    /// In use, if only for a share of its requests.
    pub(super) fn is_in_use(&self) -> bool {
        self.until.is_never()
    }

    /// Whether the next success has to be known at once: it ends a row of errors, or proves something.
    pub(super) fn awaits_success(&self, now: Timestamp) -> bool {
        self.gateway_errors > 0
            || self.server_errors > 0
            || !self.absent_since.is_never()
            || !self.stalled_since.is_never()
            || (self.times > 0 && now >= self.due)
    }

    pub(super) fn state(&self, probed: bool, now: Timestamp, settings: &HealthSettings) -> State {
        if self.is_in_use() {
            let over = self.ramp_from.is_never() || self.ramp_from.elapsed(now) >= settings.warmup.ramp.duration();
            if over { State::Healthy } else { State::Ramping }
        } else if now < self.until || (probed && self.probe_forbids(now, settings)) {
            State::Ejected
        } else {
            State::HalfOpen
        }
    }

    fn probe_forbids(&self, now: Timestamp, settings: &HealthSettings) -> bool {
        let fresh = self.probed_at.elapsed(now) < settings.probe_is_stale_after();
        fresh && self.probe_passes < settings.active_health_check.healthy_threshold
    }

    pub(super) fn availability(&self, probed: bool, now: Timestamp, settings: &HealthSettings) -> Availability {
        match self.state(probed, now, settings) {
            State::Healthy => Availability::Usable,
            State::Ramping => Availability::Ramping(settings.warmup.ramp.percent(self.ramp_from.elapsed(now))),
            State::Ejected => Availability::Ejected(self.until.since(now)),
            State::HalfOpen if self.tokens_out < settings.warmup.half_open_requests || now >= self.due => {
                Availability::HalfOpen
            }
            State::HalfOpen => Availability::HalfOpenBusy,
        }
    }

    pub(super) fn take_token(&mut self, now: Timestamp, settings: &OutlierDetection) {
        let lost = now >= self.due;
        self.tokens_out = if lost { 1 } else { self.tokens_out.saturating_add(1) };
        self.due = now.plus(settings.interval);
    }

    /// Nobody else tries for a tenth of the interval: whatever kept this request away keeps the next one away as well.
    pub(super) fn return_token(&mut self, now: Timestamp, settings: &HealthSettings) {
        if !self.is_in_use() && now >= self.until {
            self.tokens_out = settings.warmup.half_open_requests;
            self.due = now.plus(settings.outlier_detection.interval / 10);
        }
    }

    pub(super) fn record(&mut self, outcome: Outcome, at: &Circumstances<'_>) -> Transition {
        if !self.is_in_use() {
            // Whatever arrives without a token was sent before the ejection, or past it on purpose.
            return match outcome {
                _ if !at.probe || at.now < self.until => Transition::None,
                Outcome::Success | Outcome::ServerError => self.readmit(at.now, at.settings),
                Outcome::GatewayError | Outcome::Retried | Outcome::Unreachable => self.eject(at, Cause::HalfOpen),
                Outcome::Absent | Outcome::Stalled => Transition::None,
            };
        }
        match outcome {
            Outcome::Success => {
                self.succeed(at.now, &at.settings.outlier_detection);
                self.window.count(1, 0, at.now, at.settings.outlier_detection.interval);
                return Transition::None;
            }
            Outcome::GatewayError | Outcome::Retried | Outcome::Unreachable => {
                self.gateway_errors = self.gateway_errors.saturating_add(1);
                self.server_errors = self.server_errors.saturating_add(1);
                self.window.count(1, 1, at.now, at.settings.outlier_detection.interval);
            }
            Outcome::ServerError => {
                self.gateway_errors = 0;
                self.server_errors = self.server_errors.saturating_add(1);
                self.window.count(1, 1, at.now, at.settings.outlier_detection.interval);
            }
            Outcome::Absent => self.absent_since = self.absent_since.or(at.now),
            Outcome::Stalled => self.stalled_since = self.stalled_since.or(at.now),
        }
        match self.tripped(at) {
            Some(cause) if at.may_eject => self.eject(at, cause),
            Some(_) | None => Transition::None,
        }
    }

    /// The setting that is reached, if one is.
    fn tripped(&self, at: &Circumstances<'_>) -> Option<Cause> {
        let settings = &at.settings.outlier_detection;
        let reached = |count: u16, limit: u32| limit > 0 && u32::from(count) >= limit;
        let since = |time: Timestamp, limit| !time.is_never() && time.elapsed(at.now) >= limit;
        if reached(self.gateway_errors, settings.consecutive_gateway_errors) {
            Some(Cause::ConsecutiveGatewayErrors)
        } else if reached(self.server_errors, settings.consecutive_5xx_errors) {
            Some(Cause::Consecutive5xxErrors)
        } else if at.has_company && settings.failure_percentage.is_some_and(|limit| self.window.exceeds(limit)) {
            Some(Cause::FailurePercentage)
        } else if since(self.absent_since, settings.interval) {
            Some(Cause::Absent)
        } else if since(self.stalled_since, settings.stall_timeout / 2) {
            Some(Cause::StallTimeout)
        } else {
            None
        }
    }

    /// Whether it is in use, and its requests fail so often now that moving others here helps nobody, however few they are.
    pub(super) fn fails_as_well(&self, now: Timestamp, settings: &OutlierDetection) -> bool {
        let nears = |limit| self.window.nears(limit, now, settings.interval);
        self.is_in_use() && settings.failure_percentage.is_some_and(nears)
    }

    /// Several successes that nobody had to know of at once. They end no row of errors: it may have begun after them.
    pub(super) fn add_successes(&mut self, count: u32, now: Timestamp, settings: &OutlierDetection) {
        if self.is_in_use() && count > 0 {
            self.window.count(count, 0, now, settings.interval);
        }
    }

    fn succeed(&mut self, now: Timestamp, settings: &OutlierDetection) {
        self.gateway_errors = 0;
        self.server_errors = 0;
        self.absent_since = Timestamp::NEVER;
        self.stalled_since = Timestamp::NEVER;
        if self.times > 0 && now >= self.due {
            self.times -= 1;
            self.due = now.plus(settings.interval);
        }
        if self.times == 0 {
            self.due = Timestamp::NEVER;
        }
    }

    /// Its probe answered.
    pub(super) fn probe_passed(&mut self, now: Timestamp) {
        // While it is in use, a pass is no news, and a cell without news is kept by nobody.
        (self.probed_at, self.probe_failures) = (Timestamp::NEVER, 0);
        if !self.is_in_use() {
            self.probed_at = now;
            self.probe_passes = self.probe_passes.saturating_add(1);
        }
    }

    /// Its probe did not answer, or not as it should.
    pub(super) fn probe_failed(&mut self, at: &Circumstances<'_>) -> Transition {
        self.probed_at = at.now;
        self.probe_passes = 0;
        self.probe_failures = self.probe_failures.saturating_add(1);
        let enough = self.probe_failures >= at.settings.active_health_check.unhealthy_threshold;
        if self.is_in_use() && enough && at.may_eject && at.has_company {
            self.eject(at, Cause::ActiveHealthCheck)
        } else {
            Transition::None
        }
    }

    pub(super) fn eject(&mut self, at: &Circumstances<'_>, cause: Cause) -> Transition {
        let settings = &at.settings.outlier_detection;
        let times = self.times.saturating_add(1);
        let duration = settings.base_ejection_time.saturating_mul(u32::from(times)).min(settings.max_ejection_time);
        // Envoy stops counting once the longest ejection is reached; otherwise it would take as long to forget.
        let capped = settings.base_ejection_time.saturating_mul(u32::from(self.times)) >= settings.max_ejection_time;
        *self = Self {
            times: if capped { self.times } else { times },
            until: at.now.plus(duration),
            unreachable_at: self.unreachable_at,
            // From here on it has to pass.
            probed_at: if at.probed { at.now } else { Timestamp::NEVER },
            probe_failures: self.probe_failures,
            ..Self::default()
        };
        Transition::Ejected { duration, times: self.times, cause }
    }

    fn readmit(&mut self, now: Timestamp, settings: &HealthSettings) -> Transition {
        let ramps = !settings.warmup.ramp.duration().is_zero();
        *self = Self {
            times: self.times,
            due: now.plus(settings.outlier_detection.interval),
            ramp_from: if ramps { now } else { Timestamp::NEVER },
            ..Self::default()
        };
        Transition::Readmitted { ramps }
    }

    /// Forgets what is over. Errors in a row are forgotten after the longest ejection: a row that takes longer than that is none. The
    /// window they are counted in may be as much as its length older than they are.
    pub(super) fn age(&mut self, now: Timestamp, settings: &HealthSettings) -> Transition {
        if !self.is_in_use() {
            return Transition::None;
        }
        let outlier = &settings.outlier_detection;
        if self.window.start.elapsed(now) >= outlier.max_ejection_time.saturating_add(outlier.interval) {
            (self.gateway_errors, self.server_errors) = (0, 0);
        }
        if self.window.is_forgotten(now, outlier.interval) {
            self.window = if self.gateway_errors == 0 && self.server_errors == 0 {
                Window::default()
            } else {
                Window { start: self.window.start, ..Window::default() }
            };
        }
        if self.unreachable_at.elapsed(now) >= outlier.interval {
            self.unreachable_at = Timestamp::NEVER;
        }
        if self.stalled_since.elapsed(now) >= outlier.stall_timeout.saturating_mul(2) {
            self.stalled_since = Timestamp::NEVER;
        }
        if self.absent_since.elapsed(now) >= outlier.interval.saturating_mul(3) {
            self.absent_since = Timestamp::NEVER;
        }
        if self.probed_at.elapsed(now) >= settings.probe_is_stale_after() {
            (self.probed_at, self.probe_failures) = (Timestamp::NEVER, 0);
        }
        if !self.ramp_from.is_never() && self.ramp_from.elapsed(now) >= settings.warmup.ramp.duration() {
            self.ramp_from = Timestamp::NEVER;
            return Transition::Warm;
        }
        Transition::None
    }
}
