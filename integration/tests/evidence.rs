//! What health is judged by beside errors in a row: requests that wait, failures that nobody signed, and a share that grows.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what cannot go on has failed, in helpers as well"
)]

mod support;

use std::time::{Duration, Instant};

use integration::bookinfo::{Fault, Service};
use integration::client::Request;
use integration::clock::Clock;
use integration::load::{Kind, Load, Plan};
use integration::mesh::{Ingress, Mesh, Tag, Workload};
use integration::timeline::Sample;
use support::{CHICAGO, SANJOSE, Setting, World, tag_of, until};

/// Two regions and what else a scenario needs.
fn policy(rest: &str) -> String {
    format!(
        "
apiVersion: meridian/v1
role: gateway
regions:
- {{name: {SANJOSE}, clusters: [primary], displayName: {}}}
- {{name: {CHICAGO}, clusters: [secondary], displayName: {}}}
{rest}",
        tag_of(SANJOSE),
        tag_of(CHICAGO),
    )
}

const PRODUCTPAGE: &str = "
services:
- {name: productpage, hosts: [bookinfo.example.com], destination: {host: productpage.bookinfo.svc.cluster.local, port: 9080}}
";

const THREE_SERVICES: &str = "
services:
- {name: productpage, hosts: [productpage.example.com], destination: {host: productpage.bookinfo.svc.cluster.local, port: 9080}}
- {name: details, hosts: [details.example.com], destination: {host: details.bookinfo.svc.cluster.local, port: 9080}}
- {name: ratings, hosts: [ratings.example.com], destination: {host: ratings.bookinfo.svc.cluster.local, port: 9080}}
outlierDetection: {consecutiveGatewayErrors: 3, interval: 5s, baseEjectionTime: 60s}
";

/// How long the ramp of the first scenario takes.
const RAMP: Duration = Duration::from_secs(4);

/// Every request that was answered between two times after the return, and how many of them by the region that came back.
fn answered(samples: &[Sample], from: Duration, to: Duration) -> (usize, usize) {
    let inside = samples.iter().filter(|sample| sample.at >= from && sample.at < to);
    let home = inside.clone().filter(|sample| sample.served_by.as_deref() == Some(tag_of(SANJOSE)));
    (inside.count(), home.count())
}

/// The time in a log line of the filter is not needed: the load shows when the first request is served at home again.
#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_comes_back_gets_no_step_above_its_share() {
    let rest = format!(
        "{PRODUCTPAGE}
outlierDetection: {{consecutiveGatewayErrors: 3, interval: 500ms, baseEjectionTime: 1s, maxEjectionTime: 2s}}
warmup: {{duration: {}s, minimumPercent: 10}}
",
        RAMP.as_secs()
    );
    let world = World::start(Setting::each(&[1, 4], &["full"]), |_| policy(&rest)).await.unwrap();
    let clock = Clock::start();
    let kind = Kind::new("any").path("/status/200");
    let loads: Vec<Load> = world
        .edges
        .iter()
        .map(|edge| Load::start(Plan::new(edge.ingress.address(), vec![kind.clone()]), clock).unwrap())
        .collect();
    let pods = world.mesh.cluster("primary").unwrap().service(Service::Productpage);
    let said = async |word: &str| {
        let all = || world.edges.iter().all(|edge| edge.ingress.envoy().log().contains(word));
        until(word, async || Ok(all())).await.unwrap();
    };
    pods.fault(&Fault::status(503)).await.unwrap();
    said(": ejected ").await;
    pods.fault(&Fault::none()).await.unwrap();
    said(": readmitted ").await;
    let returned = clock.now();
    until("the ramp is over", async || Ok(clock.now() > returned + RAMP + Duration::from_secs(1))).await.unwrap();

    for (edge, load) in world.edges.iter().zip(loads) {
        let samples = load.stop().await.unwrap().samples;
        let home = |sample: &&Sample| sample.served_by.as_deref() == Some(tag_of(SANJOSE)) && sample.succeeded();
        let away = samples.iter().filter(|sample| !home(sample)).map(|sample| sample.at).min().unwrap();
        let back = samples.iter().filter(home).map(|sample| sample.at).filter(|at| *at > away + Duration::from_secs(1));
        let back = back.min().unwrap();
        for quarter in 0..4_u32 {
            let (from, to) = (back + RAMP * quarter / 4, back + RAMP * (quarter + 1) / 4);
            let (all, home) = answered(&samples, from, to);
            // The share at the end of the quarter, and four standard deviations of a coin thrown so often.
            let share = 0.25 * f64::from(quarter + 1);
            let all_f = f64::from(u32::try_from(all).unwrap());
            let most = all_f * share + 4.0 * (all_f * 0.25).sqrt();
            let home_f = f64::from(u32::try_from(home).unwrap());
            assert!(all > 50 && home_f <= most, "{}: quarter {quarter}: {home} of {all}", edge.setting);
        }
        let (all, home) = answered(&samples, back + RAMP + Duration::from_millis(500), Duration::MAX);
        assert!(all > 0 && home == all, "{}: {home} of {all} after the ramp", edge.setting);
    }
}

/// Nobody is rescued here, and the timeout is long: what ends the waiting for the others is that somebody counts those who wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_region_is_known_long_before_a_timeout_ends() {
    let rest = format!(
        "{PRODUCTPAGE}
rules: [{{name: everyone, timeout: 12s}}]
outlierDetection: {{consecutiveGatewayErrors: 3, interval: 1s, baseEjectionTime: 60s, stallTimeout: 2s}}
"
    );
    let world = World::start(Setting::each(&[1, 4], &["full"]), |_| policy(&rest)).await.unwrap();
    let clock = Clock::start();
    // Slow enough for the frozen application's backlog: connections that are not taken up would be errors before anybody waited for long.
    let load = |edge: &std::sync::Arc<support::Edge>| {
        let kind = Kind::new("any").path("/status/200");
        Load::start(Plan::new(edge.ingress.address(), vec![kind]).rate(20), clock).unwrap()
    };
    let loads: Vec<Load> = world.edges.iter().map(load).collect();
    until("all loads run", async || Ok(loads.iter().all(|load| load.ended() > 20))).await.unwrap();
    let frozen = Instant::now();
    world.mesh.cluster("primary").unwrap().service(Service::Productpage).freeze();
    for edge in &world.edges {
        let known = async || Ok(edge.ingress.envoy().log().contains("cause=stallTimeout"));
        until("requests that wait eject the region", known).await.unwrap();
    }
    assert!(frozen.elapsed() < Duration::from_secs(8), "known after {:?}", frozen.elapsed());
    for edge in &world.edges {
        let answer = edge.ask("/status/200", None).await.unwrap();
        assert_eq!(answer.header("x-served-by-cluster").as_deref(), Some(tag_of(CHICAGO)), "{}", edge.setting);
    }
    world.mesh.cluster("primary").unwrap().service(Service::Productpage).thaw();
    drop(loads);
}

async fn bookinfo() -> (Mesh, Ingress) {
    let mesh = Mesh::builder().workloads(Workload::bookinfo()).tag(Tag::Native).start().await.unwrap();
    let ingress = mesh.ingress("primary").policy(&policy(THREE_SERVICES)).start().await.unwrap();
    (mesh, ingress)
}

/// Who serves a request for a service that asks for a region.
async fn served(ingress: &Ingress, service: &str, region: &str) -> (u16, Option<String>) {
    let host = format!("{service}.example.com");
    let request = Request::get("/status/200").host(host).header("region", region);
    let answer = request.send(ingress.address()).await.unwrap();
    (answer.status, answer.header("x-served-by-cluster"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_service_behind_a_live_gateway_is_moved_alone() {
    let (mesh, ingress) = bookinfo().await;
    mesh.cluster("secondary").unwrap().service(Service::Productpage).kill();
    for _ in 0..3 {
        served(&ingress, "productpage", CHICAGO).await;
    }
    let log = ingress.envoy().log();
    assert!(log.contains(&format!(": ejected service=productpage region={CHICAGO}")), "{log}");
    let there = Some(tag_of(CHICAGO).to_owned());
    assert_eq!(served(&ingress, "details", CHICAGO).await, (200, there.clone()));
    assert_eq!(served(&ingress, "ratings", CHICAGO).await, (200, there));
    assert!(!ingress.envoy().log().contains("service=*"), "the region is not to blame");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_gateway_before_live_services_takes_its_region_out_for_all_of_them() {
    let (mesh, ingress) = bookinfo().await;
    mesh.cluster("secondary").unwrap().east_west().stop().await.unwrap();
    for service in ["productpage", "details"] {
        for _ in 0..3 {
            served(&ingress, service, CHICAGO).await;
        }
    }
    let log = ingress.envoy().log();
    assert!(log.contains(&format!(": ejected service=* region={CHICAGO} cause=unreachable")), "{log}");
    // Nobody has asked for ratings yet, and nobody has to find out what is known.
    assert_eq!(served(&ingress, "ratings", CHICAGO).await, (200, Some(tag_of(SANJOSE).to_owned())));
}
