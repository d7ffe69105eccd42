//! `meridian explain`.

use super::{Output, print_json};
use crate::explain::{Explanation, explain};
use crate::policy_file::PolicyFile;
use crate::request_line::RequestLine;
use anyhow::{Context, Result};
use clap::Args;
use meridian_core::{LocalHints, RegionId, Timestamp};
use std::path::PathBuf;
use std::process::ExitCode;

const REFUSED: u8 = 3;

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
        let explanation = explain(&policy, &self.request, &ejected, Timestamp(1))
            .context("no service of the policy answers for this host; Envoy would do what it does without Meridian")?;
        match output {
            Output::Text => print(&explanation),
            Output::Json => print_json(&explanation)?,
        }
        Ok(if explanation.is_refusal() { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS })
    }
}

fn print(explanation: &Explanation) {
    let none = || "none".to_owned();
    println!("asked   {}", explanation.asked.clone().unwrap_or_else(none));
    println!("want    {}", explanation.want);
    match (&explanation.chosen, &explanation.plan, explanation.status) {
        (Some(chosen), Some(plan), _) => println!("chosen  {chosen}, by the plan {plan}"),
        (_, _, Some(status)) => println!("chosen  none: refused with {status}"),
        _ => {
            let shares: Vec<_> =
                explanation.split.iter().map(|(region, percent)| format!("{region} {percent} %")).collect();
            println!("chosen  by the native table's weights: {}", shares.join(", "));
        }
    }
    println!("reason  {}, by the rule {}", explanation.reason, explanation.rule);
    let native = explanation.native.as_deref();
    let note =
        if native == explanation.plan.as_deref() { "; nothing to write" } else { "; the filter writes the plan" };
    let note = if explanation.is_refusal() { "; the filter answers instead" } else { note };
    println!("native  {}{note}", native.unwrap_or("depends on Envoy's version"));
    for skipped in &explanation.skipped {
        println!("skipped {}: {}", skipped.region, skipped.why);
    }
}
