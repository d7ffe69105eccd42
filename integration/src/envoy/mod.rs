//! A real Envoy: which one, started from which bootstrap, and what it says about itself.
//!
//! A bootstrap is any value that serialises to Envoy's JSON, normally [`meridian::envoy::Bootstrap`], and stays readable
//! in the folder of the run beside the log. Ready means that Envoy's own admin says so, after every listener and module
//! is loaded.

mod memory;
mod stats;
mod version;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use tokio::process::Command;

use crate::client::{Request, Response};
use crate::process::Process;

pub use version::EnvoyVersion;

const READY_WITHIN: Duration = Duration::from_secs(60);
const ADMIN_PATIENCE: Duration = Duration::from_secs(5);

/// An Envoy of this run.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    admin: SocketAddr,
}

impl Envoy {
    /// Starts one; [`ready`](Self::ready) waits for it. Its bootstrap and log are `NAME.json` and `NAME.log` in `folder`.
    ///
    /// # Errors
    /// When the bootstrap cannot be written or the binary not be started.
    pub fn launch(
        name: &str,
        binary: &Path,
        bootstrap: &impl Serialize,
        admin: SocketAddr,
        workers: u32,
        folder: &Path,
    ) -> Result<Self> {
        Self::launch_with(name, binary, bootstrap, admin, &["--concurrency", &workers.to_string()], folder)
    }

    /// The same with arguments of its own, of which `--concurrency` should be one.
    ///
    /// # Errors
    /// When the bootstrap cannot be written or the binary not be started.
    pub fn launch_with(
        name: &str,
        binary: &Path,
        bootstrap: &impl Serialize,
        admin: SocketAddr,
        arguments: &[&str],
        folder: &Path,
    ) -> Result<Self> {
        let file = write(name, bootstrap, folder)?.display().to_string();
        let fixed =
            ["-c", &file, "--disable-hot-restart", "--log-level", "warning", "--component-log-level", "wasm:info"];
        let arguments = fixed.iter().chain(arguments);
        Ok(Self { process: Process::start(name, binary, arguments, folder)?, admin })
    }

    /// Waits until it takes traffic.
    ///
    /// # Errors
    /// When it dies or does not get ready, with the last lines of its log.
    pub async fn ready(&self) -> Result<()> {
        let ready = async || self.admin("GET", "/ready").await.is_ok_and(|answer| answer.status == 200);
        self.process.ready(READY_WITHIN, ready).await
    }

    /// The process, for stopping and freezing.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where its admin listens.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// When the kernel refuses to tell whether it ended.
    pub async fn stop(&self) -> Result<()> {
        self.process.stop().await
    }

    /// Starts it again after it was stopped, and waits until it takes traffic.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(&self) -> Result<()> {
        self.process.launch()?;
        self.ready().await
    }

    /// Everything it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Every counter and gauge whose name begins with `prefix`.
    ///
    /// # Errors
    /// When its admin does not answer.
    pub async fn stats(&self, prefix: &str) -> Result<BTreeMap<String, u64>> {
        let answer = self.admin("GET", "/stats").await?;
        ensure!(answer.status == 200, "The statistics of {} answered {}.", self.process.name(), answer.status);
        Ok(stats::parse(&answer.text(), prefix))
    }

    /// How many bytes of linear memory each of its wasm VMs has, in no particular order but always the same.
    ///
    /// # Errors
    /// When it does not run.
    pub fn wasm_memories(&self) -> Result<Vec<u64>> {
        let pid = self.process.pid().with_context(|| format!("{} does not run.", self.process.name()))?;
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).context("Its memory cannot be looked at.")?;
        Ok(memory::linear_memories(&maps))
    }

    /// One counter or gauge; zero if Envoy does not have it yet.
    ///
    /// # Errors
    /// When its admin does not answer.
    pub async fn counter(&self, name: &str) -> Result<u64> {
        Ok(self.stats(name).await?.get(name).copied().unwrap_or_default())
    }

    /// A metric of the filter: the sum of its series that have all of `labels`; zero if there is none yet.
    ///
    /// # Errors
    /// When its admin does not answer.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Result<u64> {
        Ok(stats::sum(&self.stats(stats::FILTER_METRICS).await?, name, labels))
    }

    /// Asks its admin anything, e.g. `("GET", "/clusters")` or `("POST", "/logging?level=debug")`.
    ///
    /// # Errors
    /// When its admin does not answer within five seconds.
    pub async fn admin(&self, method: &str, path: &str) -> Result<Response> {
        let answer = Request::new(method, path).patience(ADMIN_PATIENCE).send(self.admin).await;
        answer.with_context(|| format!("The admin of {} does not answer.", self.process.name()))
    }
}

/// Asks Envoy whether it would take a bootstrap: `envoy --mode validate`.
///
/// # Errors
/// When it would not, with what it says.
pub async fn validate(version: &EnvoyVersion, bootstrap: &impl Serialize) -> Result<()> {
    let binary = version.binary().await?;
    let folder = tempfile::tempdir().context("No temporary folder could be made.")?;
    let file = write("bootstrap", bootstrap, folder.path())?;
    let arguments = ["--mode", "validate", "--log-level", "warning", "-c"];
    let said = Command::new(binary).args(arguments).arg(&file).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let said = said.context("Envoy cannot be run.")?;
    if !said.status.success() {
        bail!("Envoy {} refuses the bootstrap:\n{}", version.as_str(), String::from_utf8_lossy(&said.stderr).trim());
    }
    Ok(())
}

fn write(name: &str, bootstrap: &impl Serialize, folder: &Path) -> Result<PathBuf> {
    let file = folder.join(format!("{name}.json"));
    let json = serde_json::to_vec_pretty(bootstrap).with_context(|| format!("The bootstrap of {name} is not JSON."))?;
    std::fs::write(&file, json).with_context(|| format!("{} cannot be written.", file.display()))?;
    Ok(file)
}
