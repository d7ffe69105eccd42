//! `bench/RESULTS.md`: what was measured, on what, and which goals it meets.

mod cpu;
mod decisions;
pub(crate) mod machine;

use std::fs;

use anyhow::{Context, Result};
use integration::envoy::EnvoyVersion;
use integration::paths;

use crate::cpu::{Effort, Figures};

/// The document, section by section.
#[derive(Debug)]
pub struct Results {
    text: String,
}

impl Results {
    /// Begins with the machine and the versions.
    ///
    /// # Errors
    /// When the module is not there.
    pub fn of(version: &EnvoyVersion) -> Result<Self> {
        let mut results = Self { text: "# Results\n".to_owned() };
        results.add("Written by `make bench`, which measures everything anew. The machine is shared and has no hardware counters, so take ratios more\n\
                     seriously than times: every ratio is made of figures of the same round, and its spread is over all rounds.\n");
        results.add(&machine::section(version)?);
        Ok(results)
    }

    /// The section of the cost of requests; also printed.
    pub fn cpu(&mut self, figures: &Figures, effort: Effort) {
        self.add(&cpu::section(figures, effort));
    }

    /// Measures what a decision costs, for policies of many sizes.
    ///
    /// # Errors
    /// When the measuring itself is broken.
    pub fn decisions(&mut self) -> Result<()> {
        self.add(&decisions::section()?);
        Ok(())
    }

    /// Adds a section, and prints it.
    fn add(&mut self, section: &str) {
        println!("{section}");
        self.text.push('\n');
        self.text.push_str(section);
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self) -> Result<()> {
        let path = paths::workspace().join("bench/RESULTS.md");
        fs::write(&path, &self.text).with_context(|| format!("{} cannot be written.", path.display()))
    }
}
