//! Asks a mesh for the fourteen things that must hold of it, prints a row for each, and says by its exit code whether they do.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use integration::interrupt::unless_interrupted;
use integration::plainly;
use integration::verify::{Finding, KindCluster, KindTarget, head, verify, verify_this_machine};

const INTERRUPTED: u8 = 130;

/// Checks a mesh against the list of assertions, and prints a table of what was asked and seen.
#[derive(Debug, Parser)]
#[command(
    name = "verify",
    after_help = "Exit codes: 0 all that can be asked holds, 1 something does not, 130 stopped by Ctrl-C."
)]
struct Options {
    #[command(subcommand)]
    mesh: Which,
    /// How to answer.
    #[arg(long, global = true, value_enum, default_value_t)]
    output: Output,
    /// Only these numbers of the list.
    #[arg(long, global = true, value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=14))]
    only: Vec<u8>,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// The meshes of this machine, started for it.
    Local,
    /// Two kind clusters that are up; `make kind-verify` fills this in.
    Kind {
        /// A cluster: its name in the policy, its context, its ingress gateway.
        #[arg(long = "cluster", value_name = "NAME=CONTEXT=ADDRESS:PORT", required = true)]
        clusters: Vec<KindCluster>,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

#[tokio::main]
async fn main() -> ExitCode {
    plainly::ended(run().await)
}

async fn run() -> Result<ExitCode> {
    let options = Options::parse();
    if options.output == Output::Text {
        println!("{}", head());
    }
    let tell = |finding: &Finding| {
        if options.output == Output::Text {
            println!("{finding}");
        }
    };
    let report = match &options.mesh {
        Which::Local => unless_interrupted(verify_this_machine(&options.only, tell)).await?,
        Which::Kind { clusters } => {
            let target = KindTarget::new(clusters)?;
            unless_interrupted(verify(&target, &options.only, tell)).await?
        }
    };
    let Some(report) = report else { return Ok(ExitCode::from(INTERRUPTED)) };
    match options.output {
        Output::Text => println!("\n{}", report.summary()),
        Output::Json => println!("{}", serde_json::to_string_pretty(&report)?),
    }
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
