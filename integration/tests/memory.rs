//! The filter's memory is flat: however many streams pass and are aborted, however often its policy is replaced and a region is lost,
//! it needs no more than the first few times.
//!
//! What is compared is the size of the VMs' linear memories, in whole pages, as the kernel has mapped them: that is what the module itself
//! asked for, with nothing of Envoy's or of V8's own in it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use integration::front::{Exchange, Front, Server, http1};
use support::{CHICAGO, SANJOSE, tag_of, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HOST: &str = "bookinfo.example.com";
const CLIENTS: usize = 16;
/// One stream of so many is aborted.
const ABORTED: usize = 10;
/// After these it has seen everything once.
const FIRST: usize = 10_000;
/// And these have to pass; another number in `MERIDIAN_STREAMS`.
const STREAMS: usize = 100_000;
/// A leak of one byte for each stream, or of ten for each that is aborted, is more.
const PAGE: u64 = 64 * 1024;

/// What fails here is no region.
const NEVER: &str = "{consecutiveGatewayErrors: 1000, failurePercentage: {threshold: 100, requestVolume: 100000}}";
/// Lost and back as often as possible.
const AT_ONCE: &str = "{consecutiveGatewayErrors: 2, interval: 100ms, baseEjectionTime: 100ms, maxEjectionTime: 100ms}";

fn policy(alias: &str, outliers: &str) -> String {
    format!(
        "
apiVersion: meridian/v1
role: gateway
regions:
- {{name: {SANJOSE}, clusters: [primary], displayName: {}}}
- {{name: {CHICAGO}, clusters: [secondary], displayName: {}, aliases: [{alias}]}}
services:
- {{name: productpage, hosts: [{HOST}], destination: {{host: productpage.test, port: 80}}}}
outlierDetection: {outliers}
warmup: {{duration: 1s}}
",
        tag_of(SANJOSE),
        tag_of(CHICAGO),
    )
}

/// Answers on and on, `/never` excepted, and each `/status/503` so; everything so while it is `lost`.
async fn application(region: &'static str, lost: &Arc<AtomicBool>) -> Server {
    let lost = Arc::clone(lost);
    let answer = http1(move |mut exchange| {
        let lost = Arc::clone(&lost);
        async move {
            let mut path = exchange.path.clone();
            while path != "/never" {
                let fails = path == "/status/503" || lost.load(Ordering::Relaxed);
                let (status, tag) = (if fails { "503 Service Unavailable" } else { "200 OK" }, tag_of(region));
                let head = format!("HTTP/1.1 {status}\r\nx-served-by-cluster: {tag}\r\ncontent-length: 2\r\n\r\nok");
                exchange.send(head).await?;
                match next_path(&mut exchange).await? {
                    Some(next) => path = next,
                    None => return Ok(()),
                }
            }
            while exchange.receive().await?.is_some() {}
            Ok(())
        }
    });
    answer.await.unwrap()
}

async fn next_path(exchange: &mut Exchange) -> Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Some(bytes) = exchange.receive().await? else { return Ok(None) };
        head.extend_from_slice(&bytes);
    }
    Ok(String::from_utf8_lossy(&head).split(' ').nth(1).map(str::to_owned))
}

/// So many streams one after the other, on connections that last until one is aborted.
async fn client(address: SocketAddr, streams: usize) -> Result<()> {
    let mut connection = None;
    for number in 0..streams {
        let mut stream = match connection.take() {
            Some(kept) => kept,
            None => TcpStream::connect(address).await?,
        };
        // Native and decided ones, spellings that are none, and failures.
        let region = ["", "region: chicago\r\n", "", "region: mars\r\n"][number % 4];
        let path = match (number % ABORTED, number % 97) {
            (0, _) => "/never",
            (_, 0) => "/status/503",
            _ => "/",
        };
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n{region}\r\n").as_bytes()).await?;
        if path == "/never" {
            continue;
        }
        let mut answer = Vec::with_capacity(512);
        while !answer.ends_with(b"\r\n\r\nok") {
            ensure!(stream.read_buf(&mut answer).await? > 0, "the connection has ended");
        }
        connection = Some(stream);
    }
    Ok(())
}

/// So many streams, from several clients at once; returns when the last of them has ended.
async fn pass(front: &Front, streams: usize) {
    let (address, each) = (front.address(), streams / CLIENTS);
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client(address, each))).collect();
    for client in clients {
        client.await.unwrap().context("a client").unwrap();
    }
    let ended = async || Ok(front.envoy().counter("http.ingress.downstream_rq_active").await? == 0);
    until("all streams have ended", ended).await.unwrap();
}

/// An ingress in front of two regions, the second of which can be lost.
struct World {
    front: Front,
    lost: Arc<AtomicBool>,
    _servers: [Server; 2],
}

impl World {
    async fn start(outliers: &str) -> Self {
        let (never, lost) = (Arc::default(), Arc::default());
        let servers = [application(SANJOSE, &never).await, application(CHICAGO, &lost).await];
        let front = Front::builder(&policy("chicago", outliers)).workers(2).replaceable();
        let front = front.server("productpage", SANJOSE, "primary", &servers[0]);
        let front = front.server("productpage", CHICAGO, "secondary", &servers[1]).start().await.unwrap();
        Self { front, lost, _servers: servers }
    }

    async fn counted(&self, counter: &str) -> u64 {
        self.front.envoy().counter(counter).await.unwrap()
    }

    fn memories(&self) -> Vec<u64> {
        let found = self.front.envoy().wasm_memories().unwrap();
        assert_eq!(
            found.len(),
            4,
            "one for each worker, one for the main thread, and what all are copied from: {found:?}"
        );
        found
    }

    /// They need no more than they did.
    fn flat_since(&self, first: &[u64]) {
        let last = self.memories();
        println!("{first:?} bytes, then {last:?}");
        assert!(
            first.iter().zip(&last).all(|(before, after)| *after <= before + PAGE),
            "{first:?} bytes, then {last:?}"
        );
    }

    /// Another policy, and streams under it.
    async fn replace(&self, number: usize) {
        let before = self.counted("listener_manager.lds.update_success").await;
        self.front.replace(&policy(&format!("alias-{number}"), NEVER)).unwrap();
        let taken = async || Ok(self.counted("listener_manager.lds.update_success").await > before);
        until("it has taken the new policy", taken).await.unwrap();
        pass(&self.front, 10 * CLIENTS).await;
    }

    /// The second region is lost under load and comes back.
    async fn lose_and_give_back(&self) {
        for (lost, word) in [(true, "ejected"), (false, "readmitted")] {
            let before = self.front.said(word, CHICAGO);
            self.lost.store(lost, Ordering::Relaxed);
            let told = async || {
                pass(&self.front, 10 * CLIENTS).await;
                Ok(self.front.said(word, CHICAGO) > before)
            };
            until(word, told).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_streams_need_no_more_memory_than_the_first_ten_thousand() {
    let world = World::start(NEVER).await;
    pass(&world.front, FIRST).await;
    let first = world.memories();
    let given = std::env::var("MERIDIAN_STREAMS").ok().and_then(|number| number.parse().ok());
    let streams = given.unwrap_or(STREAMS);
    pass(&world.front, streams).await;
    world.flat_since(&first);
    let ended = world.counted("http.ingress.downstream_rq_total").await;
    assert!(ended >= (FIRST + streams) as u64 * 99 / 100, "{ended} streams");
}

/// What was replaced lives on until it is drained: so they come in bursts of as many, and each burst finds the last one gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_policies_one_after_the_other_need_no_more_memory_than_the_first_twenty() {
    let world = World::start(NEVER).await;
    let mut first = None;
    for burst in 0..6 {
        for number in 0..20 {
            world.replace(100 * burst + number).await;
        }
        let gone = async || {
            let listeners = world.counted("listener_manager.total_listeners_draining").await;
            Ok(listeners + world.counted("listener_manager.total_filter_chains_draining").await == 0)
        };
        until("what was replaced is gone", gone).await.unwrap();
        world.flat_since(first.get_or_insert_with(|| world.memories()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_is_lost_again_and_again_needs_no_more_memory_than_the_first_time() {
    let world = World::start(AT_ONCE).await;
    world.lose_and_give_back().await;
    let first = world.memories();
    for _ in 0..12 {
        world.lose_and_give_back().await;
    }
    world.flat_since(&first);
}
