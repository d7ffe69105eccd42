//! A control plane of a mesh: Istio's, over a folder, and live.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::Programs;
use crate::bookinfo::Service;
use crate::client::Request;
use crate::process::Process;

const READY_WITHIN: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(10);

/// A control plane that serves; dropping it ends it.
#[derive(Debug)]
pub struct ControlPlane {
    process: Process,
    cluster: String,
    mesh: PathBuf,
    addresses: Addresses,
}

/// The line that it prints when it serves.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Addresses {
    ads: SocketAddr,
    control: SocketAddr,
}

impl ControlPlane {
    /// Starts the one in `cluster` of the mesh in a folder, and waits until it serves. Its log is `NAME.log` in `logs`.
    ///
    /// # Errors
    /// When the mesh is wrong, with every reason, or the program does not come up.
    pub async fn start(programs: &Programs, name: &str, mesh: &Path, cluster: &str, logs: &Path) -> Result<Self> {
        let folder = mesh.display().to_string();
        let arguments = ["-mesh", folder.as_str(), "-cluster", cluster];
        let process = Process::start(name, &programs.path("istiod"), arguments, logs)?;
        let serves = async || addresses(&process).is_some();
        process.ready(READY_WITHIN, serves).await?;
        let addresses = addresses(&process).context("The control plane does not say where it listens.")?;
        Ok(Self { process, cluster: cluster.to_owned(), mesh: mesh.to_path_buf(), addresses })
    }

    /// Where proxies ask.
    #[must_use]
    pub fn ads(&self) -> SocketAddr {
        self.addresses.ads
    }

    /// The cluster that it sits in.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The folder of the mesh that it serves.
    #[must_use]
    pub fn mesh(&self) -> &Path {
        &self.mesh
    }

    /// Its process: a control plane can be lost as well.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Applies Istio's resources, as `kubectl apply` would in the cluster that it sits in. It returns before proxies have them.
    ///
    /// # Errors
    /// When Istio would refuse one of them, with the reason; then none is applied.
    pub async fn apply(&self, manifests: &str) -> Result<()> {
        self.ask("/apply", manifests).await
    }

    /// Deletes them.
    ///
    /// # Errors
    /// When one of them is not there.
    pub async fn delete(&self, manifests: &str) -> Result<()> {
        self.ask("/delete", manifests).await
    }

    /// Applies Kubernetes objects to any cluster of the mesh.
    ///
    /// # Errors
    /// When one of them is wrong or the cluster is not there.
    pub async fn apply_to(&self, cluster: &str, objects: &str) -> Result<()> {
        self.ask(&format!("/apply?cluster={cluster}"), objects).await
    }

    /// Leaves a service so many endpoints in a cluster, as if its other pods were gone. All of them again is as many as it had.
    ///
    /// # Errors
    /// When it never had so many.
    pub async fn scale(&self, cluster: &str, service: Service, endpoints: usize) -> Result<()> {
        let namespace = super::inventory::NAMESPACE;
        self.ask(&format!("/scale?cluster={cluster}&service={namespace}/{service}&endpoints={endpoints}"), "").await
    }

    async fn ask(&self, path: &str, body: &str) -> Result<()> {
        let answer = Request::new("POST", path).body(body).patience(PATIENCE).send(self.addresses.control).await;
        let answer = answer.context("The control plane does not answer.")?;
        ensure!(answer.status == 200, "The control plane refused: {}", answer.text().trim());
        Ok(())
    }
}

fn addresses(process: &Process) -> Option<Addresses> {
    let log = process.log();
    log.lines().rev().find_map(|line| serde_json::from_str(line).ok())
}
