//! The programs that are made of Istio's code: where they are, and what the analyzer says.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::paths;

/// What the script answers where there is no Go.
const WITHOUT_GO: i32 = 2;

/// Istio's programs, built.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
}

/// One thing that Istio's analyzers found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The line in it.
    pub line: u32,
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// Istio's code, e.g. `IST0101`.
    pub code: String,
    /// Kind, namespace and name.
    #[serde(default)]
    pub resource: String,
    /// In words.
    pub message: String,
}

#[derive(Deserialize)]
struct Findings {
    findings: Vec<Finding>,
}

impl Programs {
    /// Builds them if need be, which takes minutes the first time; `None`, and why on stderr, where that cannot be done here.
    ///
    /// # Errors
    /// When they can be built here and are not.
    pub async fn get() -> Result<Option<Self>> {
        static BUILT: OnceCell<Option<Programs>> = OnceCell::const_new();
        BUILT.get_or_try_init(build).await.cloned()
    }

    /// One of them.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What `istioctl analyze` and the API server's webhook would say of manifests that are applied together.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn analyze(&self, paths: impl IntoIterator<Item = &Path>) -> Result<Vec<Finding>> {
        let mut command = Command::new(self.path("analyze"));
        let said = command.args(paths).stdin(Stdio::null()).kill_on_drop(true).output().await;
        let said = said.context("Istio's analyzers cannot be run.")?;
        match said.status.code() {
            Some(0 | 1) => {}
            _ => bail!("Istio's analyzers: {}", String::from_utf8_lossy(&said.stderr).trim()),
        }
        let findings: Findings =
            serde_json::from_slice(&said.stdout).context("Istio's analyzers did not answer in JSON.")?;
        Ok(findings.findings)
    }
}

async fn build() -> Result<Option<Programs>> {
    let script = paths::workspace().join("integration/setup/istio.sh");
    let status = Command::new(&script).stdin(Stdio::null()).stdout(Stdio::null()).status().await;
    let status = status.with_context(|| format!("{} cannot be run.", script.display()))?;
    if status.code() == Some(WITHOUT_GO) {
        return Ok(None);
    }
    ensure!(status.success(), "Istio's programs could not be built; see above.");
    Ok(Some(Programs { folder: paths::workspace().join("target/istio") }))
}
