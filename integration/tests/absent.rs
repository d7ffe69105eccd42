//! A region whose endpoints Envoy itself has taken out fails nobody, and answers nobody: it is ejected for that, and its return ramps.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use integration::client::Request;
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::front::{Front, Server, http1};
use integration::load::{Kind, Load, Plan};
use integration::timeline::Sample;
use support::{CHICAGO, SANJOSE, tag_of, until};

const RAMP: Duration = Duration::from_secs(2);

fn policy() -> String {
    format!(
        "
apiVersion: meridian/v1
role: gateway
regions:
- {{name: {SANJOSE}, clusters: [primary], displayName: {}}}
- {{name: {CHICAGO}, clusters: [secondary], displayName: {}}}
services:
- {{name: productpage, hosts: [bookinfo.example.com], destination: {{host: productpage.test, port: 80}}}}
outlierDetection: {{interval: 1s, baseEjectionTime: 1s}}
warmup: {{duration: {}s, minimumPercent: 10}}
",
        tag_of(SANJOSE),
        tag_of(CHICAGO),
        RAMP.as_secs(),
    )
}

/// An application whose health check passes only while `ready`, and which serves in any case.
async fn application(region: &'static str, ready: &Arc<AtomicBool>) -> Server {
    let ready = Arc::clone(ready);
    let answer = http1(move |mut exchange| {
        let well = exchange.path != "/healthz" || ready.load(Ordering::Relaxed);
        async move { exchange.answer(if well { 200 } else { 503 }, Some(tag_of(region))).await }
    });
    answer.await.unwrap()
}

async fn comes_back_gently(version: EnvoyVersion, workers: u32) {
    let (ready, always) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
    let (home, away) = (application(SANJOSE, &ready).await, application(CHICAGO, &always).await);
    let front = Front::builder(&policy()).health_check("/healthz").envoy(version).workers(workers);
    let front =
        front.server("productpage", SANJOSE, "primary", &home).server("productpage", CHICAGO, "secondary", &away);
    let front = front.start().await.unwrap();
    // Envoy uses nobody whom it has not asked yet.
    let any = Request::get("/").host("bookinfo.example.com");
    until("it is served", async || Ok(front.send(&any).await?.status == 200)).await.unwrap();
    let clock = Clock::start();
    let load = Load::start(Plan::new(front.address(), vec![Kind::new("any").path("/")]), clock).unwrap();
    let at_home = |sample: &Sample| sample.served_by.as_deref() == Some(tag_of(SANJOSE));
    let latest = |count: usize, good: &dyn Fn(&Sample) -> bool| {
        let samples = load.so_far();
        samples.len() > count && samples.iter().rev().take(count).all(good)
    };

    until("it is served at home", async || Ok(latest(50, &at_home))).await.unwrap();
    ready.store(false, Ordering::Relaxed);
    until("Envoy spills all of it", async || Ok(latest(50, &|sample| !at_home(sample)))).await.unwrap();
    let ejected = async || Ok(front.envoy().log().contains(&format!("region={SANJOSE} cause=absent")));
    until("who answers nothing is ejected", ejected).await.unwrap();

    ready.store(true, Ordering::Relaxed);
    until("it is readmitted", async || Ok(front.said("readmitted", SANJOSE) == 1)).await.unwrap();
    let returned = clock.now();
    until("the ramp is over", async || Ok(clock.now() > returned + RAMP + Duration::from_millis(300))).await.unwrap();
    until("all of it is back", async || Ok(latest(50, &at_home))).await.unwrap();

    let samples = load.stop().await.unwrap().samples;
    let failed: Vec<_> = samples.iter().filter(|sample| !sample.succeeded()).collect();
    assert!(failed.is_empty(), "nobody pays: {failed:?}\n{}", front.envoy().log());
    // One and the same coin for each request of the first half of the ramp: its share is half of them at the very most, and five
    // standard deviations more are not chance.
    let half: Vec<_> =
        samples.iter().filter(|sample| sample.at > returned && sample.at < returned + RAMP / 2).collect();
    let home = half.iter().filter(|sample| at_home(sample)).count();
    let most = half.len() / 2 + 5 * (half.len() / 4).isqrt();
    assert!(half.len() > 100 && home <= most, "{home} of {} in the first half of the ramp", half.len());
    assert_eq!(front.said("ejected", CHICAGO), 0, "{}", front.envoy().log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_envoy_has_taken_out_is_ejected_and_comes_back_gently() {
    comes_back_gently(EnvoyVersion::newest().unwrap(), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_with_four_workers_on_the_oldest_envoy() {
    comes_back_gently(EnvoyVersion::oldest().unwrap(), 4).await;
}
