//! `bench/RESULTS.md`: what was measured, on what, and which goals it meets.

mod accounts;
mod calls;
mod cpu;
mod decisions;
mod footprint;
mod goals;
mod latency;
pub(crate) mod machine;
mod parts;
mod sizes;

use std::fs;

use anyhow::{Context, Result};
use integration::envoy::EnvoyVersion;
use integration::paths;

use crate::arms::{Name, Situation};
use crate::calls::Calls;
use crate::cpu::{Effort, Figures};
use crate::footprint::Footprint;
use crate::latency::Latencies;
use crate::statistics::Spread;

use goals::Goals;

/// The document, section by section.
#[derive(Debug)]
pub struct Results {
    head: String,
    goals: Goals,
    sections: String,
}

impl Results {
    /// Begins with the machine and the versions.
    ///
    /// # Errors
    /// When the module is not there.
    pub fn of(version: &EnvoyVersion) -> Result<Self> {
        let (machine, module) = (machine::section(version)?, machine::module()?);
        let head = format!(
            "# Results\n\
             Written by `make bench`, which measures everything anew. The machine is shared and has no hardware counters, so take ratios more\n\
             seriously than times: every ratio is made of figures of the same round, and its spread is over all rounds.\n\n{machine}"
        );
        println!("{head}");
        let mut results = Self { head, goals: Goals::default(), sections: String::new() };
        results.goals.add("the module: at most 300 KiB", "", module <= 300.0, &format!("{module:.1} KiB"));
        Ok(results)
    }

    /// The section of the cost of requests.
    pub fn cpu(&mut self, figures: &Figures, effort: Effort) {
        cpu::goals(figures, &mut self.goals);
        self.add(&cpu::section(figures, effort));
    }

    /// The section of calls between Envoy and the module.
    pub fn calls(&mut self, rows: &[(Name, Situation, Calls)]) {
        self.add(&calls::section(rows));
    }

    /// The section of latencies.
    pub fn latencies(&mut self, latencies: &Latencies, effort: crate::latency::Effort) {
        self.add(&latency::section(latencies, effort));
    }

    /// The section of start and memory.
    pub fn footprints(&mut self, plain: Footprint, rows: &[(Name, Footprint)]) {
        footprint::goals(plain, rows, &mut self.goals);
        self.add(&footprint::section(plain, rows));
    }

    /// The section that puts costs together from parts.
    pub fn accounts(&mut self, figures: &Figures, rows: &[(Name, Situation, Calls)], parts: &Figures) {
        self.add(&accounts::section(figures, rows, parts));
    }

    /// The section of parts.
    pub fn parts(&mut self, figures: &Figures, effort: Effort) {
        self.add(&parts::section(figures, effort));
    }

    /// The section of sizes.
    pub fn sizes(&mut self, figures: &Figures, effort: Effort) {
        sizes::goals(figures, &mut self.goals);
        self.add(&sizes::section(figures, effort));
    }

    /// Measures what a decision costs, for policies of many sizes.
    ///
    /// # Errors
    /// When the measuring itself is broken.
    pub fn decisions(&mut self) -> Result<()> {
        self.add(&decisions::section()?);
        Ok(())
    }

    /// Prints the goals, and writes all of it if it is to be kept.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(&self, keep: bool) -> Result<()> {
        let goals = self.goals.section();
        println!("{goals}");
        if keep {
            let path = paths::workspace().join("bench/RESULTS.md");
            let text = format!("{}\n{goals}{}", self.head, self.sections);
            fs::write(&path, text).with_context(|| format!("{} cannot be written.", path.display()))?;
        }
        Ok(())
    }

    /// Adds a section, and prints it.
    fn add(&mut self, section: &str) {
        println!("{section}");
        self.sections.push('\n');
        self.sections.push_str(section);
    }
}

/// The median with the least and the most; nothing of nothing.
fn spread(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(String::new, |Spread { least, median, most }| {
        format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
    })
}
