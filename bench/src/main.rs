//! Measures, prints what it found, and writes it to `bench/RESULTS.md`.

use std::process::ExitCode;

use anyhow::Result;
use bench::arms::{Name, SIZES, parts};
use bench::calls::Calls;
use bench::cpu::{Effort, Figures};
use bench::footprint::Footprint;
use bench::latency::{self, Latencies};
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
    arms(&mut results, &version, options.quick).await?;
    sizes(&mut results, &version, options.quick).await?;
    footprints(&mut results, &version, options.quick).await?;
    eprintln!("-- the cost of decisions");
    results.decisions()?;
    results.end(!options.quick)
}

/// What every arm costs: CPU time by arm and by part, calls, latencies.
async fn arms(results: &mut Results, version: &EnvoyVersion, quick: bool) -> Result<()> {
    let (effort, at_rate) =
        if quick { (Effort::QUICK, latency::Effort::QUICK) } else { (Effort::FULL, latency::Effort::FULL) };
    let stage = Stage::start(version, &Name::ALL).await?;
    for cell in stage.cells() {
        stage.check(&cell).await?;
    }
    let figures = Figures::measure(&stage, effort, progress("the cost of requests", effort.rounds)).await?;
    results.cpu(&figures, effort);
    let latencies = Latencies::measure(&stage, at_rate, progress("how long requests take", at_rate.rounds)).await?;
    eprintln!("-- the calls of requests");
    let mut rows = Vec::new();
    for cell in stage.cells().into_iter().filter(|cell| cell.name == Name::Empty || cell.name.is_meridian()) {
        rows.push((cell.name, cell.situation, Calls::count(&stage, &cell).await?));
    }
    drop(stage);
    let effort = if quick { Effort::QUICK } else { Effort::PARTS };
    let parts = of_parts(version, effort).await?;
    results.accounts(&figures, &rows, &parts);
    results.parts(&parts, effort);
    results.calls(&rows);
    results.latencies(&latencies, at_rate);
    Ok(())
}

/// What the parts of a table and of a filter cost.
async fn of_parts(version: &EnvoyVersion, effort: Effort) -> Result<Figures> {
    let names: Vec<Name> = [Name::Plain, Name::Empty].into_iter().chain(parts()).collect();
    let stage = Stage::start(version, &names).await?;
    Figures::measure(&stage, effort, progress("the cost by part", effort.rounds)).await
}

/// What policies of many sizes cost.
async fn sizes(results: &mut Results, version: &EnvoyVersion, quick: bool) -> Result<()> {
    let names: Vec<Name> = [Name::Plain].into_iter().chain(SIZES).collect();
    let stage = Stage::start(version, &names).await?;
    let effort = if quick { Effort::QUICK } else { Effort::SIZES };
    let figures = Figures::measure(&stage, effort, progress("the cost by size", effort.rounds)).await?;
    results.sizes(&figures, effort);
    Ok(())
}

/// What each arm costs before anybody asks.
async fn footprints(results: &mut Results, version: &EnvoyVersion, quick: bool) -> Result<()> {
    eprintln!("-- start and memory");
    let plain = Footprint::of(version, Name::Plain).await?;
    let names = [Name::Empty, Name::Lua, Name::Minimal, Name::Everything].into_iter();
    let mut rows = Vec::new();
    for name in names.chain(SIZES.into_iter().filter(|_| !quick)) {
        rows.push((name, Footprint::of(version, name).await?));
    }
    results.footprints(plain, &rows);
    Ok(())
}

/// Says which round begins.
fn progress(what: &str, rounds: u32) -> impl FnMut(u32) {
    move |round| match round {
        0 => eprintln!("-- {what}: warming up"),
        _ => eprintln!("-- {what}: round {round} of {rounds}"),
    }
}
