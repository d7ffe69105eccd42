//! A tag that clients may not see, under Istio: whether the module is there or not, no answer carries it out of the gateway, and with the
//! module the gateway still knows who answered.
//!
//! Skipped, and said so, without Go.

use anyhow::{Context, Result, ensure};
use integration::client::Request;
use integration::envoy::EnvoyVersion;
use integration::istio::{Edge, Manifests};
use integration::load::SERVED_BY;
use integration::paths;
use meridian::istio::{Options, Position};
use serde_json::Value;
use three_regions::{FILTER, OPEN, POLICY, gateway, mesh, name};

mod support;
#[path = "support/istio.rs"]
mod three_regions;

/// What takes the tag out natively.
const PRIVATE: &str = "edge.envoyfilter.istio-system.meridian-private-tag.yaml";

fn manifests(policy: &str, position: Position) -> Result<Manifests> {
    let options =
        Options { gateways: vec!["bookinfo/bookinfo".to_owned()], one_network: true, position, ..Options::default() };
    let policy = format!("{policy}tag: {{public: false}}\n");
    Ok(Manifests::rendered_with(&policy, "west", &paths::module()?, options)?.file("gateway.yaml", &gateway()?))
}

/// The cluster that served by the application's own word, and the tag that came with its answer.
async fn served(edge: &Edge, region: &str) -> Result<(String, Option<String>)> {
    let answer = edge.gateway.send(&Request::get("/echo").host(OPEN).header("region", region)).await?;
    let echo: Value =
        serde_json::from_slice(&answer.body).with_context(|| format!("not an echo: {}", answer.status))?;
    Ok((echo.get("cluster").and_then(Value::as_str).unwrap_or_default().to_owned(), answer.header(SERVED_BY)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_not_public_leaves_no_gateway_with_the_module_or_without_it() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let (first, last) = (manifests(POLICY, Position::First)?, manifests(POLICY, Position::AfterAuthentication)?);
    let without = first.clone().without(FILTER);
    for (manifests, version) in [
        (&first, EnvoyVersion::oldest()?),
        (&last, EnvoyVersion::newest()?),
        (&without, EnvoyVersion::oldest()?),
        (&without, EnvoyVersion::newest()?),
    ] {
        let edge = mesh.edge("west", manifests, version, 1).await?;
        for (region, cluster) in [("eu-west-1", "west"), ("eu-central-1", "central"), ("us-east-1", "east")] {
            let seen = served(&edge, region).await?;
            ensure!(seen == (cluster.to_owned(), None), "{}: {region}: {seen:?}", name(&edge));
        }
        let refused = edge.gateway.refused_updates().await?;
        ensure!(refused == 0, "{}: {refused} updates refused", name(&edge));
    }
    // The module reads the tag in front of what takes it out: one that contradicts the control plane is counted.
    let swapped =
        POLICY.replace("displayName: WEST", "displayName: THERE").replace("displayName: EAST", "displayName: WEST");
    let edge = mesh.edge("west", &manifests(&swapped, Position::First)?, EnvoyVersion::newest()?, 1).await?;
    let seen = served(&edge, "eu-west-1").await?;
    ensure!(seen == ("west".to_owned(), None), "{seen:?}");
    let mismatches = edge.gateway.envoy().metric("meridian_mismatch_total", &[]).await?;
    ensure!(mismatches == 1, "counted {mismatches} times");
    // Without either, the tag is what every client sees: it was there to be taken out.
    let edge = mesh.edge("west", &without.without(PRIVATE), EnvoyVersion::newest()?, 1).await?;
    let seen = served(&edge, "eu-west-1").await?;
    ensure!(seen == ("west".to_owned(), Some("WEST".to_owned())), "{seen:?}");
    Ok(())
}
