//! A drill on real Envoys: its share is moved, and nothing brings a drilled request back to the region that is taken away.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::sync::Arc;

use integration::bookinfo::Service;
use support::{CHICAGO, Edge, SANJOSE, Setting, World, policy_with, tag_of, until};

/// A drill of San Jose that takes this share of the requests, for as long as anybody will run this.
fn policy(setting: &Setting, percent: u8) -> String {
    policy_with(&format!(
        "explain: {{public: true}}
table: {}
rules:
- {{name: everyone, timeout: 3s, rescue: {{attempts: 3, perTryTimeout: 1s}}}}
drills:
- {{name: q4, region: {SANJOSE}, percent: {percent}, from: 2020-01-01T00:00:00Z, until: 2099-01-01T00:00:00Z}}
",
        setting.table,
    ))
}

/// How many of so many requests for San Jose went to Chicago, each with the reason.
async fn moved(edge: &Arc<Edge>, requests: usize) -> usize {
    let mut moved = 0;
    for _ in 0..requests {
        let answer = edge.ask("/status/200", Some(SANJOSE)).await.unwrap();
        let away = answer.header("x-served-by-cluster").as_deref() == Some(tag_of(CHICAGO));
        let told = answer.header("x-region-decision").is_some_and(|text| text.contains("reason=drill"));
        assert_eq!((answer.status, away), (200, told), "{}", edge.setting);
        moved += usize::from(away);
    }
    moved
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_moves_its_share_and_tells_why() {
    let world = World::start(Setting::each(&[1], &["full", "plans"]), |setting| policy(setting, 30)).await.unwrap();
    for edge in &world.edges {
        // Five standard deviations of 400 coins that fall so three times of ten.
        let count = moved(edge, 400).await;
        assert!((75..=165).contains(&count), "{count} of 400: {}", edge.setting);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn not_even_a_retry_reaches_a_region_that_is_taken_away() {
    let world = World::start(Setting::each(&[1], &["full", "plans"]), |setting| policy(setting, 100)).await.unwrap();
    let pods = world.mesh.cluster("secondary").unwrap().service(Service::Productpage);
    let before = world.mesh.served();
    pods.kill();
    for edge in &world.edges {
        let lost = async || Ok(edge.ask("/status/200", None).await?.status == 503);
        until("what is left is lost as well", lost).await.unwrap();
        for region in [None, Some(SANJOSE), Some(CHICAGO)] {
            assert!(edge.ask("/status/200", region).await.unwrap().status >= 500, "{}", edge.setting);
        }
    }
    let served = world.mesh.served().since(&before).at("primary", Service::Productpage);
    assert_eq!(served, 0, "requests reached the region that is taken away");
}
