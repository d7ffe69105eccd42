//! `make demo`: three proofs on a real mesh, played before an audience and judged by figures.
//!
//! A demo that cannot fail proves nothing. So every proof says beforehand what has to be seen, counts what is seen, and
//! the run ends with both in one table, a page for those who were not there, and an exit code. The outage is played twice,
//! with rescue and without: the first shows that nobody pays, the second what exactly they would have paid, request by
//! request. Each proof is one file; `judge` holds the arithmetic, `stage` is all that touches the mesh.

mod journal;
mod judge;
mod narrator;
mod options;
mod outage;
mod policy;
mod regions;
mod scene;
mod stage;
mod stars;
mod usage;

use std::path::PathBuf;

use anyhow::{Context, Result};

use self::narrator::Narrator;
use self::policy::{NO_RESCUE, RESCUE};
use self::stage::Stage;
use crate::clock::Clock;
use crate::interrupt::unless_interrupted;
use crate::mesh::Ingress;
use crate::timeline::Run;
use crate::{net, paths, report};

pub use options::Options;

/// The tag of the region that is lost.
const PRIMARY: &str = "PRIMARY (San Jose)";
/// The tag of the other.
const SECONDARY: &str = "SECONDARY (Chicago)";
/// Who serves those that do not ask: the region of the ingress.
const LOCAL: &str = PRIMARY;
/// What to ask for to get the first.
const REGION_PRIMARY: &str = "us-sanjose-1";
/// What to ask for to get the other.
const REGION_SECONDARY: &str = "us-chicago-1";

/// Plays all of it, and stays if asked to. Whether every expectation held; none if it was interrupted before.
///
/// # Errors
/// When the mesh does not come up or cannot be handled, or the report cannot be written.
pub async fn play(options: &Options) -> Result<Option<bool>> {
    let narrator = Narrator;
    let Some((run, stage, ingress)) = unless_interrupted(prove(options, narrator)).await? else { return Ok(None) };
    narrator.part("What was asked, seen and expected\n");
    narrator.say(&report::table(&run.checks));
    narrator.say(&format!("Report: {}", write(&run, options)?.display()));
    if options.keep {
        narrator.say(&usage::text(ingress.address(), &stage.productpage_pids()?));
        unless_interrupted(std::future::pending::<Result<()>>()).await?;
    }
    Ok(Some(run.passed()))
}

/// The three proofs; the mesh and the ingress that rescues are left as they were found.
async fn prove(options: &Options, narrator: Narrator) -> Result<(Run, Stage, Ingress)> {
    let mut run = Run { title: "A region lost under load".to_owned(), facts: facts(options)?, ..Run::default() };
    // Before a mesh is started for nothing.
    let port = net::port_for_people(options.port)?;
    let stage = Stage::open(options, narrator).await?;
    let rescues = stage.ingress(&RESCUE, options, Some(port)).await?;
    let plain = stage.ingress(&NO_RESCUE, options, None).await?;

    run.checks.extend(stars::prove(rescues.address(), narrator).await?);
    run.checks.extend(regions::prove(rescues.address(), narrator).await?);
    let clock = Clock::start();
    for (ingress, policy) in [(&rescues, &RESCUE), (&plain, &NO_RESCUE)] {
        let (recording, checks) = outage::prove(&stage, ingress, policy, options, clock, narrator).await?;
        run.samples.extend(recording.samples);
        run.events.extend(recording.events);
        run.checks.extend(checks);
    }
    Ok((run, stage, rescues))
}

fn facts(options: &Options) -> Result<Vec<(String, String)>> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let facts = [
        (
            "Mesh",
            "two clusters of Bookinfo with sidecars and east-west gateways, real Envoys on one machine".to_owned(),
        ),
        ("Envoy", options.version()?.as_str().to_owned()),
        ("Cores of the machine", format!("{cores}, for the mesh and the load")),
        ("Workers of the ingress", options.workers.to_string()),
        ("Load", format!("{} requests per second, sent when due, three kinds in rotation", options.rate)),
        ("What is lost", "productpage of the primary cluster with its sidecar: connections are refused".to_owned()),
        ("Ejection", "after 5 gateway errors in a row, for 6 s".to_owned()),
        ("Rescue", "up to 3 attempts of 1 s, GET and HEAD; none in the second play".to_owned()),
    ];
    Ok(facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Writes the page; its path.
fn write(run: &Run, options: &Options) -> Result<PathBuf> {
    let path = options.report.clone().unwrap_or_else(|| paths::workspace().join("target/demo/report.html"));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made.", folder.display()))?;
    }
    std::fs::write(&path, report::html(run)).with_context(|| format!("{} cannot be written.", path.display()))?;
    Ok(path)
}
