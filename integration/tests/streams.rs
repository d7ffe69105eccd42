//! Streams that outlive decisions: an open WebSocket stays where it is, a long answer counts once, and who waits long is not lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::client::Request;
use integration::envoy::EnvoyVersion;
use integration::front::{Exchange, Front, Server, http1};
use support::{CHICAGO, SANJOSE, policy_with, tag_of, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const HOST: &str = "bookinfo.example.com";
const PATIENCE: Duration = Duration::from_secs(5);
/// So many errors in a row eject.
const ROW: usize = 3;

fn policy(outlier_detection: &str) -> String {
    policy_with(&format!(
        "outlierDetection: {{consecutiveGatewayErrors: {ROW}, {outlier_detection}}}
warmup: {{duration: 0s}}
"
    ))
}

/// A region's application: `/chat` is a WebSocket, `/events` an answer without end, `/poll` one that takes three seconds; `/refuse` and
/// `/hang-up` want no WebSocket; anything else is answered with the status that is set.
async fn application(region: &'static str, status: &Arc<AtomicU16>) -> Server {
    let status = Arc::clone(status);
    let answer = http1(move |mut exchange| {
        let status = status.load(Ordering::Relaxed);
        async move {
            match exchange.path.as_str() {
                "/chat" => chat(&mut exchange, region).await,
                "/events" => events(&mut exchange, region).await,
                "/poll" => {
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    exchange.answer(200, Some(tag_of(region))).await
                }
                "/refuse" => exchange.answer(426, Some(tag_of(region))).await,
                "/hang-up" => Ok(()),
                _ => exchange.answer(status, Some(tag_of(region))).await,
            }
        }
    });
    answer.await.unwrap()
}

/// Says what it hears, and where.
async fn chat(exchange: &mut Exchange, region: &str) -> Result<()> {
    let tag = tag_of(region);
    let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n";
    exchange.send(format!("{head}x-served-by-cluster: {tag}\r\n\r\n")).await?;
    while let Some(heard) = exchange.receive().await? {
        exchange.send([region.as_bytes(), b" heard ", &heard].concat()).await?;
    }
    Ok(())
}

/// Twenty events a second, until the client has enough.
async fn events(exchange: &mut Exchange, region: &str) -> Result<()> {
    let (head, tag) =
        ("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n", tag_of(region));
    exchange.send(format!("{head}x-served-by-cluster: {tag}\r\n\r\n")).await?;
    loop {
        exchange.send("9\r\ndata: x\n\n\r\n").await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An ingress, and what both regions are told to answer.
struct World {
    front: Front,
    home: Arc<AtomicU16>,
    _servers: [Server; 2],
}

impl World {
    async fn start(version: EnvoyVersion, outlier_detection: &str) -> Self {
        let (home, away) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicU16::new(200)));
        let servers = [application(SANJOSE, &home).await, application(CHICAGO, &away).await];
        let front = Front::builder(&policy(outlier_detection)).envoy(version);
        let front = front.server("productpage", SANJOSE, "primary", &servers[0]);
        let front = front.server("productpage", CHICAGO, "secondary", &servers[1]).start().await.unwrap();
        Self { front, home, _servers: servers }
    }

    async fn ask(&self, path: &str) -> u16 {
        self.front.send(&Request::get(path).host(HOST)).await.unwrap().status
    }

    /// So many requests that the region at home answers with 503.
    async fn fail(&self, times: usize) {
        self.home.store(503, Ordering::Relaxed);
        for _ in 0..times {
            assert_eq!(self.ask("/").await, 503);
        }
        self.home.store(200, Ordering::Relaxed);
    }

    fn ejections(&self) -> usize {
        self.front.said("ejected", SANJOSE)
    }
}

/// A stream of bytes that was begun by a request.
struct Stream(TcpStream);

impl Stream {
    /// Sends a request, and reads the head of its answer.
    async fn open(front: &Front, path: &str, headers: &str) -> Result<(Self, String)> {
        let mut stream = TcpStream::connect(front.address()).await?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n{headers}\r\n").as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, stream.read_u8()).await.context("no answer")??);
        }
        Ok((Self(stream), String::from_utf8_lossy(&head).into_owned()))
    }

    async fn web_socket(front: &Front, path: &str) -> Result<(Self, String)> {
        Self::open(front, path, "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n").await
    }

    /// Says something and reads the answer to it.
    async fn say(&mut self, words: &str) -> Result<String> {
        self.0.write_all(words.as_bytes()).await?;
        let mut heard = String::new();
        while !heard.ends_with(words) {
            heard += &self.read().await?;
        }
        Ok(heard)
    }

    async fn read(&mut self) -> Result<String> {
        let mut bytes = Vec::new();
        let count = timeout(PATIENCE, self.0.read_buf(&mut bytes)).await.context("nothing came")??;
        ensure!(count > 0, "the stream has ended");
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_web_socket_is_never_moved_when_its_region_is_ejected_or_returns() {
    for version in EnvoyVersion::pinned() {
        let world = World::start(version, "interval: 500ms, baseEjectionTime: 1s").await;
        let (mut before, head) = Stream::web_socket(&world.front, "/chat").await.unwrap();
        assert!(head.starts_with("HTTP/1.1 101") && head.contains(tag_of(SANJOSE)), "{head}");
        assert_eq!(before.say("hello").await.unwrap(), format!("{SANJOSE} heard hello"));

        world.fail(ROW).await;
        assert_eq!(world.ejections(), 1, "{}", world.front.envoy().log());
        assert_eq!(before.say("still there").await.unwrap(), format!("{SANJOSE} heard still there"));
        let (mut meanwhile, head) = Stream::web_socket(&world.front, "/chat").await.unwrap();
        assert!(head.contains(tag_of(CHICAGO)), "{head}");

        let back = async || Ok(world.ask("/").await == 200 && world.front.said("readmitted", SANJOSE) == 1);
        until("the region is back", back).await.unwrap();
        assert_eq!(before.say("and now").await.unwrap(), format!("{SANJOSE} heard and now"));
        assert_eq!(meanwhile.say("and here").await.unwrap(), format!("{CHICAGO} heard and here"));
        assert_eq!(world.ejections(), 1, "nobody is charged for a conversation");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_counts_once_by_how_it_was_answered() {
    let world = World::start(EnvoyVersion::newest().unwrap(), "baseEjectionTime: 60s").await;
    // An application that wants no WebSocket has answered, and one that talks has answered: both end a row.
    for answered in ["/refuse", "/chat"] {
        for _ in 0..3 {
            world.fail(ROW - 1).await;
            Stream::web_socket(&world.front, answered).await.unwrap();
        }
    }
    assert_eq!(world.ejections(), 0, "{}", world.front.envoy().log());
    // One that hangs up has not.
    for _ in 1..ROW {
        let (_, head) = Stream::web_socket(&world.front, "/hang-up").await.unwrap();
        assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    }
    assert_eq!(world.ejections(), 0, "{}", world.front.envoy().log());
    Stream::web_socket(&world.front, "/hang-up").await.unwrap();
    assert_eq!(world.ejections(), 1, "{}", world.front.envoy().log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_stream_counts_when_it_begins_and_never_again() {
    let outlier_detection = "interval: 300ms, baseEjectionTime: 60s, stallTimeout: 600ms";
    for version in EnvoyVersion::pinned() {
        let world = World::start(version, outlier_detection).await;
        world.fail(ROW - 1).await;
        let (mut events, head) = Stream::open(&world.front, "/events", "").await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        world.fail(ROW - 1).await;
        assert_eq!(world.ejections(), 0, "its beginning has ended the row");
        // Far longer than every time here.
        let mut heard = 0;
        while heard < 60 {
            heard += events.read().await.unwrap().matches("data: x").count();
        }
        drop(events);
        until("Envoy knows that it has ended", async || {
            Ok(world.front.envoy().counter("http.ingress.downstream_rq_active").await? == 0)
        })
        .await
        .unwrap();
        assert_eq!(world.ejections(), 0, "{}", world.front.envoy().log());
        world.fail(1).await;
        assert_eq!(world.ejections(), 1, "its end has not: {}", world.front.envoy().log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_polls_for_longer_than_the_stall_timeout_does_not_eject_a_region_that_answers_others() {
    let world = World::start(EnvoyVersion::newest().unwrap(), "baseEjectionTime: 60s, stallTimeout: 1s").await;
    let front = Arc::new(world.front);
    let poll = |_| {
        let front = Arc::clone(&front);
        tokio::spawn(async move { front.send(&Request::get("/poll").host(HOST)).await.unwrap() })
    };
    let polls: Vec<_> = (0..10).map(poll).collect();
    while !polls.iter().all(tokio::task::JoinHandle::is_finished) {
        let answer = front.send(&Request::get("/").host(HOST)).await.unwrap();
        assert_eq!(answer.header("x-served-by-cluster").as_deref(), Some(tag_of(SANJOSE)));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for poll in polls {
        let answer = poll.await.unwrap();
        assert_eq!((answer.status, answer.header("x-served-by-cluster").as_deref()), (200, Some(tag_of(SANJOSE))));
    }
    assert_eq!(front.said("ejected", SANJOSE), 0, "{}", front.envoy().log());
}
