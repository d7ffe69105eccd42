//! What is where: the clusters of a mesh with their pods and addresses, before anything runs, and as the objects that istiod reads.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::identity::{Identity, NETWORK, Role};
use super::kubernetes::{Labels, Object, Pod, labels};
use crate::bookinfo::Service;
use crate::mesh::ClusterSpec;
use crate::net::{Subnet, port};

/// The namespace of the applications.
pub(super) const NAMESPACE: &str = "bookinfo";
/// The namespace of Istio and its gateways.
pub(super) const SYSTEM: &str = "istio-system";
/// What Istio calls its gateway.
pub(super) const GATEWAY_NAME: &str = "istio-ingressgateway";
/// Addresses of services are never connected to: an Envoy knows the pods.
const CLUSTER_IPS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// A cluster, and what its pods are labelled with.
#[derive(Clone, Debug)]
pub struct Place {
    /// The cluster.
    pub spec: ClusterSpec,
    /// Labels that every pod in it has, e.g. `fence.meridian/eu: "true"`.
    pub labels: Vec<(String, String)>,
    /// Its network, where the mesh has several: others reach its pods through its east-west gateway alone.
    pub network: Option<String>,
    /// Whether a sidecar stands before each of its applications. Without one, an application tags its own answers.
    pub sidecars: bool,
    /// Whether the pods of a service are of different versions: `v1`, `v2` and so on.
    pub versions: bool,
}

impl Place {
    /// A cluster inside these fences.
    #[must_use]
    pub fn new(spec: ClusterSpec, fences: &[&str]) -> Self {
        let label = |fence: &&str| (format!("fence.meridian/{fence}"), "true".to_owned());
        Self { spec, labels: fences.iter().map(label).collect(), network: None, sidecars: false, versions: false }
    }

    /// In a network of its own.
    #[must_use]
    pub fn network(self, name: &str) -> Self {
        Self { network: Some(name.to_owned()), ..self }
    }

    /// With another version of a service in each of its pods.
    #[must_use]
    pub fn versioned(self) -> Self {
        Self { versions: true, ..self }
    }

    /// With sidecars.
    #[must_use]
    pub fn behind_sidecars(self) -> Self {
        Self { sidecars: true, ..self }
    }
}

/// One pod of an application.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) cluster: ClusterSpec,
    pub(super) service: Service,
    pub(super) pod: Pod,
    pub(super) has_sidecar: bool,
}

impl Instance {
    /// Where the application listens: behind its sidecar, if it has one.
    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from((self.pod.ip, if self.has_sidecar { port::APPLICATION } else { port::INBOUND }))
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
                    let has_sidecar = place.sidecars;
                    instances.push(Instance { cluster, service, pod, has_sidecar });
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

    /// The network of a cluster, where there are several.
    pub(super) fn network(&self, cluster: &str) -> Option<&str> {
        self.places.iter().find(|place| place.spec.name == cluster)?.network.as_deref()
    }

    /// Whether any proxy asks for certificates: those before applications do, for who may call them in mutual TLS.
    pub(super) fn needs_certificates(&self) -> bool {
        self.has_networks() || self.places.iter().any(|place| place.sidecars)
    }

    /// Whether proxies need certificates to reach each other.
    pub(super) fn has_networks(&self) -> bool {
        self.places.iter().any(|place| place.network.is_some())
    }

    /// Who the sidecars of a cluster's applications are.
    pub(super) fn servers(&self, cluster: &str) -> Vec<Identity> {
        let here = |instance: &&Instance| instance.cluster.name == cluster && instance.has_sidecar;
        let identity = |instance: &Instance| {
            Identity::of(self, cluster, Role::Server, instance.service.name(), instance.pod.clone())
        };
        self.instances.iter().filter(here).map(identity).collect()
    }

    /// Writes `clusters/<id>/objects.yaml` into the folder of a mesh, with the proxies that are no application's.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, folder: &Path, proxies: &[Identity]) -> Result<()> {
        for place in &self.places {
            let mut objects = self.objects(place);
            let here = proxies.iter().filter(|proxy| proxy.cluster == place.spec.name);
            objects.extend(here.flat_map(Identity::objects));
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
    let version = if place.versions { format!("v{number}") } else { "v1".to_owned() };
    let mut labels: Labels = labels([("app", service.name()), ("version", &version)]);
    labels.extend(place.labels.iter().cloned());
    labels.extend(place.network.iter().map(|network| (NETWORK.to_owned(), network.clone())));
    let name = format!("{service}-{version}-{}-{number}", place.spec.name);
    if place.sidecars {
        labels.insert("statefulset.kubernetes.io/pod-name".to_owned(), name.clone());
        if place.network.is_some() {
            // What the injector writes: this pod answers in mutual TLS.
            labels.insert("security.istio.io/tlsMode".to_owned(), "istio".to_owned());
        }
    }
    Pod { name, namespace: NAMESPACE, node: node(place), ip, labels }
}
