//! A region whose application fails for a share of its requests is moved, unless the others fail alike.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use integration::clock::Clock;
use integration::front::{Front, Server, http1};
use integration::load::{Kind, Load, Plan};
use support::{CHICAGO, SANJOSE, tag_of, until};

/// Sixty percent fail.
const PATTERN: [u16; 5] = [500, 500, 200, 500, 200];
/// A window, twice as long as it takes for the requests that it needs.
const POLICY: &str = "
services:
- {name: productpage, hosts: [bookinfo.example.com], destination: {host: productpage.bookinfo.svc.cluster.local, port: 9080}}
outlierDetection:
  interval: 1s
  baseEjectionTime: 60s
  failurePercentage: {threshold: 50, requestVolume: 50}
";

/// An application that answers `statuses` in turn, and signs.
async fn application(region: &'static str, statuses: &'static [u16]) -> Server {
    let turn = Arc::new(AtomicU64::new(0));
    let answer = http1(move |mut exchange| {
        let turn = usize::try_from(turn.fetch_add(1, Ordering::Relaxed)).unwrap();
        async move {
            exchange.answer(*statuses.iter().cycle().nth(turn % statuses.len()).unwrap(), Some(tag_of(region))).await
        }
    });
    answer.await.unwrap()
}

async fn front(home: &Server, away: &Server) -> Front {
    let regions = [(SANJOSE, "primary"), (CHICAGO, "secondary")];
    let region =
        |(name, cluster)| format!("- {{name: {name}, clusters: [{cluster}], displayName: {}}}\n", tag_of(name));
    let regions = regions.map(region).concat();
    let policy = format!("apiVersion: meridian/v1\nrole: gateway\nregions:\n{regions}{POLICY}");
    let front = Front::builder(&policy).workers(2);
    let front = front.server("productpage", SANJOSE, "primary", home).server("productpage", CHICAGO, "secondary", away);
    front.start().await.unwrap()
}

/// Both regions are asked all the time, by name.
fn load(front: &Front) -> Load {
    let kinds = [SANJOSE, CHICAGO].map(|region| Kind::new(region).path("/").header("region", region).unwrap());
    Load::start(Plan::new(front.address(), kinds.to_vec()).rate(400), Clock::start()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_whose_application_fails_more_often_than_not_is_moved() {
    let (home, away) = (application(SANJOSE, &PATTERN).await, application(CHICAGO, &[200]).await);
    let front = front(&home, &away).await;
    let load = load(&front);
    let ejected = async || Ok(front.envoy().log().contains(&format!("region={SANJOSE} cause=failurePercentage")));
    until("its share of failures ejects it", ejected).await.unwrap();
    let (then, before) = (load.ended(), home.seen());
    until("the load goes on", async || Ok(load.ended() > then + 200)).await.unwrap();
    // What was under way at the ejection may still arrive.
    assert!(home.seen() <= before + 20, "{} requests reached it after its ejection", home.seen() - before);
    assert_eq!(front.said("ejected", CHICAGO), 0, "{}", front.envoy().log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_fails_alike_in_every_region_is_moved_in_none() {
    let (home, away) = (application(SANJOSE, &PATTERN).await, application(CHICAGO, &PATTERN).await);
    let front = front(&home, &away).await;
    let load = load(&front);
    // Six windows, each of them with enough requests.
    until("the load goes on", async || Ok(load.ended() > 2400)).await.unwrap();
    assert!(!front.envoy().log().contains(": ejected "), "{}", front.envoy().log());
    assert!(home.seen() > 1000 && away.seen() > 1000, "{} and {}", home.seen(), away.seen());
}
