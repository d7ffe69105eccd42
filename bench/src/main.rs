//! Measures, prints what it found, and writes it to `bench/RESULTS.md`.

use std::process::ExitCode;

use anyhow::Result;
use bench::cpu::{Effort, Figures};
use bench::results::Results;
use bench::stage::{Stage, empty_filter};
use clap::Parser;
use integration::envoy::EnvoyVersion;
use integration::interrupt::unless_interrupted;
use integration::plainly;

const INTERRUPTED: u8 = 130;

/// Measures what Meridian costs beside everything it could be replaced by, on one real Envoy.
#[derive(Debug, Parser)]
#[command(name = "bench", after_help = "Exit codes: 0 measured, 1 an arm answered wrongly, 130 stopped by Ctrl-C.")]
struct Options {
    /// Only a look: few requests, and nothing is written.
    #[arg(long)]
    quick: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let ended = unless_interrupted(measure(&options)).await;
    plainly::ended(ended.map(|done| done.map_or(ExitCode::from(INTERRUPTED), |()| ExitCode::SUCCESS)))
}

async fn measure(options: &Options) -> Result<()> {
    let version = EnvoyVersion::newest()?;
    eprintln!("-- starting Envoy {} with every arm", version.as_str());
    empty_filter().await?;
    let mut results = Results::of(&version)?;
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    let stage = Stage::start(&version).await?;
    for cell in stage.cells() {
        stage.check(&cell).await?;
    }
    let told = |round| match round {
        0 => eprintln!("-- the cost of requests: warming up"),
        _ => eprintln!("-- the cost of requests: round {round} of {}", effort.rounds),
    };
    results.cpu(&Figures::measure(&stage, effort, told).await?, effort);
    drop(stage);
    eprintln!("-- the cost of decisions");
    results.decisions()?;
    if options.quick { Ok(()) } else { results.write() }
}
