//! A region that may be back is tried by one request at a time, and what it answers decides.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what cannot go on has failed, in helpers as well"
)]

mod support;
#[path = "support/told.rs"]
mod told;

use std::sync::Arc;
use std::time::Duration;

use integration::bookinfo::{Fault, Service};
use integration::clock::Clock;
use integration::load::{Kind, Load, Plan};
use integration::timeline::Sample;
use support::{Edge, SANJOSE, Setting, World, policy_with, tag_of, until};
use tokio::sync::OnceCell;
use told::{Ejection, LogClock};

const THRESHOLD: usize = 5;

fn policy(setting: &Setting, rescue: bool) -> String {
    let rescue = if rescue { ", rescue: {attempts: 2, perTryTimeout: 1s}" } else { "" };
    policy_with(&format!(
        "explain: {{public: true}}
table: {}
rules:
- {{name: everyone, timeout: 5s{rescue}}}
outlierDetection:
  {{consecutiveGatewayErrors: {THRESHOLD}, interval: 1s, baseEjectionTime: 1s, maxEjectionTime: 10s}}
warmup: {{duration: 0s}}
",
        setting.table,
    ))
}

/// One worker and four, both Envoys, both tables.
fn settings() -> Vec<Setting> {
    let all = Setting::each(&[1, 4], &["full", "plans"]);
    all.into_iter()
        .enumerate()
        .filter(|(number, _)| [1, 2, 4, 7].contains(number))
        .map(|(_, setting)| setting)
        .collect()
}

/// What one ingress showed.
#[derive(Clone, Debug)]
struct Seen {
    setting: Setting,
    samples: Vec<Sample>,
    ejections: Vec<Ejection>,
    readmissions: usize,
}

/// What all of them showed.
#[derive(Debug)]
struct Play {
    seen: Vec<Seen>,
    /// Requests that reached the region from when everybody had ejected it, and nothing was under way, to when it was mended.
    tried: u64,
}

/// A region answers `fault` until every ingress has tried it twice in vain; then it is well again.
async fn play(rescue: bool, fault: Fault) -> Play {
    let world = World::start(settings(), |setting| policy(setting, rescue)).await.unwrap();
    let (clock, log, kind) = (Clock::start(), LogClock::start(), Kind::new("any").path("/status/200"));
    let ejections = |edge: &Edge| log.ejections(&edge.ingress, SANJOSE);
    let load = |edge: &Arc<Edge>| Load::start(Plan::new(edge.ingress.address(), vec![kind.clone()]), clock).unwrap();
    let loads: Vec<Load> = world.edges.iter().map(load).collect();
    let pods = world.mesh.cluster("primary").unwrap().service(Service::Productpage);
    let reached = || world.mesh.served().at("primary", Service::Productpage);
    let ejected = async |times: usize| {
        let all = async || Ok(world.edges.iter().all(|edge| ejections(edge).len() >= times));
        until("every ingress has ejected the region so often", all).await.unwrap();
    };

    more(&loads, 50).await;
    pods.fault(&fault).await.unwrap();
    ejected(1).await;
    let then = clock.now();
    until("what was sent by then is over", async || Ok(loads.iter().all(|load| is_over(load, then)))).await.unwrap();
    let before = reached();
    ejected(3).await;
    let tried = reached() - before;
    pods.fault(&Fault::none()).await.unwrap();
    until("all of its traffic is back", async || Ok(loads.iter().all(is_home))).await.unwrap();

    let mut seen = Vec::new();
    for (edge, load) in world.edges.iter().zip(loads) {
        let samples = load.stop().await.unwrap().samples;
        let readmissions = edge.ingress.envoy().log().matches(": readmitted ").count();
        let (setting, ejections) = (edge.setting.clone(), ejections(edge));
        seen.push(Seen { setting, samples, ejections, readmissions });
    }
    Play { seen, tried }
}

/// Until every load has had so many more answers.
async fn more(loads: &[Load], count: usize) {
    let goals: Vec<usize> = loads.iter().map(|load| load.ended() + count).collect();
    let all = async || Ok(loads.iter().zip(&goals).all(|(load, goal)| load.ended() >= *goal));
    until("the loads go on", all).await.unwrap();
}

/// Whether every request that was due by `then` has ended: one is due every five milliseconds.
fn is_over(load: &Load, then: Duration) -> bool {
    let samples = load.so_far();
    let first = samples.iter().map(|sample| sample.at).min().unwrap_or(then);
    let due = then.saturating_sub(first).as_millis() / 5;
    samples.iter().filter(|sample| sample.at <= then).count() as u128 >= due
}

/// Whether the latest requests were all served at home.
fn is_home(load: &Load) -> bool {
    let samples = load.so_far();
    let mut latest = samples.iter().rev().take(50);
    latest.all(|sample| sample.succeeded() && sample.served_by.as_deref() == Some(tag_of(SANJOSE)))
}

/// The play with rescue, once for all tests. An answer takes a while, so that many requests come during a try.
async fn rescued() -> &'static Play {
    static PLAY: OnceCell<Play> = OnceCell::const_new();
    let slow = Fault { delay_ms: Some(150), ..Fault::status(503) };
    PLAY.get_or_init(async || play(true, slow).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_fails_its_try_is_ejected_for_longer() {
    for Seen { setting, ejections, .. } in &rescued().await.seen {
        let told: Vec<_> = ejections.iter().map(|it| (it.cause.as_str(), it.times, it.seconds)).collect();
        let expected = [("consecutiveGatewayErrors", 1, 1), ("halfOpen", 2, 2), ("halfOpen", 3, 3)];
        assert_eq!(told, expected, "{setting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_tries_before_the_time_is_over() {
    for Seen { setting, ejections, .. } in &rescued().await.seen {
        for pair in ejections.windows(2) {
            assert!(pair[1].at - pair[0].at >= Duration::from_secs(pair[0].seconds), "{setting}: {pair:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_at_a_time_reaches_a_region_that_is_still_broken() {
    let Play { seen, tried } = rescued().await;
    let failed_tries = seen.iter().flat_map(|seen| &seen.ejections).filter(|it| it.cause == "halfOpen").count();
    assert_eq!(*tried, failed_tries as u64, "two for each ingress: {seen:?}");
}

/// Those under way when the region was ejected, and as many as it takes to eject it, are all that were sent there before.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_under_way_is_added_to_what_ejects() {
    for Seen { setting, samples, ejections, .. } in &rescued().await.seen {
        let rescued =
            |sample: &&Sample| sample.decision.as_deref().is_some_and(|text| text.contains("outcome=rescued"));
        let charged = samples.iter().filter(rescued).filter(|sample| sample.at <= ejections[0].at).count();
        // The log's time is to the millisecond, and so is what is made of it.
        let spans = |sample: &&Sample| {
            sample.at <= ejections[0].at && sample.at + sample.latency + Duration::from_millis(2) >= ejections[0].at
        };
        let under_way = samples.iter().filter(spans).count();
        assert!((THRESHOLD..=THRESHOLD + under_way).contains(&charged), "{setting}: {charged}, {under_way} under way");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_rescue_nobody_pays_for_a_try() {
    for Seen { setting, samples, .. } in &rescued().await.seen {
        let failed: Vec<_> = samples.iter().filter(|sample| !sample.succeeded()).collect();
        assert!(failed.is_empty(), "{setting}: {failed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_answers_its_try_is_readmitted_once() {
    for Seen { setting, readmissions, .. } in &rescued().await.seen {
        assert_eq!(*readmissions, 1, "{setting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rescue_a_try_that_fails_costs_one_request() {
    for Seen { setting, samples, ejections, .. } in &play(false, Fault::status(503)).await.seen {
        let failed = samples.iter().filter(|sample| !sample.succeeded());
        let later: Vec<_> = failed.filter(|sample| sample.at > ejections[0].at).collect();
        assert_eq!(later.len(), ejections.len() - 1, "{setting}: {later:?}");
    }
}
