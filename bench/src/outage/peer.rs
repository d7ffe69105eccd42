//! The Envoys without Meridian, as JSON, written as Istio writes them where Istio can.
//!
//! Timeouts, retries and the numbers of ejection are those of Meridian's policy ([`POLICY`]) in all of them, so that only the way to route
//! differs. What Istio makes of a VirtualService and a DestinationRule is in `pilot/pkg/networking/core/route/retry/retry.go` and
//! `pilot/pkg/networking/core/cluster_traffic_policy.go` of its sources.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use integration::bookinfo::Service;
use integration::mesh::Mesh;
use integration::net::port;
use serde_json::{Value, json};

use super::{FENCED, LOST, OPEN, SURVIVOR};

/// Meridian's own.
pub(super) const POLICY: &str = include_str!("policy.yaml");
const LUA: &str = include_str!("regions.lua");
const MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const LUA_FILTER: &str = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua";
const PREVIOUS_HOSTS: &str = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
const PREVIOUS_PRIORITIES: &str =
    "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig";
/// Who serves which host.
const HOSTS: [(&str, Service); 2] = [(OPEN, Service::Productpage), (FENCED, Service::Details)];

/// Where a peer is and what it reaches: what istiod would tell an ingress of `primary`.
pub(super) struct Site {
    pub(super) listen: SocketAddr,
    pub(super) admin: SocketAddr,
    endpoints: Vec<(Service, &'static str, SocketAddr)>,
}

impl Site {
    pub(super) fn new(mesh: &Mesh, ip: Ipv4Addr) -> Result<Self> {
        let (home, away) = (mesh.cluster("primary")?, mesh.cluster("secondary")?);
        let mut endpoints = Vec::new();
        for (_, service) in HOSTS {
            endpoints.extend(home.service(service).pods().iter().map(|pod| (service, LOST, pod.inbound())));
            endpoints.push((service, SURVIVOR, away.east_west_address(service)));
        }
        Ok(Self { listen: (ip, port::INGRESS).into(), admin: (ip, port::ADMIN).into(), endpoints })
    }

    /// A cluster with these regions, each at a priority.
    fn cluster(&self, name: &str, service: Service, regions: &[&str]) -> Value {
        let group = |(priority, region): (usize, &&str)| {
            let here = self.endpoints.iter().filter(|(known, at, _)| (*known, at) == (service, region));
            let hosts: Vec<_> = here.map(|(.., address)| json!({"endpoint": {"address": socket(*address)}})).collect();
            json!({"locality": {"region": region}, "priority": priority, "lb_endpoints": hosts})
        };
        let groups: Vec<_> = regions.iter().enumerate().map(group).collect();
        let most = u32::MAX;
        json!({
            "name": name, "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": name, "endpoints": groups},
            "outlier_detection": {
                "consecutive_gateway_failure": 5, "enforcing_consecutive_gateway_failure": 100, "enforcing_success_rate": 0,
                "interval": "1s", "base_ejection_time": "3s", "max_ejection_percent": 100,
            },
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            "circuit_breakers": {"thresholds": [
                {"max_connections": most, "max_pending_requests": most, "max_requests": most, "max_retries": most},
            ]},
        })
    }

    fn bootstrap(&self, routes: impl Fn(Service) -> Vec<Value>, clusters: &[Value], filter: Option<Value>) -> Value {
        let host = |(host, service): (&str, Service)| json!({"name": host, "domains": [host], "routes": routes(service), "include_attempt_count_in_response": true});
        let router = json!({"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}});
        let filters: Vec<Value> = filter.into_iter().chain([router]).collect();
        let manager = json!({
            "@type": MANAGER, "stat_prefix": "ingress", "use_remote_address": true, "normalize_path": true,
            "route_config": {"name": "ingress", "virtual_hosts": HOSTS.map(host)},
            "http_filters": filters,
        });
        json!({
            "node": {"id": "peer", "cluster": "peer", "locality": {"region": LOST}},
            "admin": {"address": socket(self.admin)},
            "static_resources": {"clusters": clusters, "listeners": [{
                "name": "ingress", "address": socket(self.listen),
                "filter_chains": [{"filters": [
                    {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
                ]}],
            }]},
        })
    }

    /// A cluster for each service and region, as subsets are.
    fn subsets(&self) -> Vec<Value> {
        let one = |service| [LOST, SURVIVOR].map(|region| self.cluster(&subset(service, region), service, &[region]));
        HOSTS.into_iter().flat_map(|(_, service)| one(service)).collect()
    }
}

/// `region` picks a subset; without one, the ingress's own.
pub(super) fn subsets(site: &Site) -> Value {
    site.bootstrap(|service| by_header("region", service), &site.subsets(), None)
}

/// The ingress's own region, then the other.
pub(super) fn locality(site: &Site) -> Value {
    let whole = |service: Service| format!("outbound|9080||{service}");
    let clusters = HOSTS.map(|(_, service)| site.cluster(&whole(service), service, &[LOST, SURVIVOR]));
    let priority = json!({
        "name": "envoy.retry_priorities.previous_priorities",
        "typed_config": {"@type": PREVIOUS_PRIORITIES, "update_frequency": 2},
    });
    let retries = retries(Some(priority));
    site.bootstrap(|service| vec![route(&[], &whole(service), &retries)], &clusters, None)
}

/// A script decides which subset.
pub(super) fn lua(site: &Site) -> Value {
    let filter = json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {"@type": LUA_FILTER, "default_source_code": {"inline_string": LUA}},
    });
    site.bootstrap(|service| by_header("x-lua-region", service), &site.subsets(), Some(filter))
}

fn subset(service: Service, region: &str) -> String {
    format!("outbound|9080|{region}|{service}")
}

fn by_header(header: &str, service: Service) -> Vec<Value> {
    let asks = |region: &str| {
        let matcher = json!({"name": header, "string_match": {"exact": region}});
        route(&[matcher], &subset(service, region), &retries(None))
    };
    vec![asks(LOST), asks(SURVIVOR), route(&[], &subset(service, LOST), &retries(None))]
}

fn route(headers: &[Value], cluster: &str, retries: &Value) -> Value {
    json!({
        "match": {"prefix": "/", "headers": headers},
        "route": {"cluster": cluster, "timeout": "5s", "retry_policy": retries},
    })
}

/// `retries: {attempts: 2, perTryTimeout: 1s}` on what a GET may be tried again for.
fn retries(priority: Option<Value>) -> Value {
    json!({
        "retry_on": "connect-failure,refused-stream,unavailable,cancelled,gateway-error,reset",
        "num_retries": 2, "per_try_timeout": "1s", "host_selection_retry_max_attempts": 5,
        "retry_host_predicate": [{
            "name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": PREVIOUS_HOSTS},
        }],
        "retry_priority": priority,
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip(), "port_value": address.port()}})
}
