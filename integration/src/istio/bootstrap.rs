//! The bootstrap of an Envoy that asks a control plane for everything: what Istio's agent writes, as far as a stock Envoy needs it.
//!
//! The node says who asks, and istiod answers nobody else: the kind of proxy, the cluster and labels decide which resources are for it,
//! and its address leads to its pod, whose node has the locality that failover starts from. The one static cluster is the control plane.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration as StdDuration;

use meridian::envoy::{Address, Admin, Any, Duration, Locality, Node, StatsConfig};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::inventory::{GATEWAY, GATEWAY_NAME, SYSTEM};

/// What the proxy says it is: the Istio that Meridian is made for. istiod answers older proxies as they understand it.
const PROXY_VERSION: &str = "1.28.3";
const CONTROL_PLANE: &str = "xds-grpc";

/// `envoy.config.bootstrap.v3.Bootstrap` with everything from ADS.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Bootstrap {
    pub(super) node: Node,
    admin: Admin,
    dynamic_resources: DynamicResources,
    static_resources: StaticResources,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats_config: Option<StatsConfig>,
}

#[derive(Clone, Debug, Serialize)]
struct DynamicResources {
    ads_config: ApiConfigSource,
    cds_config: AdsConfigSource,
    lds_config: AdsConfigSource,
}

#[derive(Clone, Debug, Serialize)]
struct ApiConfigSource {
    api_type: &'static str,
    transport_api_version: &'static str,
    set_node_on_first_message_only: bool,
    grpc_services: Vec<GrpcService>,
}

#[derive(Clone, Debug, Serialize)]
struct GrpcService {
    envoy_grpc: EnvoyGrpc,
}

#[derive(Clone, Debug, Serialize)]
struct EnvoyGrpc {
    cluster_name: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct AdsConfigSource {
    ads: Empty,
    /// Zero: an Envoy without listeners serves nobody, so it waits for them as long as it takes.
    initial_fetch_timeout: Duration,
    resource_api_version: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Empty {}

#[derive(Clone, Debug, Serialize)]
struct StaticResources {
    clusters: Vec<Cluster>,
}

/// A cluster that is spoken to in HTTP/2.
#[derive(Clone, Debug, Serialize)]
struct Cluster {
    name: &'static str,
    #[serde(rename = "type")]
    discovery: &'static str,
    connect_timeout: Duration,
    load_assignment: Value,
    typed_extension_protocol_options: Value,
}

/// The two ways istiod is asked: all of it each time, or what changed. Istio's agent takes the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Protocol {
    StateOfTheWorld,
    #[default]
    Delta,
}

/// A gateway in a cluster, as Istio installs it: `istio-ingressgateway` in `istio-system`.
pub(super) fn gateway(
    cluster: &str,
    ip: Ipv4Addr,
    admin: SocketAddr,
    ads: SocketAddr,
    protocol: Protocol,
) -> Bootstrap {
    Bootstrap {
        node: node(cluster, ip),
        admin: Admin::at(admin),
        dynamic_resources: DynamicResources {
            ads_config: ApiConfigSource {
                api_type: if protocol == Protocol::Delta { "DELTA_GRPC" } else { "GRPC" },
                transport_api_version: "V3",
                set_node_on_first_message_only: true,
                grpc_services: vec![GrpcService { envoy_grpc: EnvoyGrpc { cluster_name: CONTROL_PLANE } }],
            },
            cds_config: AdsConfigSource::new(),
            lds_config: AdsConfigSource::new(),
        },
        static_resources: StaticResources { clusters: vec![Cluster::control_plane(ads)] },
        stats_config: None,
    }
}

/// The node of a gateway.
pub(super) fn node(cluster: &str, ip: Ipv4Addr) -> Node {
    let name = GATEWAY_NAME;
    let metadata = json!({
        "CLUSTER_ID": cluster,
        "INSTANCE_IPS": ip,
        "ISTIO_VERSION": PROXY_VERSION,
        "LABELS": {"app": name, (GATEWAY.0): GATEWAY.1},
        "MESH_ID": "mesh1",
        "NAME": format!("{name}-0"),
        "NAMESPACE": SYSTEM,
        "SERVICE_ACCOUNT": "default",
        "WORKLOAD_NAME": name,
    });
    Node {
        id: format!("router~{ip}~{name}-0.{SYSTEM}~{SYSTEM}.svc.cluster.local"),
        cluster: format!("{name}.{SYSTEM}"),
        // Istio's agent does not know it either.
        locality: Locality::default(),
        metadata: match metadata {
            Value::Object(metadata) => metadata,
            _ => Map::new(),
        },
    }
}

impl AdsConfigSource {
    fn new() -> Self {
        Self { ads: Empty {}, initial_fetch_timeout: Duration(StdDuration::ZERO), resource_api_version: "V3" }
    }
}

impl Cluster {
    fn control_plane(ads: SocketAddr) -> Self {
        let endpoint = json!({"endpoint": {"address": Address::from(ads)}});
        let options = Any::new(
            "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            json!({"explicit_http_config": {"http2_protocol_options": {}}}),
        );
        Self {
            name: CONTROL_PLANE,
            discovery: "STATIC",
            connect_timeout: Duration(StdDuration::from_secs(1)),
            load_assignment: json!({"cluster_name": CONTROL_PLANE, "endpoints": [{"lb_endpoints": [endpoint]}]}),
            typed_extension_protocol_options: json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}),
        }
    }
}
