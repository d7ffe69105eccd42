//! Which Envoys there are.
//!
//! The versions that Meridian is tested on are pinned in one place, `integration/setup/versions.sh`, which is read and not
//! repeated here. The first use of one fetches it.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::paths;

const PINS: &str = include_str!("../../setup/versions.sh");

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pins_are_read_from_the_one_place_that_has_them() {
        assert!(EnvoyVersion::pinned().len() >= 2);
        assert_ne!(EnvoyVersion::oldest().unwrap(), EnvoyVersion::newest().unwrap());
    }
}
