//! A pod: an application behind its sidecar, and what can be done to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::blackhole::Blackhole;
use super::layout::PodLayout;
use super::spec::Workload;
use crate::bookinfo::{Fault, Tally};
use crate::client::Request;
use crate::envoy::Envoy;
use crate::process::Process;

const READY_WITHIN: Duration = Duration::from_secs(20);
const CONTROL_PATIENCE: Duration = Duration::from_secs(5);

/// A pod of the mesh.
#[derive(Debug)]
pub struct Pod {
    workload: Workload,
    cluster: String,
    inbound: SocketAddr,
    address: SocketAddr,
    tally: PathBuf,
    application: Process,
    sidecar: Envoy,
    blackhole: Mutex<Option<Blackhole>>,
}

impl Pod {
    pub(super) fn launch_application(
        cluster: &str,
        layout: &PodLayout,
        program: &Path,
        folder: &Path,
    ) -> Result<(Process, PathBuf)> {
        let workload = &layout.workload;
        let name = format!("{cluster}.{workload}.app");
        let tally = folder.join(format!("{name}.tally"));
        let arguments = [
            ("--service", workload.service.name().to_owned()),
            ("--version", workload.version.clone()),
            ("--cluster", cluster.to_owned()),
            ("--listen", layout.application().to_string()),
            ("--outbound", layout.outbound().to_string()),
            ("--tally", tally.display().to_string()),
        ];
        let arguments = arguments.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]);
        Ok((Process::start(&name, program, arguments, folder)?, tally))
    }

    pub(super) fn new(cluster: &str, layout: &PodLayout, app: (Process, PathBuf), sidecar: Envoy) -> Self {
        let (application, tally) = app;
        Self {
            workload: layout.workload.clone(),
            cluster: cluster.to_owned(),
            inbound: layout.inbound(),
            address: layout.application(),
            tally,
            application,
            sidecar,
            blackhole: Mutex::default(),
        }
    }

    /// What it runs.
    #[must_use]
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// The cluster it is in.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Where its sidecar takes requests for it.
    #[must_use]
    pub fn inbound(&self) -> SocketAddr {
        self.inbound
    }

    /// Where its application listens, past the sidecar.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its application's process.
    #[must_use]
    pub fn application(&self) -> &Process {
        &self.application
    }

    /// Its sidecar.
    #[must_use]
    pub fn sidecar(&self) -> &Envoy {
        &self.sidecar
    }

    /// How many requests have reached its application, over all its starts; it may be frozen or gone.
    #[must_use]
    pub fn served(&self) -> u64 {
        Tally::read(&self.tally)
    }

    /// Takes it away at once, as a node that is lost: connections to it are refused.
    pub fn kill(&self) {
        self.sidecar.process().kill();
        self.application.kill();
    }

    /// Brings it back, and waits until it serves. A fault that it had is gone.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(&self) -> Result<()> {
        self.application.launch()?;
        self.sidecar.process().launch()?;
        self.ready().await
    }

    pub(super) async fn ready(&self) -> Result<()> {
        let healthy = async || {
            let probe = Request::get("/healthz").patience(Duration::from_secs(1)).send(self.address).await;
            probe.is_ok_and(|answer| answer.status == 200)
        };
        self.application.ready(READY_WITHIN, healthy).await?;
        self.sidecar.ready().await
    }

    /// Stops its clocks: connections to it open, and nobody answers.
    pub fn freeze(&self) {
        self.sidecar.process().freeze();
        self.application.freeze();
    }

    /// Makes its address swallow everything: nobody answers, not even the kernel, as when a region's network is gone.
    ///
    /// # Errors
    /// When its address still answers.
    pub async fn blackhole(&self) -> Result<()> {
        self.freeze();
        let blackhole = Blackhole::at(self.inbound).await?;
        *self.blackhole.lock().unwrap_or_else(PoisonError::into_inner) = Some(blackhole);
        Ok(())
    }

    /// Lets them run again, and takes connections again.
    pub fn thaw(&self) {
        self.blackhole.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.application.thaw();
        self.sidecar.process().thaw();
    }

    /// Tells its application how to fail from now on; [`Fault::none`] ends it.
    ///
    /// # Errors
    /// When the application does not obey.
    pub async fn fault(&self, fault: &Fault) -> Result<()> {
        let order = Request::new("POST", "/_control").patience(CONTROL_PATIENCE).body(serde_json::to_vec(fault)?);
        let answer = order.send(self.address).await;
        let answer = answer.with_context(|| format!("{} in {} takes no orders.", self.workload, self.cluster))?;
        ensure!(answer.status == 200, "{} in {} refused: {}", self.workload, self.cluster, answer.text());
        Ok(())
    }
}
