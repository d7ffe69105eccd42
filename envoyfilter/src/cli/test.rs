//! `meridian test`.

use super::{Output, print, print_json};
use crate::diagnostics::excerpt;
use crate::palette::{COLOURED, Palette};
use crate::policy_test::{Outcome, TestFile};
use crate::yaml::Position;
use anyhow::Result;
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;

const FAILED: u8 = 1;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files of tests; each names its policy.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

impl Arguments {
    pub(super) fn run(&self, output: Output) -> Result<ExitCode> {
        let (mut text, mut outcomes) = (String::new(), Vec::new());
        // All are read before the first runs: wrong input is not a failed test.
        for file in self.files.iter().map(|path| TestFile::load(path)).collect::<Result<Vec<_>>>()? {
            let run = file.run();
            run.iter()
                .filter(|outcome| !outcome.passed)
                .for_each(|outcome| text += &failure(outcome, &file, &COLOURED));
            outcomes.extend(run);
        }
        let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
        let passed = outcomes.len() - failed;
        match output {
            Output::Text => print(&format!("{text}{passed} passed, {failed} failed\n"))?,
            Output::Json => {
                print_json(&serde_json::json!({"passed": passed, "failed": failed, "tests": outcomes}))?;
            }
        }
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }
}

fn failure(outcome: &Outcome, file: &TestFile, palette: &Palette) -> String {
    let Palette { bad, good, strong, .. } = palette;
    let mut text = format!("{bad}failed{bad:#}: {strong}{}{strong:#}\n", outcome.name);
    for difference in &outcome.differences {
        let at = Position { line: difference.line, column: difference.column };
        text += &excerpt(&outcome.file, at, file.text.lines().nth(at.line - 1), *bad, palette);
        let (expected, seen) = (shown(&difference.expected), shown(&difference.seen));
        let key = &difference.key;
        text += &format!("  {bad}expected {key}: {expected}{bad:#}\n  {good}seen     {key}: {seen}{good:#}\n");
    }
    text + &format!("  ask it yourself: {}\n\n", outcome.replay)
}

/// A value as YAML would write it.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
