//! `outlierDetection` and the part of `warmup` that goes with it.

use super::reader::Object;
use crate::policy::OutlierDetection;
use std::time::Duration;

const KNOWN: &[&str] = &[
    "consecutiveGatewayErrors",
    "consecutive5xxErrors",
    "interval",
    "baseEjectionTime",
    "maxEjectionTime",
    "maxEjectionPercent",
];

impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            consecutive_gateway_errors: 5,
            consecutive_5xx_errors: 0,
            interval: Duration::from_secs(10),
            base_ejection_time: Duration::from_secs(30),
            max_ejection_time: Duration::from_secs(300),
            max_ejection_percent: 100,
            half_open_requests: 1,
        }
    }
}

/// Reads both, with defaults for what is absent.
pub(super) fn read(root: &Object<'_>) -> OutlierDetection {
    let mut settings = OutlierDetection::default();
    if let Some(object) =
        root.get("outlierDetection").and_then(|node| node.object(KNOWN, &["failurePercentage", "stallTimeout"]))
    {
        let integer = |key, max| object.get(key).and_then(|node| node.integer(0, max));
        let duration = |key| object.get(key).and_then(|node| node.duration());
        if let Some(count) = integer("consecutiveGatewayErrors", 1_000) {
            settings.consecutive_gateway_errors = count;
        }
        if let Some(count) = integer("consecutive5xxErrors", 1_000) {
            settings.consecutive_5xx_errors = count;
        }
        if let Some(percent) = integer("maxEjectionPercent", 100).and_then(|percent| u8::try_from(percent).ok()) {
            settings.max_ejection_percent = percent;
        }
        if let Some(interval) = duration("interval") {
            settings.interval = interval;
        }
        if let Some(base) = duration("baseEjectionTime") {
            settings.base_ejection_time = base;
            settings.max_ejection_time = settings.max_ejection_time.max(base);
        }
        if let Some(node) = object.get("maxEjectionTime")
            && let Some(longest) = node.duration()
        {
            settings.max_ejection_time = longest;
            if longest < settings.base_ejection_time {
                node.error_with("is shorter than `baseEjectionTime`", "at least as long a time");
            }
        }
    }
    if let Some(object) = root
        .get("warmup")
        .and_then(|node| node.object(&["halfOpenRequests"], &["duration", "minimumPercent", "aggression"]))
        && let Some(tokens) = object.get("halfOpenRequests").and_then(|node| node.integer(1, 1_000))
    {
        settings.half_open_requests = u16::try_from(tokens).unwrap_or(1);
    }
    settings
}
