//! A real Prometheus with the alert rules that users get: what an alert does is Prometheus' word, and not ours.
//!
//! It scrapes Envoys of this machine a few times a second, and is asked through its API which alerts wait, fire or are over. Where it
//! cannot be had, [`Tools::get`] says so and callers say that nothing was asked.

mod rules;
mod server;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::paths;

pub use rules::{FOLDER, faster};
pub use server::{Prometheus, State};

/// What the script answers where there is none.
const WITHOUT: i32 = 2;

/// Prometheus and promtool, installed.
#[derive(Clone, Debug)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Installs them if need be, which downloads 19 MB the first time; `None`, and why on stderr, where they cannot be had.
    ///
    /// # Errors
    /// When the setup script cannot be run or fails in another way.
    pub async fn get() -> Result<Option<Self>> {
        static INSTALLED: OnceCell<Option<Tools>> = OnceCell::const_new();
        INSTALLED.get_or_try_init(install).await.cloned()
    }

    /// Runs promtool in a folder.
    ///
    /// # Errors
    /// When it cannot be run; what it finds wrong is in its output.
    pub async fn promtool(&self, arguments: &[&str], folder: &Path) -> Result<Output> {
        let mut command = Command::new(self.program("promtool"));
        let said = command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true).output().await;
        said.context("promtool cannot be run.")
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

async fn install() -> Result<Option<Tools>> {
    let script = paths::workspace().join("integration/setup/prometheus.sh");
    let status = Command::new(&script).stdin(Stdio::null()).stdout(Stdio::null()).status().await;
    let status = status.with_context(|| format!("{} cannot be run.", script.display()))?;
    if status.code() == Some(WITHOUT) {
        return Ok(None);
    }
    ensure!(status.success(), "Prometheus could not be installed; see above.");
    Ok(Some(Tools { folder: paths::workspace().join("target/prometheus") }))
}
