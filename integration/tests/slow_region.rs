//! A region that is slow, and not lost: nobody fails for it, and the others hardly notice. Load is counted at the services.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::front::{Front, Server, http1};
use integration::load::{Kind, Load, Plan};
use support::until;

const REGIONS: [(&str, &str, &str); 3] = [("a", "primary", "A"), ("b", "second", "B"), ("c", "third", "C")];
/// How long an application takes when all is well, in milliseconds.
const USUAL: u64 = 30;
const POLICY: &str = "
apiVersion: meridian/v1
role: gateway
regions:
- {name: a, clusters: [primary], displayName: A}
- {name: b, clusters: [second], displayName: B}
- {name: c, clusters: [third], displayName: C}
services:
- {name: productpage, hosts: [bookinfo.example.com], destination: {host: productpage.test, port: 80}}
rules:
- {name: everyone, timeout: 5s, rescue: {attempts: 2, perTryTimeout: 200ms, methods: [GET, HEAD]}}
outlierDetection: {interval: 1s, baseEjectionTime: 1s}
warmup: {duration: 2s}
";

/// Three regions, the last of which can be made slow.
struct World {
    front: Front,
    servers: Vec<Server>,
    latency: Arc<AtomicU64>,
}

impl World {
    async fn start(version: EnvoyVersion) -> Self {
        let latency = Arc::new(AtomicU64::new(USUAL));
        let mut front = Front::builder(POLICY).envoy(version).workers(2);
        let mut servers = Vec::new();
        for (region, cluster, tag) in REGIONS {
            let latency = if region == "c" { Arc::clone(&latency) } else { Arc::new(AtomicU64::new(USUAL)) };
            let server = http1(move |mut exchange| {
                let latency = Duration::from_millis(latency.load(Ordering::Relaxed));
                async move {
                    tokio::time::sleep(latency).await;
                    exchange.answer(200, Some(tag)).await
                }
            });
            let server = server.await.unwrap();
            front = front.server("productpage", region, cluster, &server);
            servers.push(server);
        }
        Self { front: front.start().await.unwrap(), servers, latency }
    }

    /// What has reached each region.
    fn seen(&self) -> Vec<u64> {
        self.servers.iter().map(Server::seen).collect()
    }

    /// What reaches each region while so many requests are answered.
    async fn during(&self, load: &Load, requests: usize) -> Vec<u64> {
        let (before, goal) = (self.seen(), load.ended() + requests);
        until("the load goes on", async || Ok(load.ended() >= goal)).await.unwrap();
        self.seen().iter().zip(before).map(|(now, before)| now - before).collect()
    }

    /// `shares` of every so many requests ask for each region.
    fn load(&self, shares: [usize; 3]) -> Load {
        let kinds = REGIONS.iter().zip(shares).flat_map(|((region, ..), share)| {
            std::iter::repeat_n(Kind::new(region).path("/").header("region", region).unwrap(), share)
        });
        Load::start(Plan::new(self.front.address(), kinds.collect()), Clock::start()).unwrap()
    }
}

/// At most a fifth more than before.
fn hardly_more(before: u64, now: u64) -> bool {
    now * 5 <= before * 6
}

/// Stops the load, and nobody has failed. How many were sent.
async fn nobody_failed(load: Load) -> u64 {
    let samples = load.stop().await.unwrap().samples;
    let failed: Vec<_> = samples.iter().filter(|sample| !sample.succeeded()).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:?}", failed.len(), samples.len());
    samples.len() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_at_three_times_its_latency_keeps_its_requests_and_the_others_their_load() {
    for version in EnvoyVersion::pinned() {
        let world = World::start(version).await;
        let load = world.load([1, 1, 1]);
        let before = world.during(&load, 450).await;
        world.latency.store(3 * USUAL, Ordering::Relaxed);
        let slow = world.during(&load, 450).await;
        for region in [0, 1] {
            assert!(hardly_more(before[region], slow[region]), "{before:?}, then {slow:?}");
        }
        assert!(slow[2] > 100, "it still serves: {slow:?}");
        let sent = nobody_failed(load).await;
        assert_eq!(world.seen().iter().sum::<u64>(), sent, "nothing was tried twice");
        assert!(!world.front.envoy().log().contains(": ejected "), "{}", world.front.envoy().log());
    }
}

/// Slower than anybody waits: every try there times out, so its requests have to move. They are one in thirteen, and would be a sixth more
/// for the region that takes them; what the tries cost comes on top.
#[tokio::test(flavor = "multi_thread")]
async fn a_region_at_ten_times_its_latency_is_moved_without_a_storm_of_retries() {
    for version in EnvoyVersion::pinned() {
        let world = World::start(version).await;
        let load = world.load([6, 6, 1]);
        let before = world.during(&load, 650).await;
        world.latency.store(10 * USUAL, Ordering::Relaxed);
        let slow = world.during(&load, 1300).await;
        for region in [0, 1] {
            assert!(hardly_more(2 * before[region], slow[region]), "{before:?}, then {slow:?} of twice as many");
        }
        assert!(slow.iter().sum::<u64>() * 20 <= 1300 * 21, "one in twenty was tried twice: {slow:?}");
        nobody_failed(load).await;
        assert!(world.front.said("ejected", "c") > 0, "{}", world.front.envoy().log());
    }
}

/// As many ask for it as for the others: all of them move, each once.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_region_that_is_too_slow_costs_each_of_its_requests_one_move() {
    let world = World::start(EnvoyVersion::newest().unwrap()).await;
    let load = world.load([1, 1, 1]);
    world.during(&load, 150).await;
    world.latency.store(10 * USUAL, Ordering::Relaxed);
    let slow = world.during(&load, 1500).await;
    let sent = nobody_failed(load).await;
    assert!(hardly_more(sent, world.seen().iter().sum()), "tries are more than a fifth over {sent} requests: {slow:?}");
}
