//! A mesh under Istio: pods that are shared, and edges that can be compared.
//!
//! An edge is a control plane with one gateway. Each has its own, so that one test sees the same outage with the filter and without it,
//! on two Envoys, under configurations that change independently.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use super::{ControlPlane, Finding, Gateway, Inventory, Manifests, Place, Pods, Programs, Recording};
use crate::bookinfo::Service;
use crate::envoy::EnvoyVersion;
use crate::net::Subnet;
use crate::paths::RunFolder;

/// A mesh that is running; dropping it ends all of it, its edges excepted.
#[derive(Debug)]
pub struct Mesh {
    programs: Programs,
    inventory: Inventory,
    pods: Pods,
    subnet: Subnet,
    folder: RunFolder,
    edges: AtomicU32,
}

/// A gateway and the control plane that it asks. The gateway goes first.
#[derive(Debug)]
pub struct Edge {
    /// The gateway.
    pub gateway: Gateway,
    /// The control plane.
    pub plane: ControlPlane,
    /// Its manifests, as they were given.
    pub manifests: Manifests,
}

impl Mesh {
    /// Starts so many pods of each service in each place.
    ///
    /// # Errors
    /// When the applications do not come up.
    pub async fn start(programs: Programs, places: Vec<Place>, services: Vec<Service>, replicas: u8) -> Result<Self> {
        let (subnet, folder) = (Subnet::claim()?, RunFolder::create()?);
        let inventory = Inventory::new(places, services, replicas, &subnet)?;
        let pods = Pods::start(&inventory, folder.path()).await?;
        Ok(Self { programs, inventory, pods, subnet, folder, edges: AtomicU32::new(0) })
    }

    /// Its applications.
    #[must_use]
    pub fn pods(&self) -> &Pods {
        &self.pods
    }

    /// Starts an edge in one of its clusters. In the manifests `${GATEWAY}` is the gateway's address.
    ///
    /// # Errors
    /// When Istio refuses the manifests, or Envoy does not come up with what istiod makes of them.
    pub async fn edge(
        &self,
        cluster: &str,
        manifests: &Manifests,
        version: EnvoyVersion,
        workers: u32,
    ) -> Result<Edge> {
        let ip = self.subnet.address()?;
        let (plane, manifests) = self.plane(cluster, manifests, ip).await?;
        let name = name(plane.mesh());
        let gateway = Gateway::builder(&plane, ip).envoy(version).workers(workers);
        let gateway = gateway.start(&format!("{name}.gateway"), self.folder.path()).await;
        let gateway = gateway.with_context(|| format!("{name}: istiod said: {}", plane.process().last_lines()))?;
        Ok(Edge { gateway, plane, manifests })
    }

    /// What a control plane would tell a gateway in one of its clusters, with this run's addresses written as 127.0.0.0/24.
    ///
    /// # Errors
    /// When Istio refuses the manifests.
    pub async fn record(&self, cluster: &str, manifests: &Manifests) -> Result<Recording> {
        let ip = self.subnet.address()?;
        let (plane, _) = self.plane(cluster, manifests, ip).await?;
        let [a, b, c, _] = ip.octets();
        let recording = Gateway::record(&self.programs, &plane, ip).await?;
        Ok(recording.with(&format!("{a}.{b}.{c}."), "127.0.0."))
    }

    /// What Istio's validation and analyzers find in manifests, with all of the mesh around them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn analyze(&self, cluster: &str, manifests: &Manifests) -> Result<Vec<Finding>> {
        let ip = self.subnet.address()?;
        let (mesh, _) = self.write(cluster, manifests, ip)?;
        self.programs.analyze([mesh.as_path()]).await
    }

    /// Writes the mesh down, with a gateway in `cluster`: its folder, and its manifests with the address filled in.
    fn write(&self, cluster: &str, manifests: &Manifests, ip: Ipv4Addr) -> Result<(PathBuf, Manifests)> {
        let manifests = manifests.clone().word("GATEWAY", &ip.to_string());
        let name = format!("{cluster}.edge-{}", self.edges.fetch_add(1, Ordering::Relaxed) + 1);
        let mesh = self.folder.path().join(&name);
        self.inventory.write(&mesh, (cluster, ip))?;
        manifests.write(&mesh.join("config"))?;
        Ok((mesh, manifests))
    }

    async fn plane(&self, cluster: &str, manifests: &Manifests, ip: Ipv4Addr) -> Result<(ControlPlane, Manifests)> {
        let (mesh, manifests) = self.write(cluster, manifests, ip)?;
        let log = format!("{}.istiod", name(&mesh));
        let plane = ControlPlane::start(&self.programs, &log, &mesh, cluster, self.folder.path()).await?;
        Ok((plane, manifests))
    }
}

/// What the files of an edge are called, after the folder of its mesh.
fn name(mesh: &Path) -> String {
    mesh.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
