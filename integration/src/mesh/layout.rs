//! Who is where: the mesh as data, from which every configuration is written before anything runs.
//!
//! Istiod knows all endpoints and tells each Envoy what it needs; here one [`Layout`] plays that part. Inside a cluster an
//! endpoint is a pod, in another cluster it is that cluster's east-west gateway, which is all that istiod says of it too.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use meridian::envoy::{
    Cluster, ClusterLoadAssignment, DiscoveryType, Duration, LbEndpoint, Locality, LocalityLbEndpoints, Node,
    OutlierDetection,
};
use serde_json::{Map, Value};

use super::spec::{ClusterSpec, Workload};
use crate::bookinfo::Service;
use crate::net::{Subnet, port};

/// The namespace of the application.
pub(super) const NAMESPACE: &str = "bookinfo";

/// All clusters.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) clusters: Vec<ClusterLayout>,
}

/// One cluster.
#[derive(Clone, Debug)]
pub(super) struct ClusterLayout {
    pub(super) spec: ClusterSpec,
    pub(super) east_west: Ipv4Addr,
    pub(super) pods: Vec<PodLayout>,
}

/// One pod.
#[derive(Clone, Debug)]
pub(super) struct PodLayout {
    pub(super) workload: Workload,
    pub(super) ip: Ipv4Addr,
}

impl Layout {
    pub(super) fn new(clusters: &[ClusterSpec], workloads: &[Workload], subnet: &Subnet) -> Result<Self> {
        ensure!(!clusters.is_empty() && !workloads.is_empty(), "A mesh needs a cluster and a workload.");
        let place = |spec: &ClusterSpec| {
            let pod = |workload: &Workload| Ok(PodLayout { workload: workload.clone(), ip: subnet.address()? });
            let (east_west, pods) = (subnet.address()?, workloads.iter().map(pod).collect::<Result<_>>()?);
            Ok(ClusterLayout { spec: spec.clone(), east_west, pods })
        };
        Ok(Self { clusters: clusters.iter().map(place).collect::<Result<_>>()? })
    }
}

impl ClusterLayout {
    pub(super) fn pods_of(&self, service: Service) -> impl Iterator<Item = &PodLayout> {
        self.pods.iter().filter(move |pod| pod.workload.service == service)
    }

    /// The services that have a pod here.
    pub(super) fn services(&self) -> impl Iterator<Item = Service> {
        Service::ALL.into_iter().filter(|service| self.pods_of(*service).next().is_some())
    }

    /// Where other clusters reach a service of this one.
    pub(super) fn east_west_of(&self, service: Service) -> SocketAddr {
        let offset = Service::ALL.into_iter().zip(0_u16..).find_map(|(known, n)| (known == service).then_some(n));
        SocketAddr::from((self.east_west, port::EAST_WEST + offset.unwrap_or_default()))
    }

    /// The pods of a service here, as endpoints at a priority.
    pub(super) fn endpoints(&self, service: Service, priority: u32) -> LocalityLbEndpoints {
        let endpoint = |pod: &PodLayout| LbEndpoint::new(pod.inbound(), self.workload_of(pod));
        let lb_endpoints = self.pods_of(service).map(endpoint).collect();
        LocalityLbEndpoints { locality: self.locality(), priority, lb_endpoints }
    }

    /// The one endpoint that other clusters have for a service of this one.
    pub(super) fn remote_endpoint(&self, service: Service, priority: u32) -> LocalityLbEndpoints {
        let endpoint = LbEndpoint::new(self.east_west_of(service), self.remote_workload());
        LocalityLbEndpoints { locality: self.locality(), priority, lb_endpoints: vec![endpoint] }
    }

    /// Istio's `name;namespace;canonical name;revision;cluster` of a pod.
    pub(super) fn workload_of(&self, pod: &PodLayout) -> String {
        let Workload { service, version } = &pod.workload;
        format!("{};{NAMESPACE};{service};{version};{}", pod.workload, self.spec.name)
    }

    /// The same of an east-west gateway, seen from another cluster.
    pub(super) fn remote_workload(&self) -> String {
        format!(";;;;{}", self.spec.name)
    }

    pub(super) fn locality(&self) -> Locality {
        Locality { region: self.spec.region.clone(), zone: String::new() }
    }

    /// An Envoy of this cluster. `kind` is Istio's `sidecar` or `router`.
    pub(super) fn node(&self, kind: &str, name: &str, ip: Ipv4Addr) -> Node {
        Node {
            id: format!("{kind}~{ip}~{name}.{NAMESPACE}~{NAMESPACE}.svc.cluster.local"),
            cluster: format!("{name}.{NAMESPACE}"),
            locality: self.locality(),
            metadata: Map::from_iter([("CLUSTER_ID".to_owned(), Value::from(self.spec.name.as_str()))]),
        }
    }
}

impl PodLayout {
    pub(super) fn inbound(&self) -> SocketAddr {
        SocketAddr::from((self.ip, port::INBOUND))
    }

    pub(super) fn application(&self) -> SocketAddr {
        SocketAddr::from((self.ip, port::APPLICATION))
    }

    pub(super) fn outbound(&self) -> SocketAddr {
        SocketAddr::from((self.ip, port::OUTBOUND))
    }

    pub(super) fn admin(&self) -> SocketAddr {
        SocketAddr::from((self.ip, port::ADMIN))
    }
}

/// An Envoy cluster over fixed endpoints.
pub(super) fn cluster(
    name: &str,
    endpoints: Vec<LocalityLbEndpoints>,
    outlier_detection: Option<OutlierDetection>,
) -> Cluster {
    Cluster {
        name: name.to_owned(),
        discovery: DiscoveryType::Static,
        connect_timeout: Duration(std::time::Duration::from_secs(1)),
        load_assignment: ClusterLoadAssignment { cluster_name: name.to_owned(), endpoints },
        outlier_detection,
        circuit_breakers: None,
        common_lb_config: None,
    }
}
