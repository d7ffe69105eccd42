//! `meridian lint`.

use super::{Output, print, print_json};
use crate::diagnostics::excerpt;
use crate::lint::{CODES, Code, Finding, Report, code, lint_files};
use crate::palette::{COLOURED, Palette};
use crate::yaml::Position;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

const FOUND: u8 = 1;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The policy file.
    #[arg(required_unless_present = "explain")]
    file: Option<PathBuf>,
    /// The folder of manifests, the user's own and the rendered ones; a folder below it with a cluster's name is that cluster's.
    #[arg(long, value_name = "DIR", required_unless_present = "explain")]
    manifests: Option<PathBuf>,
    /// Says what a code means and what to do; `all` lists every code.
    #[arg(long, value_name = "CODE", conflicts_with_all = ["file", "manifests"])]
    explain: Option<String>,
}

impl Arguments {
    pub(super) fn run(&self, output: Output) -> Result<ExitCode> {
        if let Some(name) = &self.explain {
            return explain(name, output);
        }
        let (Some(file), Some(folder)) = (&self.file, &self.manifests) else {
            bail!("a policy file and --manifests are needed");
        };
        let report = lint_files(file, folder)?;
        match output {
            Output::Text => print(&text(&report, &COLOURED))?,
            Output::Json => print_json(&serde_json::json!({"findings": report.findings}))?,
        }
        let code = if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) };
        // The process ends here; giving back a thousand manifests value by value would only make somebody wait.
        std::mem::forget(report);
        Ok(code)
    }
}

fn explain(name: &str, output: Output) -> Result<ExitCode> {
    let found: Vec<&Code> = if name == "all" {
        CODES.to_vec()
    } else {
        let known = || format!("there is no code `{name}`; `meridian lint --explain all` lists them");
        vec![code(name).with_context(known)?]
    };
    match (output, found.as_slice()) {
        (Output::Json, [one]) => print_json(one)?,
        (Output::Json, several) => print_json(&several)?,
        (Output::Text, codes) => {
            print(&codes.iter().map(|code| explained(code, &COLOURED)).collect::<Vec<_>>().join("\n"))?
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn explained(code: &Code, palette: &Palette) -> String {
    let severity = palette.severity(code.severity);
    let (strong, good) = (palette.strong, palette.good);
    let Code { name, title, why, instead, .. } = code;
    format!(
        "{severity}{name}{severity:#} {strong}{title}{strong:#} ({})\n{why}\n{good}Write: {instead}{good:#}\n",
        code.severity
    )
}

fn text(report: &Report, palette: &Palette) -> String {
    let mut text: String =
        report.findings.iter().map(|finding| one(finding, report.source(finding), palette)).collect();
    text += &match report.findings.as_slice() {
        [] => "nothing found\n".to_owned(),
        [one] => format!("1 finding; meridian lint --explain {} says more\n", one.code),
        [first, ..] => {
            format!("{} findings; meridian lint --explain {} says more\n", report.findings.len(), first.code)
        }
    };
    text
}

fn one(finding: &Finding, source: Option<&str>, palette: &Palette) -> String {
    let severity = palette.severity(finding.severity);
    let (strong, good) = (palette.strong, palette.good);
    let at = Position { line: finding.line, column: finding.column };
    format!(
        "{severity}{}[{}]{severity:#}: {strong}{}: {}{strong:#}\n{}  {good}write {}{good:#}\n",
        finding.severity,
        finding.code,
        finding.resource,
        finding.message,
        excerpt(&finding.file, at, source, severity, palette),
        finding.suggestion,
    )
}
