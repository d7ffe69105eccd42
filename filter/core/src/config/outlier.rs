//! `outlierDetection`, `warmup` and `activeHealthCheck`: what health is judged by.

use super::reader::{Node, Object};
use crate::health::{ActiveHealthCheck, FailurePercentage, HealthSettings, OutlierDetection, Ramp, Warmup};
use crate::ids::ServiceId;
use std::time::Duration;

/// Reads all three, with defaults for what is absent.
pub(super) fn read(root: &Object<'_>, probed: Vec<ServiceId>) -> HealthSettings {
    HealthSettings {
        outlier_detection: root.get("outlierDetection").as_ref().and_then(outlier_detection).unwrap_or_default(),
        warmup: root.get("warmup").as_ref().and_then(warmup).unwrap_or_default(),
        active_health_check: root.get("activeHealthCheck").as_ref().and_then(active_health_check).unwrap_or_default(),
        probed,
    }
}

const OUTLIER_DETECTION: &[&str] = &[
    "consecutiveGatewayErrors",
    "consecutive5xxErrors",
    "interval",
    "baseEjectionTime",
    "maxEjectionTime",
    "maxEjectionPercent",
    "failurePercentage",
    "stallTimeout",
];

fn outlier_detection(node: &Node<'_>) -> Option<OutlierDetection> {
    let object = node.object(OUTLIER_DETECTION)?;
    let mut settings = OutlierDetection::default();
    set(&mut settings.consecutive_gateway_errors, whole(&object, "consecutiveGatewayErrors", 0, 1_000));
    set(&mut settings.consecutive_5xx_errors, whole(&object, "consecutive5xxErrors", 0, 1_000));
    set(&mut settings.max_ejection_percent, percent(&object, "maxEjectionPercent", 0));
    set(&mut settings.interval, duration(&object, "interval"));
    set(&mut settings.stall_timeout, duration(&object, "stallTimeout"));
    set(&mut settings.base_ejection_time, duration(&object, "baseEjectionTime"));
    settings.max_ejection_time = settings.max_ejection_time.max(settings.base_ejection_time);
    if let Some(node) = object.get("maxEjectionTime")
        && let Some(longest) = node.duration()
    {
        settings.max_ejection_time = longest;
        if longest < settings.base_ejection_time {
            node.error_with("is shorter than `baseEjectionTime`", "at least as long a time");
        }
    }
    if let Some(node) = object.get("failurePercentage") {
        settings.failure_percentage = failure_percentage(&node);
    }
    Some(settings)
}

/// A threshold of 0 turns it off.
fn failure_percentage(node: &Node<'_>) -> Option<FailurePercentage> {
    let object = node.object(&["threshold", "requestVolume"])?;
    let mut limit = FailurePercentage::default();
    set(&mut limit.threshold, percent(&object, "threshold", 0));
    set(&mut limit.request_volume, whole(&object, "requestVolume", 1, 1_000_000));
    (limit.threshold > 0).then_some(limit)
}

fn warmup(node: &Node<'_>) -> Option<Warmup> {
    let object = node.object(&["duration", "minimumPercent", "aggression", "halfOpenRequests"])?;
    let mut settings = Warmup::default();
    let tokens = whole(&object, "halfOpenRequests", 1, 1_000).and_then(|tokens| u16::try_from(tokens).ok());
    set(&mut settings.half_open_requests, tokens);
    let duration = object.get("duration").map_or(Some(settings.ramp.duration()), |node| node.duration_or_none());
    let minimum = percent(&object, "minimumPercent", 0).unwrap_or(10);
    let aggression = object.get("aggression").map_or(Some(100), |node| node.hundredths(10, 1_000)).unwrap_or(100);
    settings.ramp = Ramp::new(duration?, minimum, aggression);
    Some(settings)
}

/// A probe is sent from a tick of the filter, of which there are four a second.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

fn active_health_check(node: &Node<'_>) -> Option<ActiveHealthCheck> {
    let object = node.object(&["interval", "timeout", "unhealthyThreshold", "healthyThreshold", "expectedStatuses"])?;
    let mut settings = ActiveHealthCheck::default();
    set(&mut settings.interval, duration(&object, "interval"));
    if let Some(node) = object.get("interval")
        && settings.interval < SHORTEST_INTERVAL
    {
        node.error_with("is shorter than a second", "`1s` or longer");
    }
    settings.timeout = settings.timeout.min(settings.interval);
    if let Some(node) = object.get("timeout")
        && let Some(timeout) = node.duration()
    {
        settings.timeout = timeout;
        if timeout > settings.interval {
            node.error_with("is longer than `interval`", "at most that time");
        }
    }
    let threshold = |key| whole(&object, key, 1, 1_000).and_then(|count| u16::try_from(count).ok());
    set(&mut settings.unhealthy_threshold, threshold("unhealthyThreshold"));
    set(&mut settings.healthy_threshold, threshold("healthyThreshold"));
    if let Some(node) = object.get("expectedStatuses") {
        let statuses = node.list()?;
        if statuses.is_empty() {
            node.error_with("is empty, so that no probe could ever pass", "e.g. `[200]`");
        }
        let statuses = statuses.iter().filter_map(|node| node.integer(200, 599));
        settings.expected_statuses = statuses.filter_map(|status| u16::try_from(status).ok()).collect();
    }
    Some(settings)
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn whole(object: &Object<'_>, key: &str, min: u32, max: u32) -> Option<u32> {
    object.get(key).and_then(|node| node.integer(min, max))
}

fn percent(object: &Object<'_>, key: &str, min: u32) -> Option<u8> {
    whole(object, key, min, 100).and_then(|percent| u8::try_from(percent).ok())
}

fn duration(object: &Object<'_>, key: &str) -> Option<Duration> {
    object.get(key).and_then(|node| node.duration())
}
