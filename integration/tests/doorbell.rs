//! Workers of one Envoy hear of news at once: who was calm sends nothing more to a region that another worker has just given up.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use integration::bookinfo::{Fault, Service};
use integration::client::Pool;
use integration::envoy::EnvoyVersion;
use integration::mesh::{Ingress, Mesh, Tag, Workload};
use support::{CHICAGO, HOST, SANJOSE, side_by_side, tag_of, until};

const WORKERS: u32 = 4;
const THRESHOLD: usize = 5;
const ROUNDS: usize = 15;
/// The kernel gives each connection to some worker; so many leave none of them out.
const CONNECTIONS: usize = 24;
const NEWS_AGE: &str = "meridian_news_age_microseconds";

/// Without rescue, and with ejections of `ejection`.
fn policy(ejection: &str) -> String {
    format!(
        "
apiVersion: meridian/v1
role: gateway
regions:
- {{name: {SANJOSE}, clusters: [primary], displayName: {}}}
- {{name: {CHICAGO}, clusters: [secondary], displayName: {}}}
services:
- name: productpage
  hosts: [{HOST}]
  destination: {{host: productpage.bookinfo.svc.cluster.local, port: 9080}}
outlierDetection:
  {{consecutiveGatewayErrors: {THRESHOLD}, interval: 100ms, baseEjectionTime: {ejection}, maxEjectionTime: {ejection}}}
warmup: {{duration: 0s}}
",
        tag_of(SANJOSE),
        tag_of(CHICAGO),
    )
}

/// A gateway of four workers, and a connection for each of [`CONNECTIONS`] clients.
struct Edge {
    mesh: Mesh,
    ingress: Ingress,
    clients: Vec<Pool>,
}

impl Edge {
    async fn start(version: &EnvoyVersion, policy: &str) -> Result<Self> {
        let mesh = Mesh::builder().workloads(Workload::productpage()).tag(Tag::Native).envoy(version.clone());
        let mesh = mesh.start().await?;
        let ingress = mesh.ingress("primary").policy(policy).workers(WORKERS).start().await?;
        let clients = (0..CONNECTIONS).map(|_| Pool::new(ingress.address())).collect();
        let edge = Self { mesh, ingress, clients };
        for client in &edge.clients {
            ask(client, "/status/200").await?;
        }
        // A worker can be rung from its first tick on.
        until("every worker and the main thread have a slot", async || {
            Ok(edge.ingress.envoy().stats("wasmcustom.worker").await?.len() == WORKERS as usize + 1)
        })
        .await?;
        Ok(edge)
    }
}

/// The status, and who served.
async fn ask(client: &Pool, path: &str) -> Result<(u16, Option<String>)> {
    let request = hyper::Request::get(path).header("host", HOST).body(Full::<Bytes>::default())?;
    let answer = client.send(request).await?;
    let tag = answer.headers().get("x-served-by-cluster").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    Ok((answer.status().as_u16(), tag))
}

/// How many observations are at or below each bound, in microseconds; the last one is of all.
async fn ages(ingress: &Ingress) -> Result<Vec<(String, u64)>> {
    let shown = ingress.envoy().admin("GET", "/stats/prometheus").await?.text();
    let bucket = |line: &str| {
        let (name, count) = line.rsplit_once(' ')?;
        let (_, bound) = name.split_once(&format!("{NEWS_AGE}_bucket{{"))?.1.split_once("le=\"")?;
        Some((bound.trim_end_matches("\"}").to_owned(), count.parse().ok()?))
    };
    Ok(shown.lines().filter_map(bucket).collect())
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
        until("every worker was rung for every ejection", async || {
            Ok(ages(&edge.ingress).await?.last().is_some_and(|(_, all)| *all >= rung))
        })
        .await
        .unwrap();
        let ages = ages(&edge.ingress).await.unwrap();
        let told: Vec<String> = ages.iter().map(|(bound, count)| format!("{count} within {bound}")).collect();
        println!("Envoy {}: news, in µs: {}", version.as_str(), told.join(", "));
        println!("Envoy {}: {late} of {asked} requests after an ejection went to the lost region", version.as_str());
        assert!(late * 10 <= asked, "{late} of {asked}");
        assert_eq!(edge.ingress.envoy().metric("meridian_host_errors_total", &[]).await.unwrap(), 0);
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
