//! The bootstrap of an Envoy that asks a control plane for everything: what Istio's agent writes, as far as a stock Envoy needs it.
//!
//! The node says who asks, and istiod answers nobody else: the kind of proxy, the cluster and labels decide which resources are for it,
//! and its address leads to its pod, whose node has the locality that failover starts from. Static clusters are the control plane and,
//! where there is mutual TLS, what gives out certificates.

use std::net::SocketAddr;
use std::time::Duration as StdDuration;

use meridian::envoy::{Address, Admin, Any, Duration, Locality, Node, StatsConfig};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::identity::Identity;

/// What the proxy says it is: the Istio that Meridian is made for. istiod answers older proxies as they understand it.
const PROXY_VERSION: &str = "1.28.3";
const CONTROL_PLANE: &str = "xds-grpc";
/// What istiod calls it in the listeners and clusters that ask for certificates.
const SECRETS: &str = "sds-grpc";

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

/// Who a proxy asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asks {
    pub(super) ads: SocketAddr,
    pub(super) secrets: Option<SocketAddr>,
}

/// The bootstrap of a proxy.
pub(super) fn of(identity: &Identity, admin: SocketAddr, asks: Asks) -> Bootstrap {
    let secrets = asks.secrets.map(|address| Cluster::new(SECRETS, address));
    Bootstrap {
        node: node(identity),
        admin: Admin::at(admin),
        dynamic_resources: DynamicResources {
            ads_config: ApiConfigSource {
                // What changed, not all of it each time: as Istio's agent asks.
                api_type: "DELTA_GRPC",
                transport_api_version: "V3",
                set_node_on_first_message_only: true,
                grpc_services: vec![GrpcService { envoy_grpc: EnvoyGrpc { cluster_name: CONTROL_PLANE } }],
            },
            cds_config: AdsConfigSource::new(),
            lds_config: AdsConfigSource::new(),
        },
        static_resources: StaticResources {
            clusters: [Cluster::new(CONTROL_PLANE, asks.ads)].into_iter().chain(secrets).collect(),
        },
        stats_config: None,
    }
}

/// The node of a proxy.
pub(super) fn node(identity: &Identity) -> Node {
    let Identity { kind, pod, workload, .. } = identity;
    let (namespace, ip) = (pod.namespace, pod.ip);
    let mut metadata = json!({
        "CLUSTER_ID": identity.cluster,
        "INSTANCE_IPS": ip,
        "ISTIO_VERSION": PROXY_VERSION,
        "LABELS": pod.labels,
        "MESH_ID": "mesh1",
        "NAME": pod.name,
        "NAMESPACE": namespace,
        "SERVICE_ACCOUNT": "default",
        "WORKLOAD_NAME": workload,
    });
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.extend(identity.metadata.clone());
    }
    Node {
        id: format!("{kind}~{ip}~{}.{namespace}~{namespace}.svc.cluster.local", pod.name),
        cluster: format!("{workload}.{namespace}"),
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
    fn new(name: &'static str, address: SocketAddr) -> Self {
        let endpoint = json!({"endpoint": {"address": Address::from(address)}});
        let options = Any::new(
            "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            json!({"explicit_http_config": {"http2_protocol_options": {}}}),
        );
        Self {
            name,
            discovery: "STATIC",
            connect_timeout: Duration(StdDuration::from_secs(1)),
            load_assignment: json!({"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}),
            typed_extension_protocol_options: json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}),
        }
    }
}
