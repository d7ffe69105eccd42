//! Workers of one Envoy hear of news at once: who was calm sends nothing more to a region that another worker has just given up.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot go on has failed, in helpers as well")]

#[path = "support/live.rs"]
mod live;
mod support;
#[path = "support/trapping.rs"]
mod trapping;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use integration::bookinfo::{Fault, Service};
use integration::client::Pool;
use integration::envoy::{Envoy, EnvoyVersion};
use integration::mesh::{Mesh, Tag, Workload};
use integration::net::Subnet;
use support::{HOST, SANJOSE, policy_with, side_by_side, tag_of, until};

const WORKERS: u32 = 4;
const THRESHOLD: usize = 5;
const ROUNDS: usize = 15;
/// The kernel gives each connection to some worker; so many leave none of them out.
const CONNECTIONS: usize = 24;
/// A worker says every two seconds that it is alive.
const SILENT: u64 = 5;
const NEWS_AGE: &str = "meridian_news_age_microseconds";
/// A bound of Envoy's histograms, in microseconds.
const MILLISECOND: &str = "1000";

/// Without rescue, and with ejections of `ejection`.
fn policy(ejection: &str) -> String {
    policy_with(&format!(
        "outlierDetection:
  {{consecutiveGatewayErrors: {THRESHOLD}, interval: 100ms, baseEjectionTime: {ejection}, maxEjectionTime: {ejection}}}
warmup: {{duration: 0s}}
"
    ))
}

/// A gateway of four workers without Envoy's own ejection of hosts, and a connection for each of [`CONNECTIONS`] clients.
struct Edge {
    mesh: Mesh,
    envoy: Envoy,
    clients: Vec<Pool>,
    _subnet: Subnet,
}

impl Edge {
    async fn start(version: &EnvoyVersion, policy: &str) -> Result<Self> {
        let (mesh, subnet) = (live::small(version).await, Subnet::claim()?);
        let site = live::site(Some(&mesh), &subnet, true)?;
        let mut bootstrap = live::bootstrap(policy, &site)?;
        bootstrap.static_resources.clusters.iter_mut().for_each(|cluster| cluster.outlier_detection = None);
        let envoy = Envoy::launch("edge", &version.binary().await?, &bootstrap, site.admin, WORKERS, mesh.folder())?;
        envoy.ready().await?;
        let clients = (0..CONNECTIONS).map(|_| Pool::new(site.listen)).collect();
        let edge = Self { mesh, envoy, clients, _subnet: subnet };
        for client in &edge.clients {
            ask(client, "/status/200").await?;
        }
        everybody_has_a_slot(&edge.envoy).await?;
        Ok(edge)
    }
}

/// When each worker and the main thread last said that they are alive, in seconds.
async fn heartbeats(envoy: &Envoy) -> Result<Vec<u64>> {
    Ok(envoy.stats("wasmcustom.worker").await?.into_values().collect())
}

/// A worker can be rung from its first tick on.
async fn everybody_has_a_slot(envoy: &Envoy) -> Result<()> {
    let slots = WORKERS as usize + 1;
    until("every worker has a slot", async || Ok(heartbeats(envoy).await?.len() == slots)).await
}

/// The status, and who served.
async fn ask(client: &Pool, path: &str) -> Result<(u16, Option<String>)> {
    let request = hyper::Request::get(path).header("host", HOST).body(Full::<Bytes>::default())?;
    let answer = client.send(request).await?;
    let tag = answer.headers().get("x-served-by-cluster").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    Ok((answer.status().as_u16(), tag))
}

/// How many observations are at or below each bound, in microseconds; the last one is of all.
async fn ages(envoy: &Envoy) -> Result<Vec<(String, u64)>> {
    let shown = envoy.admin("GET", "/stats/prometheus").await?.text();
    let bucket = |line: &str| {
        let (name, count) = line.rsplit_once(' ')?;
        let (_, bound) = name.split_once(&format!("{NEWS_AGE}_bucket{{"))?.1.split_once("le=\"")?;
        Some((bound.trim_end_matches("\"}").to_owned(), count.parse().ok()?))
    };
    Ok(shown.lines().filter_map(bucket).collect())
}

fn all(ages: &[(String, u64)]) -> u64 {
    ages.last().map_or(0, |(_, count)| *count)
}

/// The bound that half of all are within.
fn median(ages: &[(String, u64)]) -> &str {
    ages.iter().find(|(_, count)| count * 2 >= all(ages)).map_or("no", |(bound, _)| bound)
}

/// How many of a hundred are within a bound.
fn share(ages: &[(String, u64)], bound: &str) -> u64 {
    let within = ages.iter().find(|(known, _)| known == bound).map_or(0, |(_, count)| *count);
    within * 100 / all(ages).max(1)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_worker_has_learned_the_others_know_before_their_next_request() {
    for version in EnvoyVersion::pinned() {
        let edge = Edge::start(&version, &policy("200ms")).await.unwrap();
        let (mut asked, mut late) = (0, 0);
        for _ in 0..ROUNDS {
            until("everybody serves from San Jose", async || {
                let answers = side_by_side(edge.clients.iter().map(|client| ask(client, "/status/200"))).await;
                let home = |answer: Result<(u16, Option<String>)>| Ok(answer?.1.as_deref() == Some(tag_of(SANJOSE)));
                answers.into_iter().map(home).try_fold(true, |all, home| home.map(|home| all && home))
            })
            .await
            .unwrap();
            let (first, others) = edge.clients.split_first().unwrap();
            for _ in 0..THRESHOLD {
                assert_eq!(ask(first, "/status/503").await.unwrap().0, 503);
            }
            for answer in side_by_side(others.iter().map(|client| ask(client, "/status/200"))).await {
                asked += 1;
                late += usize::from(answer.unwrap().1.as_deref() == Some(tag_of(SANJOSE)));
            }
        }
        // Envoy adds its workers' histograms up every five seconds.
        let rung = ROUNDS as u64 * u64::from(WORKERS);
        until("every worker was rung for every ejection", async || Ok(all(&ages(&edge.envoy).await?) >= rung))
            .await
            .unwrap();
        let ages = ages(&edge.envoy).await.unwrap();
        let (median, share) = (median(&ages), share(&ages, MILLISECOND));
        println!(
            "Envoy {}: of {} times that a worker was told of news, half within {median} µs and {share} % within 1 ms",
            version.as_str(),
            all(&ages),
        );
        println!("Envoy {}: {late} of {asked} requests after an ejection went to the lost region", version.as_str());
        assert!(late * 10 <= asked, "{late} of {asked}");
        assert_eq!(edge.envoy.metric("meridian_host_errors_total", &[]).await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_count_across_workers_and_nobody_loses_one_after_the_last_that_counts() {
    for version in EnvoyVersion::pinned() {
        let edge = Edge::start(&version, &policy("60s")).await.unwrap();
        edge.mesh.cluster("primary").unwrap().service(Service::Productpage).fault(&Fault::status(503)).await.unwrap();
        let mut lost = 0;
        for client in edge.clients.iter().cycle().take(CONNECTIONS * 4) {
            lost += usize::from(ask(client, "/status/200").await.unwrap().0 != 200);
        }
        println!("Envoy {}: {lost} of {} requests lost", version.as_str(), CONNECTIONS * 4);
        assert_eq!(lost, THRESHOLD);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_vm_dies_falls_silent_and_no_other_does() {
    for version in EnvoyVersion::pinned() {
        let (folder, mesh) = (tempfile::tempdir().unwrap(), Mesh::builder().workloads(Workload::productpage()));
        let mesh = mesh.tag(Tag::Native).envoy(version.clone()).start().await.unwrap();
        let module = trapping::module("proxy_on_request_headers", folder.path()).unwrap();
        let ingress = mesh.ingress("primary").policy(&policy("60s")).workers(WORKERS).module(&module);
        let ingress = ingress.start().await.unwrap();
        everybody_has_a_slot(ingress.envoy()).await.unwrap();
        // One connection is one worker. Its VM dies of the first request, and the second one passes without it.
        let client = Pool::new(ingress.address());
        let first = ask(&client, "/status/200").await;
        until("requests pass without the filter", async || Ok(ask(&client, "/status/200").await?.0 == 200))
            .await
            .unwrap();
        println!("Envoy {}: the request that kills a VM gets {first:?}", version.as_str());
        until("one is silent", async || {
            let beats = heartbeats(ingress.envoy()).await?;
            let latest = beats.iter().max().copied().unwrap_or_default();
            Ok(beats.iter().filter(|beat| latest - **beat >= SILENT).count() == 1)
        })
        .await
        .unwrap();
    }
}
