//! The rollout and the way back, under load and on Istio's own control plane: each part in the order in which `meridian install` puts it.
//!
//! Before, there are plain VirtualServices of the user's. Subsets come first, then what strips the mesh's own headers, then the routes in
//! their place, then the filter; the way back is the reverse, and ends with the user's own. Nobody notices any of it. Skipped, and said so,
//! where Istio's programs cannot be built for want of Go.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;
#[path = "support/istio.rs"]
mod three_regions;

use anyhow::{Result, ensure};
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::istio::{Edge, Manifests};
use integration::load::{Kind, Load, Plan, SERVED_BY};
use support::until;
use three_regions::{FENCED, OPEN, ask, failures, gateway, manifests, mesh};

/// The stages of `meridian install`, in order, as far as istiod reads them.
const STAGES: [&str; 4] = ["subsets.", "edge.", "routes.", "filter."];

/// What the user had: a route for each host, under the names that are rendered for them, no preference.
fn before() -> String {
    let route = |(name, host): (&str, &str)| {
        format!(
            "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: bookinfo}}
spec:
  hosts: [{host}]
  gateways: [bookinfo/bookinfo]
  http:
  - route:
    - destination: {{host: productpage.bookinfo.svc.cluster.local, port: {{number: 9080}}}}
"
        )
    };
    [("productpage", OPEN), ("productpage.eu.example.com", FENCED)].map(route).join("---")
}

/// The documents of one stage.
fn stage(manifests: &Manifests, stage: &str) -> Result<String> {
    let names = manifests.names().filter(|name| name.starts_with(stage));
    let texts = names.map(|name| manifests.text(name)).collect::<Result<Vec<_>>>()?;
    ensure!(!texts.is_empty(), "nothing is rendered for the stage {stage}");
    Ok(texts.join("\n---\n"))
}

async fn more(loads: &[Load], requests: usize) -> Result<()> {
    let ended: Vec<usize> = loads.iter().map(Load::ended).collect();
    until("the load goes on", async || {
        Ok(loads.iter().zip(&ended).all(|(load, ended)| load.ended() >= ended + requests))
    })
    .await
}

async fn served_by(edge: &Edge, region: &str) -> Result<Option<String>> {
    Ok(ask(edge, OPEN, &[("region", region)]).await?.header(SERVED_BY))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rollout_and_the_way_back_cost_nobody_a_request() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let all = manifests()?;
    let plain = Manifests::default().file("gateway.yaml", &gateway()?).file("before.yaml", &before());
    let mut edges = Vec::new();
    for version in EnvoyVersion::pinned() {
        edges.push(mesh.edge("west", &plain, version, 1).await?);
    }
    let clock = Clock::start();
    let kinds = [("open", OPEN), ("fenced", FENCED)];
    let kinds: Vec<Kind> =
        kinds.into_iter().map(|(name, host)| Kind::new(name).host(host).path("/status/200")).collect();
    let load = |edge: &Edge| Load::start(Plan::new(edge.gateway.address(), kinds.clone()).rate(80), clock);
    let loads: Vec<Load> = edges.iter().map(load).collect::<Result<_>>()?;
    more(&loads, 40).await?;
    for part in STAGES {
        for edge in &edges {
            edge.plane.apply(&stage(&all, part)?).await?;
        }
        more(&loads, 40).await?;
    }
    for edge in &edges {
        until("the header is followed", async || Ok(served_by(edge, "us-east-1").await?.as_deref() == Some("EAST")))
            .await?;
    }
    for part in STAGES.iter().rev() {
        for edge in &edges {
            // Where something of that name was before, it takes its place again at once: there is no time without a route.
            if *part == "routes." {
                edge.plane.apply(&before()).await?;
                let mesh_only = all.names().filter(|name| name.starts_with("routes.") && name.contains(".mesh."));
                for name in mesh_only {
                    edge.plane.delete(&all.text(name)?).await?;
                }
            } else {
                edge.plane.delete(&stage(&all, part)?).await?;
            }
        }
        more(&loads, 40).await?;
    }
    for edge in &edges {
        until("no region is preferred any more", async || {
            let mut tags = std::collections::BTreeSet::new();
            for _ in 0..30 {
                tags.extend(served_by(edge, "us-east-1").await?);
            }
            Ok(tags.len() > 1)
        })
        .await?;
    }
    for (load, edge) in loads.into_iter().zip(&edges) {
        let samples = load.stop().await?.samples;
        let failed = failures(&samples);
        ensure!(
            failed.is_empty(),
            "Envoy {}: {} of {} failed: {failed:?}",
            edge.gateway.version().as_str(),
            failed.len(),
            samples.len()
        );
        let refused = edge.gateway.refused_updates().await?;
        ensure!(refused == 0, "{refused} updates were refused");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_ask_for_no_region_are_shared_out_by_istios_weights() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let policy =
        std::fs::read_to_string(integration::paths::workspace().join("integration/istio/testdata/policy.yaml"))?;
    let shared = policy.replace("{name: everyone,", "{name: everyone, distribute: {eu-west-1: 70, us-east-1: 30},");
    ensure!(shared != policy, "the policy has another shape");
    let module = integration::paths::module()?;
    let manifests =
        Manifests::rendered(&shared, "west", "bookinfo/bookinfo", &module)?.file("gateway.yaml", &gateway()?);
    let edge = mesh.edge("west", &manifests, EnvoyVersion::oldest()?, 1).await?;
    let (mut west, mut east) = (0_u32, 0_u32);
    for _ in 0..400 {
        match ask(&edge, OPEN, &[]).await?.header(SERVED_BY).as_deref() {
            Some("WEST") => west += 1,
            Some("EAST") => east += 1,
            other => anyhow::bail!("served by {other:?}"),
        }
    }
    // Six standard deviations of 400 tosses with a share of 0.7.
    ensure!((225..=335).contains(&west) && west + east == 400, "WEST served {west} and EAST {east} of 400");
    Ok(())
}
