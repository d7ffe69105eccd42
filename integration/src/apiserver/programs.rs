//! The programs, built when they are first needed.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::paths;

/// What the script ends with where there is no Go.
const WITHOUT_GO: i32 = 2;

/// Kubernetes' API server and `kubectl`, and Istio's definitions for them.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
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

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn server(&self) -> PathBuf {
        self.folder.join("apiserver")
    }

    pub(super) fn kubectl(&self) -> PathBuf {
        self.folder.join("kubectl")
    }

    pub(super) fn definitions(&self) -> PathBuf {
        self.folder.join("crds.yaml")
    }
}

/// The command, which cargo puts beside the running program or, for a test, one folder above.
///
/// # Errors
/// When it has not been built.
pub fn meridian() -> Result<PathBuf> {
    let program = std::env::current_exe().context("The path of this program is unknown.")?;
    let mut places = program.ancestors().skip(1).take(2).map(|folder| folder.join("meridian"));
    places.find(|path| path.is_file()).context("The command is not built: run `cargo build -p meridian --bins` first.")
}

async fn build() -> Result<Option<Programs>> {
    let script = paths::workspace().join("integration/setup/apiserver.sh");
    let status = Command::new(&script).stdin(Stdio::null()).stdout(Stdio::null()).status().await;
    let status = status.with_context(|| format!("{} cannot be run.", script.display()))?;
    if status.code() == Some(WITHOUT_GO) {
        return Ok(None);
    }
    ensure!(status.success(), "Kubernetes' API server could not be built; see above.");
    Ok(Some(Programs { folder: paths::workspace().join("target/apiserver") }))
}
