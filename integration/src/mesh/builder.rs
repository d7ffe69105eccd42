//! How a mesh comes up.
//!
//! All addresses are given out first, so every configuration can be written before anything runs and everything can
//! start at once; what is slow is Envoy compiling the module, and side by side that costs what the machine has cores for.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;

use anyhow::Result;

use super::layout::Layout;
use super::sidecar::Sidecar;
use super::spec::{ClusterSpec, Tag, Workload};
use super::{Cluster, Mesh, Pod, east_west};
use crate::clock::Clock;
use crate::envoy::{Envoy, EnvoyVersion};
use crate::net::Subnet;
use crate::paths::{self, RunFolder};

type Progress = Box<dyn Fn(&str) + Send + Sync>;

/// What a mesh is to be; [`Mesh::builder`] begins with the demo's two clusters, all of Bookinfo and the newest Envoy.
pub struct MeshBuilder {
    clusters: Vec<ClusterSpec>,
    workloads: Vec<Workload>,
    version: Option<EnvoyVersion>,
    tag: Tag,
    module: Option<PathBuf>,
    progress: Progress,
}

impl MeshBuilder {
    pub(super) fn new() -> Self {
        Self {
            clusters: ClusterSpec::pair(),
            workloads: Workload::bookinfo(),
            version: None,
            tag: Tag::default(),
            module: None,
            progress: Box::new(|_| {}),
        }
    }

    /// Other clusters.
    #[must_use]
    pub fn clusters(self, clusters: Vec<ClusterSpec>) -> Self {
        Self { clusters, ..self }
    }

    /// Other workloads, the same in each cluster.
    #[must_use]
    pub fn workloads(self, workloads: Vec<Workload>) -> Self {
        Self { workloads, ..self }
    }

    /// Another Envoy.
    #[must_use]
    pub fn envoy(self, version: EnvoyVersion) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Who tags the answers at the serving side; the filter otherwise.
    #[must_use]
    pub fn tag(self, tag: Tag) -> Self {
        Self { tag, ..self }
    }

    /// Another module than `target/meridian.wasm`.
    #[must_use]
    pub fn module(self, module: &Path) -> Self {
        Self { module: Some(module.to_path_buf()), ..self }
    }

    /// Is told each stage, in words for people.
    #[must_use]
    pub fn on_progress(self, progress: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { progress: Box::new(progress), ..self }
    }

    /// Starts all of it and waits until it serves.
    ///
    /// # Errors
    /// When something that is needed is missing, or a part does not come up.
    pub async fn start(self) -> Result<Mesh> {
        let (say, clock) = (&self.progress, Clock::start());
        let program = paths::bookinfo()?;
        let module = match (self.module, self.tag) {
            (Some(module), _) => Some(module),
            (None, Tag::Filter) => Some(paths::module()?),
            (None, Tag::Native | Tag::Nobody) => paths::module().ok(),
        };
        let version = self.version.map_or_else(EnvoyVersion::newest, Ok)?;
        say(&format!("Envoy {}", version.as_str()));
        let binary = version.binary().await?;
        let (subnet, folder) = (Subnet::claim()?, RunFolder::create()?);
        let layout = Layout::new(&self.clusters, &self.workloads, &subnet)?;

        let start_cluster = |cluster: &super::layout::ClusterLayout| {
            let name = &cluster.spec.name;
            let launch = |what: &str, bootstrap, admin| {
                Envoy::launch(&format!("{name}.{what}"), &binary, &bootstrap, admin, 1, folder.path())
            };
            let east_west = launch("east-west", east_west::bootstrap(cluster), east_west::admin(cluster))?;
            let pods = cluster.pods.iter().map(|pod| {
                let application = Pod::launch_application(name, pod, &program, folder.path())?;
                let sidecar =
                    Sidecar { mesh: &layout, cluster, pod, tag: self.tag, module: module.as_deref() }.bootstrap();
                let sidecar = launch(&format!("{}.sidecar", pod.workload), sidecar, pod.admin())?;
                Ok(Pod::new(name, pod, application, sidecar))
            });
            let pods = pods.collect::<Result<_>>()?;
            Ok(Cluster { layout: cluster.clone(), east_west, pods })
        };
        let clusters = layout.clusters.iter().map(start_cluster).collect::<Result<Vec<_>>>()?;
        for cluster in &clusters {
            let (name, count) = (&cluster.spec().name, cluster.pods.len());
            say(&format!("cluster {name}: {count} pods and an east-west gateway"));
            for pod in &cluster.pods {
                pod.ready().await?;
            }
            cluster.east_west.ready().await?;
        }
        say(&format!("ready after {:.1} s", clock.now().as_secs_f64()));
        Ok(Mesh { clusters, subnet, version, module, folder, ingresses: AtomicU32::new(0) })
    }
}
