//! `meridian install` and `meridian rollback`.

use super::Output;
use super::print::{complain, print, print_json};
use crate::install::{Direction, Order, Outcome, Place, carry_out};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const INTERRUPTED: u8 = 130;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A cluster, by its name in the policy and its kubectl context, which may be one word; once for each cluster of the mesh.
    #[arg(long = "context", value_name = "[CLUSTER=]CONTEXT", required = true, value_parser = place)]
    clusters: Vec<Place>,
    /// The folder that `meridian render istio` wrote.
    #[arg(long, value_name = "DIR")]
    manifests: PathBuf,
    /// Check everything with the clusters, print what would be done, change nothing.
    #[arg(long)]
    dry_run: bool,
    /// The longest wait for each thing that is waited for, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    timeout: Duration,
    /// Replace fields that somebody else has set; what was there is kept for a rollback.
    #[arg(long)]
    take_over: bool,
    /// The east-west gateways, which must know every subset before a route may name it; empty if there are none. Labels alone are looked
    /// for in the whole cluster, which needs the permission to.
    #[arg(long, value_name = "[NAMESPACE/]LABELS", default_value = "istio-system/istio=eastwestgateway")]
    gateways: String,
    /// On the way back, the time that the proxies get to forget the routes, in seconds; istiod may wait 10 to tell them.
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    settle: Duration,
}

impl Arguments {
    pub(super) fn run(self, direction: Direction, output: Output) -> Result<ExitCode> {
        let order = Order {
            direction,
            clusters: self.clusters,
            manifests: self.manifests,
            dry_run: self.dry_run,
            take_over: self.take_over,
            timeout: self.timeout,
            gateways: self.gateways,
            settle: self.settle,
            narrate: output == Output::Text,
        };
        let outcome = carry_out(&order)?;
        match output {
            Output::Text => tell(&outcome, &order)?,
            Output::Json => print_json(&outcome)?,
        }
        Ok(match outcome {
            Outcome { interrupted: true, .. } => ExitCode::from(INTERRUPTED),
            Outcome { failure: Some(_), .. } => ExitCode::FAILURE,
            Outcome { .. } => ExitCode::SUCCESS,
        })
    }
}

/// The end of a run, for people: what failed, what to do, what has been done already.
fn tell(outcome: &Outcome, order: &Order) -> Result<()> {
    if let Some(failure) = &outcome.failure {
        let place = failure.context.as_ref().map(|context| format!(" in {context}")).unwrap_or_default();
        complain(&format!("{} failed{place}: {}\nto do: {}\n", failure.step, failure.what, failure.remedy));
    } else if outcome.interrupted {
        complain("stopped between two steps, as asked\n");
    } else {
        return print(if order.dry_run { "nothing was changed\n" } else { "done\n" });
    }
    let changed = outcome.changed();
    if changed.is_empty() {
        complain("nothing has been changed\n");
    } else {
        let back = if order.direction == Direction::Install { "; `meridian rollback` takes it out again" } else { "" };
        complain(&format!("already done: {}\n", changed.join(", ")));
        complain(&format!("every step may be repeated: the same command goes on from here{back}\n"));
    }
    Ok(())
}

fn place(text: &str) -> Result<Place, String> {
    let (cluster, context) = text.split_once('=').unwrap_or((text, text));
    if cluster.is_empty() || context.is_empty() {
        return Err("write a context, or a cluster's name and its context, e.g. primary=kind-primary".to_owned());
    }
    Ok(Place { cluster: cluster.to_owned(), context: context.to_owned() })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text);
    number.parse().map(Duration::from_secs).map_err(|_| "give whole seconds, e.g. 60".to_owned())
}
