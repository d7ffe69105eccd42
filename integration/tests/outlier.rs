//! What `outlierDetection` counts as an error and how much it may take away, on real Envoys.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::sync::Arc;

use anyhow::{Result, ensure};
use support::{CHICAGO, Edge, SANJOSE, Setting, World, policy_with, tag_of, until};

/// Two regions, and what is said under `outlierDetection`.
async fn world(detection: &str) -> World {
    let policy = policy_with(&format!(
        "explain: {{public: true}}
outlierDetection: {{baseEjectionTime: 60s, interval: 60s{detection}}}
"
    ));
    World::start(Setting::each(&[4], &["full"]), |_| policy.clone()).await.unwrap()
}

/// Has the application of a region fail so many times.
async fn fail(edge: &Edge, region: &str, times: usize) -> Result<()> {
    for _ in 0..times {
        let answer = edge.ask("/status/500", Some(region)).await?;
        ensure!(answer.status == 500, "{}", answer.status);
    }
    Ok(())
}

/// Who serves a request for a region.
async fn served(edge: &Edge, region: &str) -> Result<Option<String>> {
    Ok(edge.ask("/status/200", Some(region)).await?.header("x-served-by-cluster"))
}

fn ejections(edge: &Edge) -> usize {
    edge.ingress.envoy().log().matches(": ejected ").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_an_application_eject_nothing_unless_the_policy_says_how_many() {
    let world = world("").await;
    let quiet = async |edge: Arc<Edge>| {
        fail(&edge, SANJOSE, 30).await?;
        ensure!(served(&edge, SANJOSE).await?.as_deref() == Some(tag_of(SANJOSE)));
        ensure!(ejections(&edge) == 0, "{}", edge.ingress.envoy().log());
        Ok(())
    };
    world.each_edge(quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_errors_of_an_application_in_a_row_eject_it_and_a_success_between_them_does_not() {
    let world = world(", consecutive5xxErrors: 4").await;
    let counted = async |edge: Arc<Edge>| {
        fail(&edge, SANJOSE, 3).await?;
        // A worker that has not heard of the errors yet keeps a success to itself.
        for _ in 0..20 {
            ensure!(served(&edge, SANJOSE).await?.as_deref() == Some(tag_of(SANJOSE)));
        }
        fail(&edge, SANJOSE, 3).await?;
        ensure!(ejections(&edge) == 0, "a row that was broken is none: {}", edge.ingress.envoy().log());
        fail(&edge, SANJOSE, 1).await?;
        until("it is moved", async || Ok(served(&edge, SANJOSE).await?.as_deref() == Some(tag_of(CHICAGO)))).await?;
        let told = edge.ingress.envoy().log();
        ensure!(told.contains(&format!("region={SANJOSE} cause=consecutive5xxErrors")), "{told}");
        Ok(())
    };
    world.each_edge(counted).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_regions_than_the_share_are_ejected_at_a_time() {
    let world = world(", consecutive5xxErrors: 4, maxEjectionPercent: 50").await;
    let bounded = async |edge: Arc<Edge>| {
        fail(&edge, SANJOSE, 4).await?;
        until("it is moved", async || Ok(served(&edge, SANJOSE).await?.as_deref() == Some(tag_of(CHICAGO)))).await?;
        fail(&edge, CHICAGO, 12).await?;
        // Envoy's own ejection of hosts goes by the same numbers, so who serves now says nothing of what was decided.
        let why = async |region| anyhow::Ok(edge.ask("/status/200", Some(region)).await?.header("x-region-decision"));
        // Nor does one worker that decided say that the others have heard.
        for _ in 0..20 {
            let moved = "chosen=us-chicago-1, reason=failover";
            until("all workers move it", async || Ok(why(SANJOSE).await?.is_some_and(|why| why.contains(moved))))
                .await?;
        }
        let kept = why(CHICAGO).await?.unwrap_or_default();
        ensure!(!kept.contains("reason=failover"), "{kept}");
        ensure!(ejections(&edge) == 1, "half of two is one: {}", edge.ingress.envoy().log());
        Ok(())
    };
    world.each_edge(bounded).await.unwrap();
}
