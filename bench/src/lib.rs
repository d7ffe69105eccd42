//! Policies and requests to measure with.
//!
//! What gates is counted: allocations and, later, instructions and host calls. What is timed is only printed, as ratios inside one run,
//! because the machines this runs on are noisy.

pub mod arms;
pub mod calls;
pub mod cpu;
pub mod footprint;
pub mod latency;
pub mod outage;
pub mod results;
pub mod stage;
pub mod statistics;
pub mod wire;
pub mod worker;

use meridian_core::health::{CellKey, Health};
use meridian_core::{LocalHints, Policy, Problem, Timestamp, UnknownKeys, compile};
use serde_json::{Value, json};
use std::time::Duration;

/// Some time that is not the epoch.
pub const NOW: Timestamp = Timestamp(1_000_000);

/// A policy document with so many regions and so many hosts, each host with a rule of its own inside a fence of four regions.
#[must_use]
pub fn document(regions: usize, hosts: usize) -> Value {
    let region = |n: usize| {
        let (name, display) = (format!("region-{n}"), format!("REGION {n}"));
        json!({"name": name, "clusters": [format!("cluster-{n}")], "displayName": display, "aliases": [format!("alias-{n}")]})
    };
    let fence: Vec<String> = (0..regions.min(4)).map(|n| format!("region-{n}")).collect();
    let service = |n: usize| {
        json!({"name": format!("service-{n}"), "hosts": [format!("host-{n}.example.com")],
               "destination": {"host": format!("service-{n}.default.svc.cluster.local"), "port": 80}})
    };
    let rule = |n: usize| {
        json!({"name": format!("rule-{n}"), "fence": "fence",
               "match": {"hosts": [format!("host-{n}.example.com")], "pathPrefix": "/"}})
    };
    json!({
        "apiVersion": "meridian/v1", "role": "gateway", "local": "region-0",
        "regions": (0..regions).map(region).collect::<Vec<_>>(),
        "fences": {"fence": fence},
        "services": (0..hosts).map(service).collect::<Vec<_>>(),
        "rules": (0..hosts).map(rule).collect::<Vec<_>>(),
    })
}

/// Compiles a document as the filter does.
///
/// # Errors
/// Every problem of the document; there is none unless the measuring itself is broken.
pub fn policy(document: &Value) -> Result<Policy, Vec<Problem>> {
    compile(document, UnknownKeys::Warn, &LocalHints::default()).map(|(policy, _)| policy)
}

/// The header lines of a request for the last host, as a browser sends about as many.
#[must_use]
pub fn request(hosts: usize, region: Option<&str>) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        (":method", "GET".to_owned()),
        (":authority", format!("host-{}.example.com", hosts.saturating_sub(1))),
        (":path", "/productpage?u=normal".to_owned()),
        (":scheme", "https".to_owned()),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)".to_owned()),
        ("accept", "text/html,application/xhtml+xml".to_owned()),
        ("x-request-id", "5b1c9f0e-8a2e-4c55-9d2a-6b8f0c1d2e3f".to_owned()),
    ];
    lines.extend(region.map(|region| ("region", region.to_owned())));
    lines
}

/// Health with the first region ejected for the last service.
#[must_use]
pub fn ejected(policy: &Policy, hosts: usize) -> Health {
    let mut health = Health::default();
    let service = policy.service_named(&format!("service-{}", hosts.saturating_sub(1)));
    if let (Some(service), Some(region)) = (service, policy.region_named("region-0")) {
        health.eject(CellKey { service, region }, NOW.plus(Duration::from_secs(30)));
    }
    health
}
