//! A region is lost inside a fence, at 200 requests a second: nobody pays, and nothing leaves the fence for it.
//!
//! What left is counted at the services. That the one outside serves at all, and could be reached, is shown by another service there,
//! which the same load asks for all the time.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use anyhow::Result;
use integration::bookinfo::{Fault, Service};
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::load::{Kind, Load, Plan};
use integration::mesh::{ClusterSpec, Group, Ingress, Mesh, Tag, Workload};
use integration::timeline::Sample;
use support::until;

const POLICY: &str = "
apiVersion: meridian/v1
role: gateway
regions:
- {name: eu-west-1, clusters: [west], displayName: WEST}
- {name: eu-central-1, clusters: [central], displayName: CENTRAL}
- {name: us-east-1, clusters: [east], displayName: EAST}
fences:
  eu: [eu-west-1, eu-central-1]
services:
- {name: productpage, hosts: [eu.example.com], destination: {host: productpage.bookinfo.svc.cluster.local, port: 9080}}
- {name: details, hosts: [open.example.com], destination: {host: details.bookinfo.svc.cluster.local, port: 9080}}
rules:
- name: residents
  match: {hosts: [eu.example.com]}
  fence: eu
  timeout: 5s
  rescue: {attempts: 2, perTryTimeout: 1s, methods: [GET, HEAD]}
- {name: everyone, timeout: 5s}
outlierDetection: {consecutiveGatewayErrors: 5, interval: 500ms, baseEjectionTime: 2s, maxEjectionTime: 6s}
warmup: {duration: 0s}
";

/// How a region is lost.
#[derive(Clone, Copy, Debug)]
enum Way {
    Refused,
    Blackholed,
    Frozen,
    Answering503,
}

impl Way {
    async fn lose(self, pods: &Group<'_>) -> Result<()> {
        match self {
            Self::Refused => pods.kill(),
            Self::Blackholed => pods.blackhole().await?,
            Self::Frozen => pods.freeze(),
            Self::Answering503 => pods.fault(&Fault::status(503)).await?,
        }
        Ok(())
    }

    async fn give_back(self, pods: &Group<'_>) -> Result<()> {
        match self {
            Self::Refused => pods.start().await?,
            Self::Blackholed | Self::Frozen => pods.thaw(),
            Self::Answering503 => pods.fault(&Fault::none()).await?,
        }
        Ok(())
    }
}

/// Everybody but the last is fenced, and each for another reason might be elsewhere.
fn kinds() -> Vec<Kind> {
    let fenced = |name: &str| Kind::new(name).host("eu.example.com").path("/status/200");
    let asks = |region: &str| fenced(&format!("asks {region}")).header("region", region).unwrap();
    vec![
        fenced("no header"),
        asks("eu-west-1"),
        asks("eu-central-1"),
        asks("us-east-1"),
        fenced("forges").header("x-region-route", "prefer-us-east-1").unwrap(),
        Kind::new("open").host("open.example.com").path("/status/200").header("region", "us-east-1").unwrap(),
    ]
}

/// Until the latest requests of each load are as they should be.
async fn settled(loads: &[Load], what: &str, good: impl Fn(&Sample) -> bool) {
    let is_so = |load: &Load| {
        let samples = load.so_far();
        samples.len() > 100 && samples.iter().rev().take(60).all(&good)
    };
    until(what, async || Ok(loads.iter().all(is_so))).await.unwrap();
}

async fn nobody_pays_and_nothing_leaves(way: Way) {
    let cluster = |(name, region): (&str, &str)| ClusterSpec::new(name, region, &name.to_uppercase());
    let clusters = [("west", "eu-west-1"), ("central", "eu-central-1"), ("east", "us-east-1")].map(cluster).to_vec();
    let workloads = [Service::Productpage, Service::Details].map(|service| Workload::new(service, "v1")).to_vec();
    let mesh = Mesh::builder().clusters(clusters).workloads(workloads).tag(Tag::Native).start().await.unwrap();
    // One stands inside the fence and sees the pods, the other outside and sees their gateway.
    let inside = mesh.ingress("west").policy(POLICY).workers(4).envoy(EnvoyVersion::oldest().unwrap());
    let outside = mesh.ingress("east").policy(POLICY).envoy(EnvoyVersion::newest().unwrap());
    let ingresses = [inside.start().await.unwrap(), outside.start().await.unwrap()];
    let clock = Clock::start();
    let load = |ingress: &Ingress| Load::start(Plan::new(ingress.address(), kinds()), clock);
    let loads: Vec<Load> = ingresses.iter().map(|ingress| load(ingress).unwrap()).collect();
    let pods = mesh.cluster("west").unwrap().service(Service::Productpage);
    let served = |sample: &Sample, region: &str| sample.served_by.as_deref() == Some(region);

    settled(&loads, "all is well", Sample::succeeded).await;
    way.lose(&pods).await.unwrap();
    settled(&loads, "the other region serves", |sample| served(sample, "CENTRAL") || sample.kind == "open").await;
    way.give_back(&pods).await.unwrap();
    let home = |sample: &Sample| sample.kind != "asks eu-west-1" || served(sample, "WEST");
    settled(&loads, "its traffic is back", home).await;

    let mut sent = 0;
    for load in loads {
        let samples = load.stop().await.unwrap().samples;
        let failed: Vec<_> = samples.iter().filter(|sample| !sample.succeeded()).collect();
        assert!(failed.is_empty(), "{way:?}: {} of {}: {:#?}", failed.len(), samples.len(), failed.iter().take(5));
        sent += samples.iter().filter(|sample| sample.kind != "open").count() as u64;
    }
    let reached = mesh.served();
    let in_the_fence = ["west", "central"].map(|cluster| reached.at(cluster, Service::Productpage)).iter().sum::<u64>();
    assert_eq!(reached.at("east", Service::Productpage), 0, "{way:?} let requests out: {reached:?}");
    assert!(reached.at("east", Service::Details) > 0 && in_the_fence >= sent, "the count is blind: {reached:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_region_costs_nobody_and_nothing_leaves_its_fence() {
    nobody_pays_and_nothing_leaves(Way::Refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blackholed_region_costs_nobody_and_nothing_leaves_its_fence() {
    nobody_pays_and_nothing_leaves(Way::Blackholed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_region_costs_nobody_and_nothing_leaves_its_fence() {
    nobody_pays_and_nothing_leaves(Way::Frozen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_answers_503_costs_nobody_and_nothing_leaves_its_fence() {
    nobody_pays_and_nothing_leaves(Way::Answering503).await;
}
