//! The places that a proxy can have in a mesh, and what it says of itself in each.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Map, Value, json};

use super::inventory::{GATEWAY_NAME, Inventory, NAMESPACE, SYSTEM};
use super::kubernetes::{Labels, Object, Pod, labels};
use crate::net::port;

/// The label that says which network a pod, a gateway or a namespace is in.
pub(super) const NETWORK: &str = "topology.istio.io/network";
const EAST_WEST_NAME: &str = "istio-eastwestgateway";
const CALLER_NAME: &str = "caller";
const INGRESS_CLUSTER_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 9);
const EAST_WEST_CLUSTER_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 8);

/// What a proxy is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes the requests of clients.
    Ingress,
    /// Takes what other networks send to this one, and reads nothing of it.
    EastWest,
    /// Beside an application that only calls: its requests go to the proxy, with the names of the registry.
    Caller,
    /// Beside an application that serves.
    Server,
}

/// Who a proxy is.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) role: Role,
    pub(super) kind: &'static str,
    pub(super) cluster: String,
    pub(super) workload: String,
    pub(super) pod: Pod,
    /// What its node says beyond what every node does.
    pub(super) metadata: Map<String, Value>,
}

impl Identity {
    /// A pod of the mesh's own in a cluster of an inventory.
    pub(super) fn new(inventory: &Inventory, cluster: &str, role: Role, ip: Ipv4Addr) -> Self {
        let network = inventory.network(cluster);
        let (name, namespace, own) = match role {
            Role::Ingress => (GATEWAY_NAME, SYSTEM, labels([("app", GATEWAY_NAME), ("istio", "ingressgateway")])),
            Role::EastWest => (EAST_WEST_NAME, SYSTEM, labels([("app", EAST_WEST_NAME), ("istio", "eastwestgateway")])),
            Role::Caller | Role::Server => (CALLER_NAME, NAMESPACE, labels([("app", CALLER_NAME)])),
        };
        let labels: Labels =
            own.into_iter().chain(network.map(|network| (NETWORK.to_owned(), network.to_owned()))).collect();
        let node = format!("{cluster}-node");
        let pod = Pod { name: format!("{name}-0"), namespace, node, ip, labels };
        Self::of(inventory, cluster, role, name, pod)
    }

    /// A pod of an application.
    pub(super) fn of(inventory: &Inventory, cluster: &str, role: Role, workload: &str, pod: Pod) -> Self {
        let network = inventory.network(cluster);
        let mut metadata = Map::new();
        if let Some(network) = network {
            metadata.insert("NETWORK".to_owned(), json!(network));
            if role == Role::EastWest {
                // It sends on to pods, and never to another gateway.
                metadata.insert("REQUESTED_NETWORK_VIEW".to_owned(), json!(network));
            }
        }
        let is_sidecar = matches!(role, Role::Caller | Role::Server);
        if is_sidecar {
            // Nothing redirects its traffic: it listens where applications are told to call.
            metadata.insert("INTERCEPTION_MODE".to_owned(), json!("NONE"));
        }
        let kind = if is_sidecar { "sidecar" } else { "router" };
        Self { role, kind, cluster: cluster.to_owned(), workload: workload.to_owned(), pod, metadata }
    }

    /// Where it takes requests.
    pub(super) fn address(&self) -> SocketAddr {
        let port = match self.role {
            Role::Ingress => port::INGRESS,
            Role::EastWest => port::EAST_WEST,
            Role::Caller | Role::Server => port::INBOUND,
        };
        SocketAddr::from((self.pod.ip, port))
    }

    /// What a cluster has for it that the inventory has not.
    pub(super) fn objects(&self) -> Vec<Object> {
        let pod = Object::pod(&self.pod);
        match self.role {
            Role::Ingress => vec![
                Object::service(SYSTEM, GATEWAY_NAME, INGRESS_CLUSTER_IP, port::INGRESS),
                pod,
                Object::endpoint_slice(SYSTEM, GATEWAY_NAME, port::INGRESS, &[&self.pod]),
            ],
            Role::EastWest => {
                vec![Object::load_balancer(&self.pod, EAST_WEST_NAME, EAST_WEST_CLUSTER_IP, port::EAST_WEST), pod]
            }
            Role::Caller => vec![pod],
            Role::Server => Vec::new(),
        }
    }

    /// The Istio resource that makes it listen where it should, if it needs one.
    pub(super) fn listens(&self) -> Option<Value> {
        let (name, namespace, ip) = (&self.pod.name, self.pod.namespace, self.pod.ip);
        let http = json!({"number": port::INBOUND, "protocol": "HTTP", "name": "http"});
        let sidecar = |spec: Value| {
            json!({
                "apiVersion": "networking.istio.io/v1",
                "kind": "Sidecar",
                "metadata": {"name": name, "namespace": namespace},
                "spec": spec,
            })
        };
        let selector = json!({"labels": self.pod.labels});
        match self.role {
            Role::Ingress => None,
            Role::EastWest => Some(json!({
                "apiVersion": "networking.istio.io/v1",
                "kind": "Gateway",
                "metadata": {"name": "cross-network-gateway", "namespace": namespace},
                "spec": {
                    "selector": {"istio": "eastwestgateway"},
                    "servers": [{
                        "port": {"number": port::EAST_WEST, "name": "tls", "protocol": "TLS"},
                        "bind": ip,
                        "tls": {"mode": "AUTO_PASSTHROUGH"},
                        "hosts": ["*.local"],
                    }],
                },
            })),
            Role::Caller => Some(sidecar(json!({
                "workloadSelector": selector,
                "egress": [{"port": http, "bind": ip, "captureMode": "NONE", "hosts": [format!("{NAMESPACE}/*")]}],
            }))),
            Role::Server => Some(sidecar(json!({
                "workloadSelector": selector,
                "ingress": [{
                    "port": http,
                    "bind": ip,
                    "captureMode": "NONE",
                    // Istio's word for the pod's own address.
                    "defaultEndpoint": format!("0.0.0.0:{}", port::APPLICATION),
                }],
                "egress": [{"hosts": ["~/*"]}],
            }))),
        }
    }
}
