//! A real Envoy: which one, started from which bootstrap, and what it says about itself.
//!
//! The binaries are those that `integration/setup/versions.sh` pins; the first use fetches a missing one. A bootstrap is
//! any value that serialises to Envoy's JSON, normally [`meridian::envoy::Bootstrap`], and stays readable in the folder of
//! the run beside the log. Ready means that Envoy's own admin says so, after every listener and module is loaded.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use tokio::process::Command;

use crate::client::{Request, Response};
use crate::paths;
use crate::process::Process;

const READY_WITHIN: Duration = Duration::from_secs(60);
const ADMIN_PATIENCE: Duration = Duration::from_secs(5);
const PINS: &str = include_str!("../setup/versions.sh");

/// A version of Envoy, e.g. `1.40.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvoyVersion(String);

impl EnvoyVersion {
    /// A version that need not be pinned.
    #[must_use]
    pub fn new(version: &str) -> Self {
        Self(version.to_owned())
    }

    /// The versions that Meridian is tested on, oldest first.
    #[must_use]
    pub fn pinned() -> Vec<Self> {
        let pins = PINS.lines().find_map(|line| line.strip_prefix("ENVOY_VERSIONS=(")?.strip_suffix(')'));
        pins.unwrap_or_default().split_whitespace().map(Self::new).collect()
    }

    /// The newest of [`pinned`](Self::pinned).
    ///
    /// # Errors
    /// When nothing is pinned.
    pub fn newest() -> Result<Self> {
        Self::pinned().pop().context("integration/setup/versions.sh pins no Envoy: add one to ENVOY_VERSIONS.")
    }

    /// The oldest of [`pinned`](Self::pinned).
    ///
    /// # Errors
    /// When nothing is pinned.
    pub fn oldest() -> Result<Self> {
        let first = Self::pinned().into_iter().next();
        first.context("integration/setup/versions.sh pins no Envoy: add one to ENVOY_VERSIONS.")
    }

    /// Its number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its binary, fetched if it is not there.
    ///
    /// # Errors
    /// When it cannot be fetched.
    pub async fn binary(&self) -> Result<PathBuf> {
        let path = paths::workspace().join("target/envoy").join(&self.0).join("envoy");
        if path.is_file() {
            return Ok(path);
        }
        let script = paths::workspace().join("integration/setup/envoy.sh");
        let fetched = Command::new(&script).arg(&self.0).stdin(Stdio::null()).stderr(Stdio::inherit()).output().await;
        let fetched = fetched.with_context(|| format!("{} cannot be run.", script.display()))?;
        ensure!(fetched.status.success(), "Envoy {} could not be fetched; see above.", self.0);
        Ok(PathBuf::from(String::from_utf8_lossy(&fetched.stdout).trim()))
    }
}

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
        let file = write(name, bootstrap, folder)?;
        let workers = workers.to_string();
        let arguments = [
            "-c".as_ref(),
            file.as_os_str(),
            "--concurrency".as_ref(),
            workers.as_ref(),
            "--disable-hot-restart".as_ref(),
            "--log-level".as_ref(),
            "warning".as_ref(),
            "--component-log-level".as_ref(),
            "wasm:info".as_ref(),
        ];
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
        Ok(parse_stats(&answer.text(), prefix))
    }

    /// One counter or gauge; zero if Envoy does not have it yet.
    ///
    /// # Errors
    /// When its admin does not answer.
    pub async fn counter(&self, name: &str) -> Result<u64> {
        Ok(self.stats(name).await?.get(name).copied().unwrap_or_default())
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

/// `name: value` lines; histograms, whose value is not a number, are left out.
fn parse_stats(text: &str, prefix: &str) -> BTreeMap<String, u64> {
    let lines = text.lines().filter(|line| line.starts_with(prefix));
    // From the right: a name may hold `: ` itself, a value never.
    lines
        .filter_map(|line| line.rsplit_once(": "))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pins_are_read_from_the_one_place_that_has_them() {
        assert!(EnvoyVersion::pinned().len() >= 2);
        assert_ne!(EnvoyVersion::oldest().unwrap(), EnvoyVersion::newest().unwrap());
    }

    #[test]
    fn histograms_and_other_names_are_left_out() {
        let text = "cluster.a.rq: 3\ncluster.a.time: P0(1,2) P50(3,4)\nlistener.b: 4\n";
        assert_eq!(parse_stats(text, "cluster."), BTreeMap::from([("cluster.a.rq".to_owned(), 3)]));
    }
}
