//! What decides about health: when a region is ejected for a service, how it is probed, how it comes back.
//!
//! The names are Istio's and Envoy's. Their "host" is a region for a service here, so some defaults differ, each for a reason that
//! stands at the field.

use crate::ids::ServiceId;
use std::time::Duration;

/// Everything health is judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthSettings {
    /// When a region is ejected, and for how long.
    pub outlier_detection: OutlierDetection,
    /// How it comes back.
    pub warmup: Warmup,
    /// How regions are asked; services that have a `probe` only.
    pub active_health_check: ActiveHealthCheck,
    /// The services that have a probe, sorted.
    pub probed: Vec<ServiceId>,
}

impl HealthSettings {
    /// Whether the service has a probe, so that its regions come back only when that passes.
    #[must_use]
    pub fn is_probed(&self, service: ServiceId) -> bool {
        self.probed.binary_search(&service).is_ok()
    }

    /// From so long without a result on, a probe says nothing any more: whoever asked is gone, and nobody may wait for it for good.
    #[must_use]
    pub fn probe_is_stale_after(&self) -> Duration {
        self.active_health_check.interval.saturating_mul(3).saturating_add(self.active_health_check.timeout)
    }
}

/// When a region is ejected for a service, and for how long. Names as in Istio's `OutlierDetection`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlierDetection {
    /// 502, 503, 504 or no answer, in a row; 0 is off. Default 5, as Envoy's.
    pub consecutive_gateway_errors: u32,
    /// Any 5xx in a row; 0 is off, and the default: a bug in an application is in every region.
    pub consecutive_5xx_errors: u32,
    /// The window of `failurePercentage`; how long a region may answer nothing while others do; how much time without ejection, with
    /// successes, takes one off the multiplier. Default 10 s.
    pub interval: Duration,
    /// The n-th ejection in a row lasts n times this. Default 30 s.
    pub base_ejection_time: Duration,
    /// No ejection lasts longer. Default 300 s.
    pub max_ejection_time: Duration,
    /// How many regions of a service may be ejected at once, in percent; one always may. Default 100, because the fence's `whenExhausted`
    /// says what happens then; Envoy's 10 would keep a region of two in use whatever it answers.
    pub max_ejection_percent: u8,
    /// The share of failures that ejects, application errors among them; `None`: off.
    pub failure_percentage: Option<FailurePercentage>,
    /// Requests that are answered by nobody for this long eject. Default 5 s.
    pub stall_timeout: Duration,
}

/// The share of failures in a window that ejects. It takes no region while every other one that is in use fails as often: what fails
/// everywhere is the application, and moving helps nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePercentage {
    /// In percent. Default 50.
    pub threshold: u8,
    /// Fewer requests in the window say nothing. Default 100.
    pub request_volume: u32,
}

/// How a region comes back: a few requests try it, then its share grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warmup {
    /// How many requests at once may try a half-open region. Default 1.
    pub half_open_requests: u16,
    /// What a region gets of its requests as time passes.
    pub ramp: Ramp,
}

/// How regions are asked. Names as in Envoy's health checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveHealthCheck {
    /// From one question to the next. Default 3 s.
    pub interval: Duration,
    /// An answer comes by then. Default 1 s.
    pub timeout: Duration,
    /// So many failures in a row eject. Default 3.
    pub unhealthy_threshold: u16,
    /// So many passes in a row let an ejected region be tried. Default 1.
    pub healthy_threshold: u16,
    /// What counts as an answer. Default 200.
    pub expected_statuses: Vec<u16>,
}

/// The share of its requests that a returning region gets, by the time since it came back: `(elapsed / duration) ^ (1 / aggression)`,
/// at least `minimumPercent`, as Envoy's slow start (`source/extensions/load_balancing_policies/common/load_balancer_impl.cc`,
/// `applySlowStartFactor`). The curve is drawn once, so that the hot path has no floating point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ramp {
    duration: Duration,
    /// In hundredths.
    aggression: u32,
    curve: [u8; STEPS + 1],
}

const STEPS: usize = 100;

impl Ramp {
    /// A ramp of this duration (zero: none), from a share in percent on, with an aggression in hundredths (100 is a straight line).
    #[must_use]
    pub fn new(duration: Duration, minimum_percent: u8, aggression: u32) -> Self {
        let exponent = 100.0 / f64::from(aggression.max(1));
        let mut curve = [100; STEPS + 1];
        for (step, percent) in (0_u8..).zip(&mut curve) {
            // A hair more, so that what is 29 but for the arithmetic is 29.
            let share = (f64::from(step) / 100.0).powf(exponent) * 100.0 + 1e-6;
            // Truncation is meant: a share is never more than the curve says. `as` saturates, and the value is about 100 at most.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let whole = share as u8;
            *percent = whole.clamp(minimum_percent.min(100), 100);
        }
        Self { duration, aggression, curve }
    }

    /// How long it takes.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// The share in percent at first.
    #[must_use]
    pub fn minimum_percent(&self) -> u8 {
        let [first, ..] = self.curve;
        first
    }

    /// How bent the curve is, in hundredths; 100 is a straight line.
    #[must_use]
    pub fn aggression(&self) -> u32 {
        self.aggression
    }

    /// The share in percent after this long; 100 from the end on.
    #[must_use]
    pub fn percent(&self, elapsed: Duration) -> u8 {
        let steps = elapsed.as_millis().saturating_mul(100).checked_div(self.duration.as_millis()).unwrap_or(100);
        usize::try_from(steps).ok().and_then(|step| self.curve.get(step)).copied().unwrap_or(100)
    }
}

impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            consecutive_gateway_errors: 5,
            consecutive_5xx_errors: 0,
            interval: Duration::from_secs(10),
            base_ejection_time: Duration::from_secs(30),
            max_ejection_time: Duration::from_secs(300),
            max_ejection_percent: 100,
            failure_percentage: Some(FailurePercentage::default()),
            stall_timeout: Duration::from_secs(5),
        }
    }
}

impl Default for FailurePercentage {
    fn default() -> Self {
        Self { threshold: 50, request_volume: 100 }
    }
}

impl Default for Warmup {
    fn default() -> Self {
        Self { half_open_requests: 1, ramp: Ramp::new(Duration::from_secs(60), 10, 100) }
    }
}

impl Default for ActiveHealthCheck {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(3),
            timeout: Duration::from_secs(1),
            unhealthy_threshold: 3,
            healthy_threshold: 1,
            expected_statuses: vec![200],
        }
    }
}
