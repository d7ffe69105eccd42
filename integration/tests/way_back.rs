//! What a policy may say about the way back of a region, on real Envoys: which answers count, how many may try, how steep the ramp is.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use integration::bookinfo::{Fault, Service};
use integration::clock::Clock;
use integration::load::{Kind, Load, Plan};
use support::{Edge, SANJOSE, Setting, World, policy_with, side_by_side, tag_of, until};

async fn world(rest: &str) -> World {
    let policy = policy_with(rest);
    World::start(Setting::each(&[1], &["full"]), |_| policy.clone()).await.unwrap()
}

/// Waits until every Envoy has said so.
async fn all_say(world: &World, what: &str) {
    let all = || world.edges.iter().all(|edge| edge.ingress.envoy().log().contains(what));
    until(what, async || Ok(all())).await.unwrap();
}

async fn probes(edge: &Edge, result: &str) -> u64 {
    edge.ingress.envoy().metric("meridian_probe_total", &[("result", result)]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_passes_with_the_statuses_that_the_policy_expects_and_no_others() {
    const CHECKS: &str = "  probe: {path: /status/418}
activeHealthCheck: {interval: 1s, timeout: 500ms, unhealthyThreshold: 2, expectedStatuses: [418]}";
    let world = world(CHECKS).await;
    for edge in &world.edges {
        until("both regions have passed twice", async || Ok(probes(edge, "passed").await >= 4)).await.unwrap();
        assert_eq!(probes(edge, "failed").await, 0, "{}", edge.setting);
    }
    let pods = world.mesh.cluster("secondary").unwrap().pods();
    pods.fault(&Fault::status(200).with_health()).await.unwrap();
    all_say(&world, "cause=activeHealthCheck").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_requests_at_a_time_try_a_region_as_the_policy_says() {
    const TRIES: usize = 3;
    let rest = format!(
        "
outlierDetection: {{consecutiveGatewayErrors: 3, interval: 1s, baseEjectionTime: 1s}}
warmup: {{duration: 0s, halfOpenRequests: {TRIES}}}
"
    );
    let world = world(&rest).await;
    let pods = world.mesh.cluster("primary").unwrap().service(Service::Productpage);
    pods.fault(&Fault::status(503)).await.unwrap();
    for edge in &world.edges {
        until("the region is ejected", async || {
            edge.ask("/status/200", None).await?;
            Ok(edge.ingress.envoy().log().contains(": ejected "))
        })
        .await
        .unwrap();
    }
    // Slow enough that those who try are all under way before the first is answered.
    pods.fault(&Fault::delay(Duration::from_secs(1))).await.unwrap();
    for edge in &world.edges {
        let mut tried = 0;
        until("some try the region", async || {
            let answers = side_by_side((0..3 * TRIES).map(|_| edge.ask("/status/200", None))).await;
            let home = |answer: &anyhow::Result<integration::client::Response>| {
                answer
                    .as_ref()
                    .is_ok_and(|answer| answer.header("x-served-by-cluster").as_deref() == Some(tag_of(SANJOSE)))
            };
            tried = answers.iter().filter(|answer| home(answer)).count();
            Ok(tried > 0)
        })
        .await
        .unwrap();
        assert_eq!(tried, TRIES, "{}", edge.setting);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggressive_ramp_gives_most_of_the_share_back_in_its_first_half() {
    const RAMP: Duration = Duration::from_secs(4);
    let rest = format!(
        "
outlierDetection: {{consecutiveGatewayErrors: 3, interval: 500ms, baseEjectionTime: 1s, maxEjectionTime: 2s}}
warmup: {{duration: {}s, minimumPercent: 10, aggression: 4.0}}
",
        RAMP.as_secs()
    );
    let world = world(&rest).await;
    let (clock, kind) = (Clock::start(), Kind::new("any").path("/status/200"));
    let load = |edge: &Arc<Edge>| Load::start(Plan::new(edge.ingress.address(), vec![kind.clone()]), clock).unwrap();
    let loads: Vec<Load> = world.edges.iter().map(load).collect();
    let pods = world.mesh.cluster("primary").unwrap().service(Service::Productpage);
    pods.fault(&Fault::status(503)).await.unwrap();
    all_say(&world, ": ejected ").await;
    pods.fault(&Fault::none()).await.unwrap();
    all_say(&world, ": readmitted ").await;
    let returned = clock.now();
    until("the ramp is over", async || Ok(clock.now() > returned + RAMP)).await.unwrap();
    for (edge, load) in world.edges.iter().zip(loads) {
        let samples = load.stop().await.unwrap().samples;
        let half = samples.iter().filter(|sample| sample.at >= returned && sample.at < returned + RAMP / 2);
        let home = half.clone().filter(|sample| sample.served_by.as_deref() == Some(tag_of(SANJOSE))).count();
        let all = half.count();
        // A straight line gives a quarter of them, this one two thirds.
        assert!(all > 50 && home * 2 > all, "{}: {home} of {all}", edge.setting);
    }
}
