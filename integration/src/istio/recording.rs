//! What a control plane told a proxy, as a value that can be kept and compared.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use meridian::envoy::Node;
use serde_json::Value;
use tokio::process::Command;

use super::Programs;

/// Listeners, routes, clusters, endpoints and extensions, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording(String);

impl Recording {
    pub(super) async fn of(programs: &Programs, ads: SocketAddr, node: &Node) -> Result<Self> {
        let file = tempfile::NamedTempFile::new().context("No temporary file could be made.")?;
        serde_json::to_writer(&file, node)?;
        let mut command = Command::new(programs.path("record"));
        let command = command.args(["-ads", &ads.to_string(), "-node"]).arg(file.path());
        let said = command.stdin(Stdio::null()).kill_on_drop(true).output().await.context("`record` cannot be run.")?;
        ensure!(said.status.success(), "record: {}", String::from_utf8_lossy(&said.stderr).trim());
        Ok(Self(String::from_utf8(said.stdout).context("A recording is not UTF-8.")?))
    }

    /// One that was kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        std::fs::read_to_string(path).map(Self).with_context(|| format!("{} cannot be read.", path.display()))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, &self.0).with_context(|| format!("{} cannot be written.", path.display()))
    }

    /// The same with other words, e.g. without the addresses of this run.
    #[must_use]
    pub fn with(self, from: &str, to: &str) -> Self {
        Self(self.0.replace(from, to))
    }

    /// The resources of one kind (`listeners`, `routes`, `clusters`, `endpoints`, `extensions`).
    ///
    /// # Errors
    /// When it is not what `record` wrote.
    pub fn resources(&self, kind: &str) -> Result<Vec<Value>> {
        let mut all: Value = serde_json::from_str(&self.0).context("A recording is not JSON.")?;
        match all.get_mut(kind).map(Value::take) {
            Some(Value::Array(resources)) => Ok(resources),
            _ => anyhow::bail!("The recording has no {kind}."),
        }
    }

    /// The first line in which another one differs, as this says it and as the other does.
    #[must_use]
    pub fn differs(&self, other: &Self) -> Option<String> {
        let (mine, theirs): (Vec<&str>, Vec<&str>) = (self.0.lines().collect(), other.0.lines().collect());
        let at = (0..mine.len().max(theirs.len())).find(|line| mine.get(*line) != theirs.get(*line))?;
        let around =
            |lines: &[&str]| lines.iter().skip(at.saturating_sub(3)).take(7).copied().collect::<Vec<_>>().join("\n");
        Some(format!("line {}:\n{}\n--- and not ---\n{}", at + 1, around(&mine), around(&theirs)))
    }
}
