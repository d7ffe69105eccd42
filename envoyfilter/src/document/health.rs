//! `outlierDetection`, `activeHealthCheck` and `warmup`. Defaults are those of `meridian-core`.

use super::Duration;
use meridian_core::health;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a region is ejected for a service, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct OutlierDetection {
    /// 502, 503, 504 or no answer, in a row; 0 is off.
    #[schemars(range(max = 1_000))]
    pub consecutive_gateway_errors: u32,
    /// Any 5xx in a row; 0 is off.
    #[serde(rename = "consecutive5xxErrors")]
    #[schemars(range(max = 1_000))]
    pub consecutive_5xx_errors: u32,
    /// The window of failurePercentage, how long a region may answer nothing while others do, and how long without an ejection takes
    /// one off the multiplier.
    pub interval: Duration,
    /// The n-th ejection in a row lasts n times this.
    pub base_ejection_time: Duration,
    /// No ejection lasts longer.
    pub max_ejection_time: Duration,
    /// How many regions of a service may be ejected at once, in percent.
    #[schemars(range(max = 100))]
    pub max_ejection_percent: u8,
    /// The share of failures, any 5xx among them, that ejects, unless every other region fails alike.
    pub failure_percentage: FailurePercentage,
    /// Requests that nobody answers for so long eject.
    pub stall_timeout: Duration,
}

/// The share of failures that ejects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct FailurePercentage {
    /// In percent; 0 is off.
    #[schemars(range(max = 100))]
    pub threshold: u8,
    /// Fewer requests in an interval say nothing.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub request_volume: u32,
}

/// How services that have a probe are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct ActiveHealthCheck {
    /// From one question to the next; at least `1s`.
    pub interval: Duration,
    /// An answer comes by then; at most the interval.
    pub timeout: Duration,
    /// So many failures in a row eject a region.
    #[schemars(range(min = 1, max = 1_000))]
    pub unhealthy_threshold: u16,
    /// So many passes in a row let an ejected region be tried.
    #[schemars(range(min = 1, max = 1_000))]
    pub healthy_threshold: u16,
    /// What counts as an answer.
    #[schemars(length(min = 1), inner(range(min = 200, max = 599)))]
    pub expected_statuses: Vec<u16>,
}

/// How a region comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Warmup {
    /// How long until it has all its requests again; 0s is at once.
    pub duration: Duration,
    /// What it gets at first, in percent of its requests.
    #[schemars(range(max = 100))]
    pub minimum_percent: u8,
    /// The share grows with (elapsed / duration) ^ (1 / aggression), as in Envoy's slow start. 1 is a straight line.
    #[schemars(range(min = 0.1, max = 10))]
    pub aggression: f64,
    /// How many requests at once may try a half-open region.
    #[schemars(range(min = 1, max = 1_000))]
    pub half_open_requests: u16,
}

impl Default for OutlierDetection {
    fn default() -> Self {
        Self::from(&health::OutlierDetection::default())
    }
}

impl From<&health::OutlierDetection> for OutlierDetection {
    fn from(settings: &health::OutlierDetection) -> Self {
        let off = FailurePercentage { threshold: 0, ..FailurePercentage::default() };
        Self {
            consecutive_gateway_errors: settings.consecutive_gateway_errors,
            consecutive_5xx_errors: settings.consecutive_5xx_errors,
            interval: settings.interval.into(),
            base_ejection_time: settings.base_ejection_time.into(),
            max_ejection_time: settings.max_ejection_time.into(),
            max_ejection_percent: settings.max_ejection_percent,
            failure_percentage: settings.failure_percentage.as_ref().map_or(off, FailurePercentage::from),
            stall_timeout: settings.stall_timeout.into(),
        }
    }
}

impl Default for FailurePercentage {
    fn default() -> Self {
        Self::from(&health::FailurePercentage::default())
    }
}

impl From<&health::FailurePercentage> for FailurePercentage {
    fn from(limit: &health::FailurePercentage) -> Self {
        Self { threshold: limit.threshold, request_volume: limit.request_volume }
    }
}

impl Default for ActiveHealthCheck {
    fn default() -> Self {
        Self::from(&health::ActiveHealthCheck::default())
    }
}

impl From<&health::ActiveHealthCheck> for ActiveHealthCheck {
    fn from(settings: &health::ActiveHealthCheck) -> Self {
        Self {
            interval: settings.interval.into(),
            timeout: settings.timeout.into(),
            unhealthy_threshold: settings.unhealthy_threshold,
            healthy_threshold: settings.healthy_threshold,
            expected_statuses: settings.expected_statuses.clone(),
        }
    }
}

impl Default for Warmup {
    fn default() -> Self {
        Self::from(&health::Warmup::default())
    }
}

impl From<&health::Warmup> for Warmup {
    fn from(settings: &health::Warmup) -> Self {
        Self {
            duration: settings.ramp.duration().into(),
            minimum_percent: settings.ramp.minimum_percent(),
            aggression: f64::from(settings.ramp.aggression()) / 100.0,
            half_open_requests: settings.half_open_requests,
        }
    }
}
