//! Probes on real Envoys: a lost region is found by one worker's questions, and no client asks there before an answer has come.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;
#[path = "support/trapping.rs"]
mod trapping;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use integration::bookinfo::{Fault, Service};
use integration::envoy::EnvoyVersion;
use integration::mesh::{Mesh, Tag, Workload};
use support::{CHICAGO, Edge, SANJOSE, Setting, World, policy_with, tag_of, until};

const INTERVAL: Duration = Duration::from_secs(1);
/// With the main thread five that could ask.
const WORKERS: u32 = 4;

/// A policy that asks for this path once a second. `/healthz` is not counted at the services, everything else is.
fn policy(path: &str) -> String {
    policy_with(&format!(
        "  probe: {{path: {path}}}
rules:
- {{name: everyone, timeout: 2s, rescue: {{attempts: 2, perTryTimeout: 1s}}}}
outlierDetection: {{interval: 1s, baseEjectionTime: 1s}}
activeHealthCheck: {{interval: 1s, timeout: 500ms, unhealthyThreshold: 2, healthyThreshold: 2}}
warmup: {{duration: 3s}}
explain: {{public: true}}"
    ))
}

/// Every pinned Envoy.
async fn world(path: &str) -> World {
    World::start(Setting::each(&[WORKERS], &["full"]), |_| policy(path)).await.unwrap()
}

/// How many probes of a region ended so.
async fn probes(edge: &Edge, region: &str, result: &str) -> Result<u64> {
    edge.ingress.envoy().metric("meridian_probe_total", &[("region", region), ("result", result)]).await
}

/// Waits for so many more probes of a region that end so.
async fn more_probes(edge: &Edge, region: &str, result: &str, count: u64) -> Result<()> {
    let goal = probes(edge, region, result).await? + count;
    until("the probes go on", async || Ok(probes(edge, region, result).await? >= goal)).await
}

/// Whether the filter has told so of productpage in a region.
fn told(edge: &Edge, what: &str, region: &str) -> bool {
    edge.ingress.envoy().log().contains(&format!(": {what} service=productpage region={region}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_goes_away_is_found_without_a_request_to_it() {
    let world = world("/healthz").await;
    let pods = world.mesh.cluster("secondary").unwrap().service(Service::Productpage);
    world.each_edge(|edge| async move { more_probes(&edge, CHICAGO, "passed", 1).await }).await.unwrap();
    pods.kill();
    for edge in &world.edges {
        until("its probe has found it", async || Ok(told(edge, "ejected", CHICAGO))).await.unwrap();
        assert!(edge.ingress.envoy().log().contains("cause=activeHealthCheck"), "{}", edge.setting);
        let answer = edge.ask("/status/200", Some(CHICAGO)).await.unwrap();
        let decision = answer.header("x-region-decision").unwrap_or_default();
        assert!(decision.contains("reason=failover") && decision.contains("outcome=served"), "{decision}");
        assert!(!told(edge, "ejected", SANJOSE), "{}", edge.setting);
    }
    assert_eq!(world.mesh.served().at("secondary", Service::Productpage), 0, "no client had to find out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_is_frozen_is_found_as_well() {
    let world = world("/healthz").await;
    let pods = world.mesh.cluster("secondary").unwrap().service(Service::Productpage);
    pods.freeze();
    for edge in &world.edges {
        until("its probe has found it", async || Ok(told(edge, "ejected", CHICAGO))).await.unwrap();
        assert!(probes(edge, CHICAGO, "unreachable").await.unwrap() >= 2, "{}", edge.setting);
    }
    pods.thaw();
}

/// Asks for San Jose once. Where it was served, and why.
async fn asked(edge: &Edge) -> Result<(bool, String)> {
    let answer = edge.ask("/status/200", Some(SANJOSE)).await?;
    let home = answer.header("x-served-by-cluster").as_deref() == Some(tag_of(SANJOSE));
    Ok((home && answer.status == 200, answer.header("x-region-decision").unwrap_or_default()))
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_tries_a_region_before_its_probe_passes_and_then_it_ramps() {
    let world = world("/healthz").await;
    let pods = world.mesh.cluster("primary").unwrap().service(Service::Productpage);
    // What the application does to its clients is well; only the probe finds it ill.
    pods.fault(&Fault::status(503).with_health()).await.unwrap();
    for edge in &world.edges {
        until("its probe has found it", async || Ok(told(edge, "ejected", SANJOSE))).await.unwrap();
    }
    let before = world.mesh.served().at("primary", Service::Productpage);
    world
        .each_edge(|edge| async move {
            // The ejection was for a second.
            let goal = probes(&edge, SANJOSE, "failed").await? + 4;
            until("it has been over for seconds", async || {
                let (home, decision) = asked(&edge).await?;
                anyhow::ensure!(!home && decision.contains("reason=failover"), "{decision}");
                Ok(probes(&edge, SANJOSE, "failed").await? >= goal)
            })
            .await
        })
        .await
        .unwrap();
    assert_eq!(world.mesh.served().at("primary", Service::Productpage), before, "no client tried it");
    pods.fault(&Fault::none()).await.unwrap();
    world
        .each_edge(|edge| async move {
            let mut first = String::new();
            until("it serves again", async || {
                let (home, decision) = asked(&edge).await?;
                if home {
                    first = decision;
                }
                Ok(home)
            })
            .await?;
            anyhow::ensure!(first.contains("reason=half_open"), "{first}");
            until("only a share comes back at first", async || Ok(asked(&edge).await?.1.contains("reason=ramp")))
                .await?;
            until("all of it is back", async || Ok(asked(&edge).await? == (true, String::new()))).await
        })
        .await
        .unwrap();
    for edge in &world.edges {
        assert!(told(edge, "readmitted", SANJOSE), "{}", edge.setting);
    }
}

/// One ingress with four workers in front of a mesh that counts its probes.
async fn counted(version: EnvoyVersion) -> (World, Arc<Edge>) {
    let setting = Setting { version, workers: WORKERS, table: "full", filter: true };
    let world = World::start(vec![setting], |_| policy("/status/200")).await.unwrap();
    let edge = Arc::clone(world.edges.first().unwrap());
    (world, edge)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_workers_one_asks_each_region_and_nobody_counts_it_as_a_client() {
    for version in EnvoyVersion::pinned() {
        let start = Instant::now();
        let (world, edge) = counted(version).await;
        for region in [SANJOSE, CHICAGO] {
            more_probes(&edge, region, "passed", 5).await.unwrap();
        }
        // One question an interval. All workers would ask five; where they are held up and the lease changes hands it is a few more.
        let intervals = u64::try_from(start.elapsed().as_millis() / INTERVAL.as_millis()).unwrap() + 1;
        for cluster in ["primary", "secondary"] {
            let seen = world.mesh.served().at(cluster, Service::Productpage);
            assert!((5..=2 * intervals).contains(&seen), "{seen} in {cluster} in {intervals} s: {}", edge.setting);
        }
        let clients = edge.ingress.envoy().counter("http.ingress.downstream_rq_total").await.unwrap();
        assert_eq!(clients, 0, "{}", edge.setting);
        assert_eq!(edge.ingress.envoy().metric("meridian_host_errors_total", &[]).await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_is_answered_by_its_region_or_by_nobody() {
    for version in EnvoyVersion::pinned() {
        let (world, edge) = counted(version).await;
        more_probes(&edge, SANJOSE, "passed", 1).await.unwrap();
        world.mesh.cluster("primary").unwrap().service(Service::Productpage).kill();
        more_probes(&edge, SANJOSE, "unreachable", 4).await.unwrap();
        let seen = world.mesh.served().at("secondary", Service::Productpage);
        let own = probes(&edge, CHICAGO, "passed").await.unwrap();
        // The last one may be on its way back.
        assert!(seen <= own + 1, "{seen} of {own}: {}", edge.setting);
        assert_eq!(probes(&edge, CHICAGO, "unreachable").await.unwrap(), 0, "{}", edge.setting);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_worker_that_asks_dies_another_goes_on_asking() {
    for version in EnvoyVersion::pinned() {
        let (folder, mesh) = (tempfile::tempdir().unwrap(), Mesh::builder().workloads(Workload::productpage()));
        let mesh = mesh.tag(Tag::Native).envoy(version.clone()).start().await.unwrap();
        // Whoever asks dies of the first answer.
        let module = trapping::module("proxy_on_http_call_response", folder.path()).unwrap();
        let ingress = mesh.ingress("primary").policy(&policy("/status/200")).workers(WORKERS).module(&module);
        let ingress = ingress.start().await.unwrap();
        let asked = || mesh.served().at("primary", Service::Productpage);
        let (start, all) = (Instant::now(), u64::from(WORKERS) + 1);
        until("every worker and the main thread has asked", async || Ok(asked() >= all)).await.unwrap();
        println!(
            "Envoy {}: an interval of {INTERVAL:?}, {} askers died one after the other, {:?} each",
            version.as_str(),
            all - 1,
            start.elapsed() / WORKERS,
        );
        let died = ingress.envoy().log().matches("Function: proxy_on_http_call_response failed").count();
        assert!(died >= WORKERS as usize, "{died} died of {}", version.as_str());
    }
}
