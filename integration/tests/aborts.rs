//! What says nothing about a region counts for nobody: a client that goes away, and an answer that only announces another.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use integration::client::Request;
use integration::envoy::EnvoyVersion;
use integration::front::{Front, FrontBuilder, Server, http1};
use support::{CHICAGO, SANJOSE, policy_with, tag_of, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HOST: &str = "bookinfo.example.com";
/// So many errors in a row eject.
const ROW: usize = 3;

/// A request that waits for an answer, one that is not yet complete itself, and one whose answer is not.
const WAITS: &str = "GET /never HTTP/1.1\r\nhost: bookinfo.example.com\r\n\r\n";
const UPLOADS: &str = "POST /never HTTP/1.1\r\nhost: bookinfo.example.com\r\ncontent-length: 1000\r\n\r\nhalf";
const READS: &str = "GET /half HTTP/1.1\r\nhost: bookinfo.example.com\r\n\r\n";

fn policy(outlier_detection: &str) -> String {
    policy_with(&format!(
        "outlierDetection: {{consecutiveGatewayErrors: {ROW}, {outlier_detection}}}
warmup: {{duration: 0s}}
"
    ))
}

/// A region's application: `/never` is never answered, `/half` not to its end, and `/continued` and `/hinted` are announced before they
/// are; anything else is answered with the status that is set.
async fn application(region: &'static str, status: &Arc<AtomicU16>) -> Server {
    let status = Arc::clone(status);
    let answer = http1(move |mut exchange| {
        let (status, tag) = (status.load(Ordering::Relaxed), tag_of(region));
        async move {
            match exchange.path.as_str() {
                "/never" => while exchange.receive().await?.is_some() {},
                "/half" => {
                    let head = format!("HTTP/1.1 200 OK\r\nx-served-by-cluster: {tag}\r\ncontent-length: 1000\r\n\r\n");
                    exchange.send(head + "half").await?;
                    while exchange.receive().await?.is_some() {}
                }
                "/continued" => {
                    exchange.send("HTTP/1.1 100 Continue\r\n\r\n").await?;
                    exchange.answer(status, Some(tag)).await?;
                }
                "/hinted" => {
                    exchange.send("HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n").await?;
                    exchange.answer(status, Some(tag)).await?;
                }
                _ => exchange.answer(status, Some(tag)).await?,
            }
            Ok(())
        }
    });
    answer.await.unwrap()
}

/// An ingress, and what the region at home is told to answer.
struct World {
    front: Front,
    status: Arc<AtomicU16>,
    home: Server,
    away: Server,
}

impl World {
    async fn start(outlier_detection: &str, with: impl FnOnce(FrontBuilder) -> FrontBuilder) -> Self {
        let (status, well) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicU16::new(200)));
        let (home, away) = (application(SANJOSE, &status).await, application(CHICAGO, &well).await);
        let front = with(Front::builder(&policy(outlier_detection))).server("productpage", SANJOSE, "primary", &home);
        let front = front.server("productpage", CHICAGO, "secondary", &away).start().await.unwrap();
        Self { front, status, home, away }
    }

    async fn ask(&self) -> u16 {
        self.front.send(&Request::get("/").host(HOST)).await.unwrap().status
    }

    async fn fail(&self, times: usize) {
        self.status.store(503, Ordering::Relaxed);
        for _ in 0..times {
            assert_eq!(self.ask().await, 503);
        }
        self.status.store(200, Ordering::Relaxed);
    }

    /// Begins a request, and goes away as soon as it has reached the application, and as an answer has begun if there is to be one.
    async fn abort(&self, text: &str) {
        let before = self.home.seen();
        let mut stream = TcpStream::connect(self.front.address()).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        until("it has arrived", async || Ok(self.home.seen() > before)).await.unwrap();
        if text == READS {
            while stream.read_u8().await.unwrap() != b'h' {}
        }
        drop(stream);
        let active = async || Ok(self.front.envoy().counter("http.ingress.downstream_rq_active").await? == 0);
        until("Envoy knows that the client is gone", active).await.unwrap();
    }

    fn ejections(&self) -> usize {
        self.front.said("ejected", SANJOSE)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_before_its_answer_counts_for_nobody() {
    for version in EnvoyVersion::pinned() {
        let world = World::start("baseEjectionTime: 60s", |front| front.envoy(version)).await;
        for text in [WAITS, UPLOADS] {
            for _ in 0..2 * ROW {
                world.abort(text).await;
            }
        }
        assert_eq!(world.ejections(), 0, "it is no failure: {}", world.front.envoy().log());
        world.fail(ROW - 1).await;
        for text in [WAITS, UPLOADS] {
            world.abort(text).await;
        }
        world.fail(1).await;
        assert_eq!(world.ejections(), 1, "it is no success either: {}", world.front.envoy().log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_in_the_middle_of_its_answer_has_had_one() {
    for version in EnvoyVersion::pinned() {
        let world = World::start("baseEjectionTime: 60s", |front| front.envoy(version)).await;
        for _ in 0..2 * ROW {
            world.abort(READS).await;
        }
        world.fail(ROW - 1).await;
        world.abort(READS).await;
        world.fail(ROW - 1).await;
        assert_eq!(world.ejections(), 0, "the answer began well: {}", world.front.envoy().log());
        world.fail(1).await;
        assert_eq!(world.ejections(), 1, "{}", world.front.envoy().log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_have_gone_away_do_not_wait_any_more() {
    let world = World::start("baseEjectionTime: 60s, stallTimeout: 400ms", |front| front).await;
    for _ in 0..4 * ROW {
        world.abort(WAITS).await;
    }
    // Nobody at home answers anything meanwhile, for several times the timeout.
    let mut others = 0;
    until("others are served elsewhere", async || {
        others += 1;
        let request = Request::get("/").host(HOST).header("region", CHICAGO);
        let tag = world.front.send(&request).await?.header("x-served-by-cluster");
        assert_eq!(tag.as_deref(), Some(tag_of(CHICAGO)));
        Ok(others > 80)
    })
    .await
    .unwrap();
    assert_eq!(world.ejections(), 0, "{}", world.front.envoy().log());
}

/// A try that is lost is given up after the interval, which is longer than anybody here waits; one that is given back is free for another
/// after a tenth of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_gives_back_the_try_that_it_held() {
    for version in EnvoyVersion::pinned() {
        let with = |front: FrontBuilder| front.envoy(version).without_ejection_of_hosts();
        let world = World::start("interval: 20s, baseEjectionTime: 1s", with).await;
        world.fail(ROW).await;
        assert_eq!(world.ejections(), 1);
        let before = world.home.seen();
        let mut sent = before + world.away.seen();
        // Whoever is sent home now holds the try.
        until("somebody tries", async || {
            let mut stream = TcpStream::connect(world.front.address()).await?;
            stream.write_all(WAITS.as_bytes()).await?;
            let seen = async || Ok(world.home.seen() + world.away.seen() > sent);
            until("it has arrived somewhere", seen).await?;
            sent += 1;
            Ok(world.home.seen() > before)
        })
        .await
        .unwrap();
        let back = async || Ok(world.ask().await == 200 && world.front.said("readmitted", SANJOSE) == 1);
        until("another one tries", back).await.unwrap();
    }
}

/// Envoy keeps such answers to itself, or lets them through, as it is told.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_announced_counts_once() {
    for (path, announced) in [("/continued", "HTTP/1.1 100 "), ("/hinted", "HTTP/1.1 103 ")] {
        for informational in [false, true] {
            let with = |front: FrontBuilder| if informational { front.informational() } else { front };
            let world = World::start("baseEjectionTime: 60s", with).await;
            let ask = async |status: u16| {
                world.status.store(status, Ordering::Relaxed);
                let expect = if path == "/continued" && informational { "expect: 100-continue\r\n" } else { "" };
                let head = format!("POST {path} HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n{expect}");
                let mut stream = TcpStream::connect(world.front.address()).await.unwrap();
                stream.write_all(format!("{head}content-length: 2\r\n\r\nok").as_bytes()).await.unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).await.unwrap();
                assert!(text.contains(&format!("HTTP/1.1 {status} ")), "{text}");
                assert_eq!(text.contains(announced), informational, "{text}");
            };
            for _ in 0..3 {
                for status in [503, 503, 200] {
                    ask(status).await;
                }
            }
            assert_eq!(world.ejections(), 0, "two errors are no row of three: {}", world.front.envoy().log());
            for _ in 0..ROW {
                ask(503).await;
            }
            assert_eq!(world.ejections(), 1, "{}", world.front.envoy().log());
        }
    }
}
