//! A mesh under Istio: pods that are shared, and edges that can be compared.
//!
//! An edge is a control plane with one gateway. Each has its own, so that one test sees the same outage with the filter and without it,
//! on two Envoys, under configurations that change independently.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::bootstrap::{self, Asks};
use super::identity::{Identity, Role};
use super::inventory::NAMESPACE;
use super::secrets::Secrets;
use super::{ControlPlane, Finding, Inventory, Manifests, Place, Pods, Programs, Proxy, Recording, Site, Wanted};
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
    secrets: Option<Secrets>,
    subnet: Subnet,
    folder: RunFolder,
    edges: AtomicU32,
}

/// The file among an edge's manifests that is no manifest but the mesh's own configuration (`MeshConfig`).
pub const SETTINGS: &str = "mesh.yaml";

/// A gateway and the control plane that it asks. The gateway goes first.
#[derive(Debug)]
pub struct Edge {
    /// The gateway.
    pub gateway: Proxy,
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
        let secrets =
            if inventory.needs_certificates() { Some(Secrets::start(&programs, folder.path()).await?) } else { None };
        Ok(Self { programs, inventory, pods, secrets, subnet, folder, edges: AtomicU32::new(0) })
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
        let identity = Identity::new(&self.inventory, cluster, Role::Ingress, ip);
        let gateway = self.proxy(&format!("{name}.gateway"), identity, &plane, (version, workers)).await;
        let gateway = gateway.with_context(|| format!("{name}: istiod said: {}", plane.process().last_lines()))?;
        Ok(Edge { gateway, plane, manifests })
    }

    /// Starts clusters, each with a control plane of its own that sees all of them, as in a multi-primary mesh. Where there are several
    /// networks, proxies speak mutual TLS, and applications behind sidecars answer to nothing else.
    ///
    /// # Errors
    /// When Istio refuses the manifests, or an Envoy does not come up with what istiod makes of them.
    pub async fn sites(&self, wanted: Vec<Wanted>, version: &EnvoyVersion, workers: u32) -> Result<Vec<Site>> {
        let number = self.edges.fetch_add(1, Ordering::Relaxed) + 1;
        let mesh = self.folder.path().join(format!("sites-{number}"));
        let mut all = Vec::new();
        for Wanted { cluster, manifests, roles } in wanted {
            let mut proxies = Vec::new();
            for role in roles {
                if role == Role::Server {
                    proxies.extend(self.inventory.servers(&cluster));
                } else {
                    proxies.push(Identity::new(&self.inventory, &cluster, role, self.subnet.address()?));
                }
            }
            let ingress = proxies.iter().find(|proxy| proxy.role == Role::Ingress);
            let manifests = match ingress {
                Some(ingress) => manifests.word("GATEWAY", &ingress.pod.ip.to_string()),
                None => manifests,
            };
            let config = mesh.join("config").join(&cluster);
            manifests.write(&config)?;
            fs::write(config.join("proxies.yaml"), self.resources(&proxies)?)?;
            all.push((cluster, manifests, proxies));
        }
        let identities: Vec<Identity> = all.iter().flat_map(|(_, _, proxies)| proxies.clone()).collect();
        self.inventory.write(&mesh, &identities)?;
        if self.secrets.is_some() {
            fs::write(mesh.join("mesh.yaml"), "enableAutoMtls: true\n")?;
        }
        let mut sites = Vec::new();
        for (cluster, manifests, identities) in all {
            let name = format!("{}.{cluster}", name(&mesh));
            let log = format!("{name}.istiod");
            let plane = ControlPlane::start(&self.programs, &log, &mesh, &cluster, self.folder.path()).await?;
            let mut proxies = Vec::new();
            for identity in identities {
                let name = format!("{name}.{}", identity.pod.name);
                let proxy = self.proxy(&name, identity, &plane, (version.clone(), workers)).await;
                let said = || format!("{name}: istiod said: {}", plane.process().last_lines());
                proxies.push(proxy.with_context(said)?);
            }
            sites.push(Site { proxies, plane, manifests });
        }
        Ok(sites)
    }

    /// What makes proxies listen, as Istio's resources.
    fn resources(&self, proxies: &[Identity]) -> Result<String> {
        let mut resources: Vec<Value> = proxies.iter().filter_map(Identity::listens).collect();
        if self.inventory.has_networks() && proxies.iter().any(|proxy| proxy.role == Role::Server) {
            resources.push(json!({
                "apiVersion": "security.istio.io/v1",
                "kind": "PeerAuthentication",
                "metadata": {"name": "strict", "namespace": NAMESPACE},
                "spec": {"mtls": {"mode": "STRICT"}},
            }));
        }
        let documents: Vec<String> = resources.iter().map(serde_json::to_string_pretty).collect::<Result<_, _>>()?;
        Ok(documents.join("\n---\n"))
    }

    async fn proxy(
        &self,
        name: &str,
        identity: Identity,
        plane: &ControlPlane,
        envoy: (EnvoyVersion, u32),
    ) -> Result<Proxy> {
        let secrets = self.secrets.as_ref().map(Secrets::address);
        Proxy::start(name, identity, Asks { ads: plane.ads(), secrets }, envoy, self.folder.path()).await
    }

    /// What a control plane would tell a gateway in one of its clusters, with this run's addresses written as 127.0.0.0/24.
    ///
    /// # Errors
    /// When Istio refuses the manifests.
    pub async fn record(&self, cluster: &str, manifests: &Manifests) -> Result<Recording> {
        let ip = self.subnet.address()?;
        let (plane, _) = self.plane(cluster, manifests, ip).await?;
        let [a, b, c, _] = ip.octets();
        let node = bootstrap::node(&Identity::new(&self.inventory, cluster, Role::Ingress, ip));
        let recording = Recording::of(&self.programs, plane.ads(), &node).await?;
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
        self.inventory.write(&mesh, &[Identity::new(&self.inventory, cluster, Role::Ingress, ip)])?;
        manifests.clone().without(SETTINGS).write(&mesh.join("config"))?;
        if let Ok(settings) = manifests.text(SETTINGS) {
            fs::write(mesh.join("mesh.yaml"), settings)?;
        }
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
