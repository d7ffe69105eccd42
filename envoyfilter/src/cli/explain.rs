//! `meridian explain`.

use super::{Output, print, print_json};
use crate::clock;
use crate::explain::{Candidate, Explanation, explain};
use crate::palette::{COLOURED, Palette};
use crate::policy_file::PolicyFile;
use crate::request_line::RequestLine;
use anyhow::{Context, Result};
use clap::Args;
use meridian_core::{LocalHints, RegionId, Timestamp};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const REFUSED: u8 = 3;
/// Candidates that people are shown; machines get all of them.
const SHOWN: usize = 12;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The policy file.
    file: PathBuf,
    /// The request, e.g. 'GET https://bookinfo.example.com/ region: eu'.
    #[arg(long)]
    request: RequestLine,
    /// A region that is ejected; may be repeated.
    #[arg(long, value_name = "REGION")]
    ejected: Vec<String>,
    /// When the request comes, in RFC 3339, e.g. 2026-11-20T10:00:00Z; absent: now.
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    at: Option<Timestamp>,
    /// The Istio cluster (`CLUSTER_ID`) the asked Envoy runs in, where the policy names no `local`.
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
}

impl Arguments {
    pub(super) fn run(&self, output: Output) -> Result<ExitCode> {
        let hints = LocalHints { cluster_id: self.cluster.as_deref(), ..LocalHints::default() };
        let policy = PolicyFile::load(&self.file, &hints)?.policy;
        let region = |name: &String| {
            policy.region_named(name).with_context(|| format!("--ejected: there is no region `{name}`"))
        };
        let ejected: Vec<RegionId> = self.ejected.iter().map(region).collect::<Result<_>>()?;
        let explanation = explain(&policy, &self.request, &ejected, self.at.unwrap_or_else(clock::now))
            .context("no service of the policy answers for this host; Envoy would do what it does without Meridian")?;
        match output {
            Output::Text => print(&text(&explanation, &COLOURED))?,
            Output::Json => print_json(&explanation)?,
        }
        Ok(if explanation.is_refusal() { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS })
    }
}

fn text(explanation: &Explanation, palette: &Palette) -> String {
    let (good, bad, strong) = (palette.good, palette.bad, palette.strong);
    let asked = explanation.asked.as_deref().unwrap_or("none");
    let mut text = format!("asked   {asked}\nwant    {}\nchosen  ", explanation.want);
    // Writing to a string cannot fail.
    let _ = match (&explanation.chosen, &explanation.plan, explanation.status) {
        (Some(chosen), Some(plan), _) => writeln!(text, "{good}{chosen}{good:#}, by the plan {plan}"),
        (Some(chosen), None, _) => writeln!(text, "{good}{chosen}{good:#}, by different plans"),
        (_, _, Some(status)) => writeln!(text, "{bad}none{bad:#}: refused with {status}"),
        _ => {
            let shares: Vec<_> =
                explanation.split.iter().map(|(region, percent)| format!("{region} {percent} %")).collect();
            let refused = explanation.refused.map(|percent| format!("; {bad}refused {percent} %{bad:#}"));
            writeln!(text, "by weight: {good}{}{good:#}{}", shares.join(", "), refused.unwrap_or_default())
        }
    };
    let mut reasons: Vec<_> = explanation.reasons.iter().collect();
    reasons.sort_by_key(|(_, percent)| std::cmp::Reverse(**percent));
    let reasons: Vec<_> = reasons.iter().map(|(reason, percent)| format!("{reason} for {percent} %")).collect();
    let reason = if reasons.is_empty() { explanation.reason.to_owned() } else { reasons.join(", ") };
    let _ = writeln!(text, "reason  {strong}{reason}{strong:#}, by the rule {}", explanation.rule);
    let _ = writeln!(text, "native  {}", native(explanation));
    for (index, Candidate { region, why }) in explanation.candidates.iter().take(SHOWN).enumerate() {
        let _ = writeln!(text, "{} {region}: {why}", if index == 0 { "regions" } else { "       " });
    }
    let more = explanation.candidates.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(text, "        and {more} more; --output json lists them all");
    }
    text
}

/// What the native table would do by itself, and what that leaves to the filter.
fn native(explanation: &Explanation) -> String {
    let native = explanation.native.as_deref();
    let note = if explanation.is_refusal() {
        "; the filter answers instead"
    } else if explanation.plan.is_none() {
        ""
    } else if native == explanation.plan.as_deref() {
        "; nothing to write"
    } else {
        "; the filter writes the plan"
    };
    let unsure = if explanation.weighted { "shares out by weight" } else { "depends on Envoy's version" };
    format!("{}{note}", native.unwrap_or(unsure))
}
