//! The Kubernetes objects that istiod reads, with the fields that it reads.
//!
//! Written as JSON, which is YAML as well. A type per object, because istiod answers a wrong field with silence: an endpoint without a
//! node has no locality, and a mesh without localities has no failover.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::{Value, json};

pub(super) type Labels = BTreeMap<String, String>;

/// Labels from pairs.
pub(super) fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Any object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    #[serde(flatten)]
    content: BTreeMap<&'static str, Value>,
}

#[derive(Clone, Debug, Serialize)]
struct Metadata {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    labels: Labels,
}

/// A pod, as far as routing is concerned.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) namespace: &'static str,
    pub(super) node: String,
    pub(super) ip: Ipv4Addr,
    pub(super) labels: Labels,
}

impl Object {
    fn new(api_version: &'static str, kind: &'static str, namespace: Option<&str>, name: &str, labels: Labels) -> Self {
        let metadata = Metadata { name: name.to_owned(), namespace: namespace.map(str::to_owned), labels };
        Self { api_version, kind, metadata, content: BTreeMap::new() }
    }

    fn with(mut self, key: &'static str, value: Value) -> Self {
        self.content.insert(key, value);
        self
    }

    pub(super) fn namespace(name: &str) -> Self {
        Self::new("v1", "Namespace", None, name, labels([("kubernetes.io/metadata.name", name)]))
    }

    /// Where localities come from.
    pub(super) fn node(name: &str, region: &str) -> Self {
        Self::new("v1", "Node", None, name, labels([("topology.kubernetes.io/region", region)]))
    }

    pub(super) fn service(namespace: &str, name: &str, cluster_ip: Ipv4Addr, port: u16) -> Self {
        let port = json!({"name": "http", "port": port, "targetPort": port, "protocol": "TCP"});
        let spec =
            json!({"clusterIP": cluster_ip, "clusterIPs": [cluster_ip], "selector": {"app": name}, "ports": [port]});
        Self::new("v1", "Service", Some(namespace), name, labels([("app", name)])).with("spec", spec)
    }

    /// The service of a gateway that other networks reach: at the address of its one pod, as if a load balancer had given it out.
    pub(super) fn load_balancer(pod: &Pod, name: &str, cluster_ip: Ipv4Addr, port: u16) -> Self {
        let port = json!({"name": "tls", "port": port, "targetPort": port, "protocol": "TCP"});
        let spec = json!({
            "type": "LoadBalancer",
            "clusterIP": cluster_ip,
            "clusterIPs": [cluster_ip],
            "selector": {"app": name},
            "ports": [port],
        });
        let object = Self::new("v1", "Service", Some(pod.namespace), name, pod.labels.clone());
        object.with("spec", spec).with("status", json!({"loadBalancer": {"ingress": [{"ip": pod.ip}]}}))
    }

    pub(super) fn pod(pod: &Pod) -> Self {
        let spec = json!({
            "nodeName": pod.node,
            "serviceAccountName": "default",
            "containers": [{"name": "app", "image": "app"}],
        });
        let status = json!({
            "phase": "Running",
            "podIP": pod.ip,
            "podIPs": [{"ip": pod.ip}],
            "conditions": [{"type": "Ready", "status": "True"}],
        });
        let object = Self::new("v1", "Pod", Some(pod.namespace), &pod.name, pod.labels.clone());
        object.with("spec", spec).with("status", status)
    }

    /// The endpoints of a service are these pods.
    pub(super) fn endpoint_slice(namespace: &str, service: &str, port: u16, pods: &[&Pod]) -> Self {
        let endpoint = |pod: &&Pod| {
            json!({
                "addresses": [pod.ip],
                "conditions": {"ready": true},
                "nodeName": pod.node,
                "targetRef": {"kind": "Pod", "name": pod.name, "namespace": pod.namespace},
            })
        };
        Self::new(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            Some(namespace),
            &format!("{service}-1"),
            labels([("kubernetes.io/service-name", service)]),
        )
        .with("addressType", json!("IPv4"))
        .with("ports", json!([{"name": "http", "port": port, "protocol": "TCP"}]))
        .with("endpoints", json!(pods.iter().map(endpoint).collect::<Vec<_>>()))
    }
}
