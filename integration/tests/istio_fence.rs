//! The fence under Istio's own configuration, with something in the filter's place that forges plans or dies: counted at the applications.
//!
//! What is rendered carries the fence in endpoints and routes, so no module can lead a request out, whatever it writes or however it ends.
//! Skipped, and said so, where Istio's programs cannot be built for want of Go.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

#[path = "support/misbehaving.rs"]
mod misbehaving;
mod support;
#[path = "support/istio.rs"]
mod three_regions;

use anyhow::{Result, ensure};
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::istio::Edge;
use integration::load::{Load, Plan};
use integration::timeline::SampleOutcome;
use misbehaving::Misbehaviour;
use three_regions::{OPEN, PAGE, ask, fenced_kinds, manifests_with, mesh, served_in, settled};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_a_fence_when_what_runs_in_the_filters_place_forges_plans_or_dies() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let (mut edges, mut folders) = (Vec::new(), Vec::new());
    let all = [Misbehaviour::Forges, Misbehaviour::DiesOfARequest, Misbehaviour::DiesOfAResponse];
    for (misbehaviour, version) in
        all.into_iter().zip([EnvoyVersion::oldest()?, EnvoyVersion::newest()?, EnvoyVersion::oldest()?])
    {
        let folder = tempfile::tempdir()?;
        let manifests = manifests_with(&misbehaviour.module(folder.path()))?;
        edges.push((misbehaviour, mesh.edge("west", &manifests, version, 1).await?));
        folders.push(folder);
    }
    let fenced = fenced_kinds()?;
    let clock = Clock::start();
    let load = |edge: &Edge| Load::start(Plan::new(edge.gateway.address(), fenced.clone()).rate(60), clock);
    let loads: Vec<Load> = edges.iter().map(|(_, edge)| load(edge)).collect::<Result<_>>()?;
    settled("all is well", &loads, |sample| served_in(sample, "WEST") || served_in(sample, "CENTRAL")).await?;
    mesh.pods().kill("west", PAGE);
    settled("the other region serves", &loads, |sample| served_in(sample, "CENTRAL")).await?;
    mesh.pods().kill("central", PAGE);
    settled("it fails closed", &loads, |sample| sample.outcome == SampleOutcome::Status(503)).await?;
    for (misbehaviour, edge) in &edges {
        // The way out is open to those who may take it.
        let open = ask(edge, OPEN, &[("region", "us-east-1")]).await?;
        ensure!(open.status == 200, "{misbehaviour:?}: {open:?}");
    }
    for load in loads {
        load.stop().await?;
    }
    let outside = mesh.pods().served("east", PAGE);
    // The counts at the applications: only the requests of the loop above.
    ensure!(outside == edges.len() as u64, "{outside} requests left the fence");
    Ok(())
}
