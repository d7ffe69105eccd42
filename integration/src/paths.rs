//! Where things are: the workspace, the files that other commands build, and the folder of a run.
//!
//! Everything the project makes or fetches lives in the workspace's `target/`, whatever folder a command is started in,
//! so paths are derived from where this crate was compiled. A run keeps its configurations and logs in a folder of its
//! own, which goes with the run, unless `MERIDIAN_KEEP` is set and somebody wants to read them afterwards.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.parent().unwrap_or(crate_folder).to_path_buf()
}

/// The filter, as `make module` leaves it.
///
/// # Errors
/// When it has not been built.
pub fn module() -> Result<PathBuf> {
    let path = workspace().join("target/meridian.wasm");
    if !path.is_file() {
        bail!("The filter is not built: run `make module` first.");
    }
    Ok(path)
}

/// The application binary, which cargo puts beside (or, for a test, one folder above) the running program.
///
/// # Errors
/// When it has not been built.
pub fn bookinfo() -> Result<PathBuf> {
    let program = std::env::current_exe().context("The path of this program is unknown.")?;
    program
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("bookinfo"))
        .find(|path| path.is_file())
        .context("The bookinfo application is not built: run `cargo build -p meridian-integration --bins` first.")
}

/// The folder of one run. Removed when dropped, unless `MERIDIAN_KEEP` is set.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _removed_on_drop: Option<TempDir>,
}

impl RunFolder {
    /// Makes a new one.
    ///
    /// # Errors
    /// When the temporary folder of this machine cannot be written.
    pub fn create() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("meridian-run-")
            .tempdir()
            .context("No folder for this run's logs could be made: is the temporary folder writable?")?;
        if std::env::var_os("MERIDIAN_KEEP").is_some() {
            return Ok(Self { path: folder.keep(), _removed_on_drop: None });
        }
        Ok(Self { path: folder.path().to_path_buf(), _removed_on_drop: Some(folder) })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
