//! The same outage against other ways to route by region; writes `bench/OUTAGES.md`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use bench::outage::{Arm, Page, Place, Times, Way, series};
use clap::Parser;
use integration::envoy::EnvoyVersion;
use integration::interrupt::unless_interrupted;
use integration::{paths, plainly};

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Loses a region under load in front of each arm, and measures who pays. The file is written when all of it was played.
#[derive(Debug, Parser)]
struct Options {
    /// Only these outages.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Way>,
    /// Only these arms.
    #[arg(long, value_delimiter = ',')]
    arms: Vec<Arm>,
    /// How many plays at once; by default one for each core.
    #[arg(long)]
    at_once: Option<usize>,
    /// Another Envoy than the newest that is pinned.
    #[arg(long)]
    envoy: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    plainly::ended(run(&Options::parse()).await)
}

async fn run(options: &Options) -> Result<ExitCode> {
    let version =
        options.envoy.as_deref().map_or_else(EnvoyVersion::newest, |version| Ok(EnvoyVersion::new(version)))?;
    let at_once = options.at_once.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let chosen = |all: &[Way]| {
        all.iter().copied().filter(|way| options.only.is_empty() || options.only.contains(way)).collect::<Vec<_>>()
    };
    let arms: Vec<Arm> =
        Arm::ALL.into_iter().filter(|arm| options.arms.is_empty() || options.arms.contains(arm)).collect();
    let plays: Vec<_> = chosen(&Way::ALL).into_iter().flat_map(|way| arms.iter().map(move |arm| (way, *arm))).collect();
    let place = Place::here(&version)?;
    println!("{} plays of at most a minute each, {at_once} at once; Ctrl-C ends all of it.", plays.len());
    let rows =
        unless_interrupted(series(&plays, at_once, Times::default(), &version, |line| println!("{line}"))).await?;
    let Some(rows) = rows else { return Ok(ExitCode::from(INTERRUPTED)) };
    let page = Page::new(place, rows);
    println!("\n{}", page.figures());
    if options.only.is_empty() && options.arms.is_empty() {
        let path = paths::workspace().join("bench/OUTAGES.md");
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(&path, page.text(&old)).with_context(|| format!("{} cannot be written.", path.display()))?;
        println!("Written: {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
