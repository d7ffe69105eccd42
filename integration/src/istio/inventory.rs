//! What is where: the clusters of a mesh with their pods and addresses, before anything runs, and as the objects that istiod reads.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::kubernetes::{Labels, Object, Pod, labels};
use crate::bookinfo::Service;
use crate::mesh::ClusterSpec;
use crate::net::{Subnet, port};

/// The namespace of the applications.
pub(super) const NAMESPACE: &str = "bookinfo";
/// The namespace of Istio and its gateways.
pub(super) const SYSTEM: &str = "istio-system";
/// The label that gateways are selected by, and its value.
pub(super) const GATEWAY: (&str, &str) = ("istio", "ingressgateway");
/// What Istio calls its gateway.
pub(super) const GATEWAY_NAME: &str = "istio-ingressgateway";
/// Addresses of services are never connected to: an Envoy knows the pods.
const CLUSTER_IPS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
const GATEWAY_CLUSTER_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 9);

/// A cluster, and what its pods are labelled with.
#[derive(Clone, Debug)]
pub struct Place {
    /// The cluster.
    pub spec: ClusterSpec,
    /// Labels that every pod in it has, e.g. `fence.meridian/eu: "true"`.
    pub labels: Vec<(String, String)>,
}

impl Place {
    /// A cluster inside these fences.
    #[must_use]
    pub fn new(spec: ClusterSpec, fences: &[&str]) -> Self {
        let label = |fence: &&str| (format!("fence.meridian/{fence}"), "true".to_owned());
        Self { spec, labels: fences.iter().map(label).collect() }
    }
}

/// One pod of an application.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) cluster: ClusterSpec,
    pub(super) service: Service,
    pub(super) pod: Pod,
}

impl Instance {
    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from((self.pod.ip, port::INBOUND))
    }
}

/// All clusters, with all pods of one network.
#[derive(Clone, Debug)]
pub struct Inventory {
    places: Vec<Place>,
    services: Vec<Service>,
    pub(super) instances: Vec<Instance>,
}

impl Inventory {
    /// So many pods of each service in each cluster, under addresses of a network.
    ///
    /// # Errors
    /// When that is none, or there are not so many addresses.
    pub fn new(places: Vec<Place>, services: Vec<Service>, replicas: u8, subnet: &Subnet) -> Result<Self> {
        ensure!(
            !places.is_empty() && !services.is_empty() && replicas > 0,
            "A mesh needs a cluster, a service and a pod of it."
        );
        let mut instances = Vec::new();
        for place in &places {
            for service in &services {
                for number in 1..=replicas {
                    let (cluster, service) = (place.spec.clone(), *service);
                    let pod = pod(place, service, number, subnet.address()?);
                    instances.push(Instance { cluster, service, pod });
                }
            }
        }
        Ok(Self { places, services, instances })
    }

    /// One of its clusters.
    ///
    /// # Errors
    /// When it has none of that name.
    pub fn cluster(&self, name: &str) -> Result<&ClusterSpec> {
        let found = self.places.iter().map(|place| &place.spec).find(|spec| spec.name == name);
        found.with_context(|| format!("The mesh has no cluster {name}."))
    }

    /// Writes `clusters/<id>/objects.yaml` into the folder of a mesh. `gateway` is the address of a gateway in one of them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path, gateway: (&str, Ipv4Addr)) -> Result<()> {
        for place in &self.places {
            let mut objects = self.objects(place);
            if place.spec.name == gateway.0 {
                let (name, pod) = (GATEWAY_NAME, gateway_pod(place, gateway.1));
                objects.push(Object::service(SYSTEM, name, GATEWAY_CLUSTER_IP, port::INGRESS));
                objects.push(Object::pod(&pod));
                objects.push(Object::endpoint_slice(SYSTEM, name, port::INGRESS, &[&pod]));
            }
            let documents: Vec<String> = objects.iter().map(serde_json::to_string_pretty).collect::<Result<_, _>>()?;
            let cluster = folder.join("clusters").join(&place.spec.name);
            fs::create_dir_all(&cluster)?;
            fs::write(cluster.join("objects.yaml"), documents.join("\n---\n"))?;
        }
        Ok(())
    }

    fn objects(&self, place: &Place) -> Vec<Object> {
        let region = &place.spec.region;
        let mut objects =
            vec![Object::namespace(NAMESPACE), Object::namespace(SYSTEM), Object::node(&node(place), region)];
        for (service, last) in self.services.iter().zip(0_u8..) {
            let here = |instance: &&Instance| instance.cluster == place.spec && instance.service == *service;
            let pods: Vec<&Pod> = self.instances.iter().filter(here).map(|instance| &instance.pod).collect();
            let [a, b, c, d] = CLUSTER_IPS.octets();
            let address = Ipv4Addr::new(a, b, c, d.saturating_add(last));
            objects.push(Object::service(NAMESPACE, service.name(), address, port::INBOUND));
            objects.extend(pods.iter().map(|pod| Object::pod(pod)));
            objects.push(Object::endpoint_slice(NAMESPACE, service.name(), port::INBOUND, &pods));
        }
        objects
    }
}

fn node(place: &Place) -> String {
    format!("{}-node", place.spec.name)
}

fn pod(place: &Place, service: Service, number: u8, ip: Ipv4Addr) -> Pod {
    let mut labels: Labels = labels([("app", service.name()), ("version", "v1")]);
    labels.extend(place.labels.iter().cloned());
    Pod {
        name: format!("{service}-v1-{}-{number}", place.spec.name),
        namespace: NAMESPACE,
        node: node(place),
        ip,
        labels,
    }
}

fn gateway_pod(place: &Place, ip: Ipv4Addr) -> Pod {
    let labels = labels([("app", GATEWAY_NAME), GATEWAY]);
    Pod { name: format!("{GATEWAY_NAME}-0"), namespace: SYSTEM, node: node(place), ip, labels }
}
