//! The mesh: clusters in regions, each with pods and an east-west gateway, and ingresses in front of them.
//!
//! It is built as Istio builds one, so that what holds here holds there: an answer is tagged by the sidecar that gives
//! it, an ingress reaches its own cluster's pods directly and other clusters only through their east-west gateway, and a
//! remote endpoint is known by its region and cluster and nothing more. Everything is a real process and can be
//! stopped, frozen or told to fail, alone or by the cluster. What reached which application is counted there
//! ([`Mesh::served`]). Dropping the mesh ends all of it.

mod blackhole;
mod builder;
mod cluster;
mod east_west;
mod group;
mod ingress;
mod layout;
mod pod;
mod served;
mod sidecar;
mod spec;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::envoy::EnvoyVersion;
use crate::net::Subnet;
use crate::paths::RunFolder;

pub use builder::MeshBuilder;
pub use cluster::Cluster;
pub use group::Group;
pub use ingress::{Ingress, IngressBuilder};
pub use pod::Pod;
pub use served::Served;
pub use spec::{ClusterSpec, Tag, Workload};

/// A mesh that is running.
#[derive(Debug)]
pub struct Mesh {
    clusters: Vec<Cluster>,
    subnet: Subnet,
    version: EnvoyVersion,
    module: Option<PathBuf>,
    folder: RunFolder,
    ingresses: AtomicU32,
}

impl Mesh {
    /// Begins one.
    #[must_use]
    pub fn builder() -> MeshBuilder {
        MeshBuilder::new()
    }

    /// Its clusters.
    #[must_use]
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// One of them.
    ///
    /// # Errors
    /// When it has none of that name.
    pub fn cluster(&self, name: &str) -> Result<&Cluster> {
        let found = self.clusters.iter().find(|cluster| cluster.spec().name == name);
        found.with_context(|| format!("The mesh has no cluster {name}."))
    }

    /// Begins an ingress in front of one of its clusters.
    #[must_use]
    pub fn ingress(&self, cluster: &str) -> IngressBuilder<'_> {
        IngressBuilder::new(self, cluster)
    }

    /// What has reached the applications so far.
    #[must_use]
    pub fn served(&self) -> Served {
        Served::of(&self.clusters)
    }

    /// Where its configurations and logs are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Which Envoy it runs.
    #[must_use]
    pub fn version(&self) -> &EnvoyVersion {
        &self.version
    }
}

impl Drop for Mesh {
    /// All at once: each part would end by itself, but one after the other.
    fn drop(&mut self) {
        for cluster in &self.clusters {
            cluster.east_west.process().signal(Signal::SIGKILL);
            for pod in &cluster.pods {
                pod.sidecar().process().signal(Signal::SIGKILL);
                pod.application().signal(Signal::SIGKILL);
            }
        }
    }
}
