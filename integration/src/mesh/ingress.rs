//! An ingress: the Envoy that Meridian is about, rendered from a policy file exactly as a user's would be.
//!
//! A mesh can have as many as a test wants to compare: two policies, the filter in and taken out, two versions of Envoy,
//! one worker and many, all in front of the same pods. What it is told of the mesh is what istiod would tell it: its own
//! cluster's pods, and one address with a region for each other cluster.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use meridian::envoy::Bootstrap;
use meridian::policy_file::PolicyFile;
use meridian::render;
use meridian::site::{Endpoint, Node, Site};

use super::layout::ClusterLayout;
use super::{Cluster, Mesh};
use crate::envoy::{Envoy, EnvoyVersion};
use crate::net::{self, port};
use crate::paths;

/// What an ingress is to be; [`Mesh::ingress`] begins with one worker, the filter in, and the mesh's Envoy.
#[derive(Debug)]
pub struct IngressBuilder<'m> {
    mesh: &'m Mesh,
    cluster: String,
    policy: Option<String>,
    workers: u32,
    filter: bool,
    module: Option<PathBuf>,
    version: Option<EnvoyVersion>,
    port: Option<u16>,
}

impl<'m> IngressBuilder<'m> {
    pub(super) fn new(mesh: &'m Mesh, cluster: &str) -> Self {
        Self {
            mesh,
            cluster: cluster.to_owned(),
            policy: None,
            workers: 1,
            filter: true,
            module: mesh.module.clone(),
            version: None,
            port: None,
        }
    }

    /// The policy file, as a user writes it. There is no default.
    #[must_use]
    pub fn policy(self, policy: &str) -> Self {
        Self { policy: Some(policy.to_owned()), ..self }
    }

    /// How many workers; each has a VM of its own.
    #[must_use]
    pub fn workers(self, workers: u32) -> Self {
        Self { workers, ..self }
    }

    /// Whether the filter is in; without it, the native table is all there is.
    #[must_use]
    pub fn filter(self, filter: bool) -> Self {
        Self { filter, ..self }
    }

    /// Another module than the mesh's.
    #[must_use]
    pub fn module(self, module: &Path) -> Self {
        Self { module: Some(module.to_path_buf()), ..self }
    }

    /// Another Envoy than the mesh's.
    #[must_use]
    pub fn envoy(self, version: EnvoyVersion) -> Self {
        Self { version: Some(version), ..self }
    }

    /// A port of 127.0.0.1, for people; otherwise it has an address of its own.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Starts it and waits until it takes traffic.
    ///
    /// # Errors
    /// When the policy is wrong, the port is taken, the module is missing or Envoy does not come up.
    pub async fn start(self) -> Result<Ingress> {
        let mesh = self.mesh;
        let cluster = mesh.cluster(&self.cluster)?;
        let policy = self.policy.context("An ingress needs a policy: call .policy(..).")?;
        let module = match (self.filter, self.module) {
            (false, _) => None,
            (true, Some(module)) => Some(module),
            (true, None) => Some(paths::module()?),
        };
        let ip = mesh.subnet.address()?;
        let address = match self.port {
            Some(port) => net::public_address(port)?,
            None => SocketAddr::from((ip, port::INGRESS)),
        };
        let admin = SocketAddr::from((ip, port::ADMIN));
        let number = mesh.ingresses.fetch_add(1, Ordering::Relaxed) + 1;
        let spec = cluster.spec();
        let name = format!("{}.ingress-{number}", spec.name);
        let node = Node {
            id: format!("router~{ip}~istio-ingressgateway-{number}.istio-system~istio-system.svc.cluster.local"),
            cluster: spec.name.clone(),
            region: Some(spec.region.clone()),
        };
        let site = Site { node, listen: address, admin, module, endpoints: endpoints(mesh, cluster) };
        let bootstrap = render_for(&policy, site)?;
        let binary = self.version.as_ref().unwrap_or(&mesh.version).binary().await?;
        let envoy = Envoy::launch(&name, &binary, &bootstrap, admin, self.workers, mesh.folder())?;
        envoy.ready().await?;
        Ok(Ingress { address, envoy })
    }
}

/// An ingress that is running; dropping it ends it.
#[derive(Debug)]
pub struct Ingress {
    address: SocketAddr,
    envoy: Envoy,
}

impl Ingress {
    /// Where it takes requests.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The Envoy behind it.
    #[must_use]
    pub fn envoy(&self) -> &Envoy {
        &self.envoy
    }
}

/// Renders the policy as the command line does. A policy need not be about every service of the mesh.
fn render_for(policy: &str, mut site: Site) -> Result<Bootstrap> {
    let file = PolicyFile::parse("policy", policy, &render::hints(&site))?;
    site.endpoints.retain(|endpoint| file.policy.service_named(&endpoint.service).is_some());
    render::bootstrap(&file, &site)
}

/// What istiod would tell an ingress of `own`.
fn endpoints(mesh: &Mesh, own: &Cluster) -> Vec<Endpoint> {
    let is_own = |layout: &ClusterLayout| layout.spec.name == own.layout.spec.name;
    let of = |layout: &ClusterLayout| -> Vec<Endpoint> {
        let region = &layout.spec.region;
        let endpoint = |service: &str, address, workload| Endpoint {
            service: service.to_owned(),
            region: region.clone(),
            address,
            workload,
        };
        if is_own(layout) {
            let pods = layout.pods.iter();
            pods.map(|pod| endpoint(pod.workload.service.name(), pod.inbound(), layout.workload_of(pod))).collect()
        } else {
            let services = layout.services();
            services
                .map(|service| endpoint(service.name(), layout.east_west_of(service), layout.remote_workload()))
                .collect()
        }
    };
    mesh.clusters.iter().flat_map(|cluster| of(&cluster.layout)).collect()
}
