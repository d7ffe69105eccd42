//! `envoy.config.cluster.v3` and `envoy.config.endpoint.v3`: where requests go.

use super::{Address, Duration, Locality};
use serde::Serialize;
use std::collections::BTreeMap;

/// `Cluster`.
#[derive(Clone, Debug, Serialize)]
pub struct Cluster {
    /// Istio's form is `outbound|<port>|<subset>|<host>`.
    pub name: String,
    /// How its endpoints are found.
    #[serde(rename = "type")]
    pub discovery: DiscoveryType,
    /// A connection is made by then or counts as failed.
    pub connect_timeout: Duration,
    /// Its endpoints.
    pub load_assignment: ClusterLoadAssignment,
    /// Envoy's own ejection of hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<OutlierDetection>,
    /// Limits on what may be in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breakers: Option<CircuitBreakers>,
    /// Below which share of healthy hosts Envoy ignores health, and other settings that every policy shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_lb_config: Option<CommonLbConfig>,
}

/// `Cluster.DiscoveryType`.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum DiscoveryType {
    /// Addresses as written.
    #[serde(rename = "STATIC")]
    Static,
    /// Names that DNS resolves, every address used.
    #[serde(rename = "STRICT_DNS")]
    StrictDns,
}

/// `Cluster.CommonLbConfig`.
#[derive(Clone, Debug, Serialize)]
pub struct CommonLbConfig {
    healthy_panic_threshold: Percent,
}

#[derive(Clone, Debug, Serialize)]
struct Percent {
    value: f64,
}

impl CommonLbConfig {
    /// Never send to a host that is known to be unhealthy, as Istio sets it where there is outlier detection.
    pub fn without_panic() -> Self {
        Self { healthy_panic_threshold: Percent { value: 0.0 } }
    }
}

/// `envoy.config.endpoint.v3.ClusterLoadAssignment`.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterLoadAssignment {
    /// The cluster's name.
    pub cluster_name: String,
    /// Endpoints by locality and priority; priorities are numbered from 0 without a gap.
    pub endpoints: Vec<LocalityLbEndpoints>,
}

/// `envoy.config.endpoint.v3.LocalityLbEndpoints`.
#[derive(Clone, Debug, Serialize)]
pub struct LocalityLbEndpoints {
    /// Where these endpoints are.
    pub locality: Locality,
    /// 0 is tried first.
    pub priority: u32,
    /// The endpoints.
    pub lb_endpoints: Vec<LbEndpoint>,
}

/// `envoy.config.endpoint.v3.LbEndpoint`.
#[derive(Clone, Debug, Serialize)]
pub struct LbEndpoint {
    /// Its address.
    pub endpoint: Endpoint,
    /// What istiod says of it.
    pub metadata: Metadata,
}

impl LbEndpoint {
    /// An endpoint at `address`; `workload` is Istio's `name;namespace;canonical-name;revision;cluster`.
    pub fn new(address: impl Into<Address>, workload: impl Into<String>) -> Self {
        let istio = BTreeMap::from([("workload".to_owned(), workload.into())]);
        Self {
            endpoint: Endpoint { address: address.into() },
            metadata: Metadata { filter_metadata: BTreeMap::from([("istio".to_owned(), istio)]) },
        }
    }
}

/// `envoy.config.endpoint.v3.Endpoint`.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoint {
    /// Where it listens.
    pub address: Address,
}

/// `envoy.config.core.v3.Metadata`.
#[derive(Clone, Debug, Serialize)]
pub struct Metadata {
    /// By filter name; here only `istio`.
    pub filter_metadata: BTreeMap<String, BTreeMap<String, String>>,
}

/// `OutlierDetection`.
#[derive(Clone, Debug, Serialize)]
pub struct OutlierDetection {
    /// 502, 503, 504 and failed connections in a row.
    pub consecutive_gateway_failure: u32,
    /// The share of such detections that eject, in percent; Envoy's default is 0.
    pub enforcing_consecutive_gateway_failure: u32,
    /// The same for any 5xx; 0 percent leaves it off.
    pub enforcing_consecutive_5xx: u32,
    /// Any 5xx in a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consecutive_5xx: Option<u32>,
    /// The success-rate detector, in percent of detections that eject.
    pub enforcing_success_rate: u32,
    /// How often ejected hosts are looked at again.
    pub interval: Duration,
    /// The first ejection lasts this long, the n-th n times as long.
    pub base_ejection_time: Duration,
    /// No ejection lasts longer.
    pub max_ejection_time: Duration,
    /// How many hosts may be out at once.
    pub max_ejection_percent: u32,
}

/// `CircuitBreakers`.
#[derive(Clone, Debug, Serialize)]
pub struct CircuitBreakers {
    /// By routing priority; here only the default.
    pub thresholds: Vec<Thresholds>,
}

/// `CircuitBreakers.Thresholds`.
#[derive(Clone, Debug, Serialize)]
pub struct Thresholds {
    /// Connections at once.
    pub max_connections: u32,
    /// Requests waiting for a connection.
    pub max_pending_requests: u32,
    /// Requests at once.
    pub max_requests: u32,
    /// Retries at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// Retries at once, as a share of requests; replaces `max_retries`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_budget: Option<RetryBudget>,
}

/// `CircuitBreakers.Thresholds.RetryBudget`.
#[derive(Clone, Debug, Serialize)]
pub struct RetryBudget {
    budget_percent: Percent,
    min_retry_concurrency: u32,
}

impl RetryBudget {
    /// Retries in flight up to `percent` of the requests in flight, and always `min` of them.
    pub fn new(percent: f64, min: u32) -> Self {
        Self { budget_percent: Percent { value: percent }, min_retry_concurrency: min }
    }
}

impl CircuitBreakers {
    /// Istio's default: no limit but the machine's.
    pub fn unlimited() -> Self {
        let thresholds = Thresholds {
            max_connections: u32::MAX,
            max_pending_requests: u32::MAX,
            max_requests: u32::MAX,
            max_retries: Some(u32::MAX),
            retry_budget: None,
        };
        Self { thresholds: vec![thresholds] }
    }
}
