//! Where figures were measured: they mean nothing without it.

use std::fs;
use std::path::Path;

use anyhow::Result;
use integration::envoy::EnvoyVersion;
use integration::paths;

use crate::results::machine::{processor, said};

/// The machine and what ran on it.
#[derive(Clone, Debug)]
pub struct Place {
    facts: Vec<String>,
}

impl Place {
    /// This machine, now.
    ///
    /// # Errors
    /// When the module has not been built.
    pub fn here(version: &EnvoyVersion) -> Result<Self> {
        let module = paths::module()?;
        let size = fs::metadata(&module)?.len().div_ceil(1024);
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let load = read("/proc/loadavg");
        let facts = vec![
            format!("{cores} cores: {}", processor()),
            format!(
                "Linux {}, load {} at the start",
                read("/proc/sys/kernel/osrelease"),
                load.split(' ').next().unwrap_or_default()
            ),
            format!("Envoy {}, the module of {size} KiB with the SHA-256 {}…", version.as_str(), digest(&module)),
            said("date", &["-u", "+%F"]),
        ];
        Ok(Self { facts })
    }

    #[cfg(test)]
    pub(super) fn unknown() -> Self {
        Self { facts: Vec::new() }
    }

    /// What there is to know, a line each.
    #[must_use]
    pub fn facts(&self) -> &[String] {
        &self.facts
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The module by its content: it is the same from any folder, and a figure that is committed cannot name its own revision.
fn digest(module: &Path) -> String {
    said("sha256sum", &[&module.display().to_string()]).chars().take(12).collect()
}
