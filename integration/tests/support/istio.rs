//! The mesh of three regions that the scenarios under Istio share: what is asked of it, and how its answers are read.

#![allow(dead_code, reason = "each file of tests uses its own part of this")]

use std::path::Path;

use anyhow::Result;
use integration::bookinfo::Service;
use integration::client::{Request, Response};
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::istio::{Edge, Manifests, Mesh, Place, Programs};
use integration::load::{Kind, Load, Plan};
use integration::mesh::ClusterSpec;
use integration::paths;
use integration::timeline::Sample;

use crate::support::until;

pub(crate) const OPEN: &str = "bookinfo.example.com";
pub(crate) const FENCED: &str = "eu.example.com";
pub(crate) const PAGE: Service = Service::Productpage;
pub(crate) const FILTER: &str = "filter.envoyfilter.istio-system.meridian.yaml";
pub(crate) const ROUTES: &str = "routes.virtualservice.bookinfo.productpage.yaml";
pub(crate) const REGIONS: [(&str, &str, &str); 3] =
    [("eu-west-1", "west", "WEST"), ("eu-central-1", "central", "CENTRAL"), ("us-east-1", "east", "EAST")];

/// A policy of those regions with one service, to which each scenario adds its rules.
pub(crate) const POLICY: &str = "
apiVersion: meridian/v1
explain: {public: true}
role: gateway
regions:
- {name: eu-west-1, clusters: [west], displayName: WEST}
- {name: eu-central-1, clusters: [central], displayName: CENTRAL}
- {name: us-east-1, clusters: [east], displayName: EAST}
fences: {eu: [eu-west-1, eu-central-1]}
services:
- {name: productpage, hosts: [bookinfo.example.com], destination: {host: productpage.bookinfo.svc.cluster.local, port: 9080}}
";

/// What `meridian render istio` makes of a policy, behind a Gateway.
pub(crate) fn manifests() -> Result<Manifests> {
    manifests_with(&paths::module()?)
}

/// The same with another module in place of ours.
pub(crate) fn manifests_with(module: &Path) -> Result<Manifests> {
    let testdata = paths::workspace().join("integration/istio/testdata");
    let policy = std::fs::read_to_string(testdata.join("policy.yaml"))?;
    let rendered = Manifests::rendered(&policy, "west", "bookinfo/bookinfo", module)?;
    Ok(rendered.file("gateway.yaml", &gateway()?))
}

/// Where clients come in.
pub(crate) fn gateway() -> Result<String> {
    Ok(std::fs::read_to_string(paths::workspace().join("integration/istio/testdata/fence/10-gateway.yaml"))?)
}

/// Three clusters, two pods in each; `None`, said aloud, where there is no Istio.
pub(crate) async fn mesh() -> Result<Option<Mesh>> {
    let Some(programs) = Programs::get().await? else {
        println!("SKIPPED: without Go there is no Istio to ask");
        return Ok(None);
    };
    println!("mode: live, Istio's control plane");
    let place = |(region, cluster, name): (&str, &str, &str)| {
        let fences: &[&str] = if region.starts_with("eu-") { &["eu"] } else { &[] };
        Place::new(ClusterSpec::new(cluster, region, name), fences)
    };
    Ok(Some(Mesh::start(programs, REGIONS.map(place).to_vec(), vec![PAGE], 2).await?))
}

/// The filter on the oldest and on the newest Envoy, and the oldest without it.
pub(crate) async fn edges(mesh: &Mesh) -> Result<Vec<Edge>> {
    let (with, without) = (manifests()?, manifests()?.without(FILTER));
    Ok(vec![
        mesh.edge("west", &with, EnvoyVersion::oldest()?, 2).await?,
        mesh.edge("west", &without, EnvoyVersion::oldest()?, 1).await?,
        mesh.edge("west", &with, EnvoyVersion::newest()?, 1).await?,
    ])
}

pub(crate) fn name(edge: &Edge) -> String {
    let filter = if edge.manifests.text(FILTER).is_ok() { "with the filter" } else { "without it" };
    format!("Envoy {} {filter}", edge.gateway.version().as_str())
}

pub(crate) async fn ask(edge: &Edge, host: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let request = Request::get("/status/200").host(host);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    edge.gateway.send(&request).await
}

/// One kind of request for each host, alone and with each header that could lead it elsewhere.
pub(crate) fn kinds() -> Result<Vec<Kind>> {
    let mut kinds = Vec::new();
    for (who, host) in [("open", OPEN), ("fenced", FENCED)] {
        let kind = |what: &str| Kind::new(&format!("{who}{what}")).host(host).path("/status/200");
        kinds.push(kind(""));
        for (region, ..) in REGIONS {
            kinds.push(kind(&format!(", asks {region}")).header("region", region)?);
        }
        kinds.push(kind(", forges").header("x-region-route", "prefer-us-east-1")?);
    }
    Ok(kinds)
}

pub(crate) fn loads(edges: &[Edge], rate: u32) -> Result<Vec<Load>> {
    let clock = Clock::start();
    edges.iter().map(|edge| Load::start(Plan::new(edge.gateway.address(), kinds()?).rate(rate), clock)).collect()
}

/// Until the latest requests at every edge are as they should be.
pub(crate) async fn settled(what: &str, loads: &[Load], good: impl Fn(&Sample) -> bool) -> Result<()> {
    until(what, async || {
        let is_good = |load: &Load| {
            let samples = load.so_far();
            samples.len() > 60 && samples.iter().rev().take(40).all(&good)
        };
        Ok(loads.iter().all(is_good))
    })
    .await
}

pub(crate) fn is_fenced(sample: &Sample) -> bool {
    sample.kind.starts_with("fenced")
}

pub(crate) fn served_in(sample: &Sample, name: &str) -> bool {
    sample.succeeded() && sample.served_by.as_deref() == Some(name)
}

pub(crate) fn failures(samples: &[Sample]) -> Vec<&Sample> {
    samples.iter().filter(|sample| !sample.succeeded()).collect()
}

/// Those kinds that may not leave the fence.
pub(crate) fn fenced_kinds() -> Result<Vec<Kind>> {
    Ok(kinds()?.into_iter().skip(1 + REGIONS.len() + 1).collect())
}
