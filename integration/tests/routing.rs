//! A request goes where its header and the policy say, and survives the loss of that place.
//!
//! Everything holds on every Envoy that is pinned, with one worker and with four, and with either native table.

mod support;

use std::sync::Arc;

use anyhow::{Result, ensure};
use integration::client::{Request, Response};
use support::{CHICAGO, Edge, HOST, SANJOSE, Setting, Shared, World, tag_of, until};

/// Times are short, so that an ejection and a return are seen in a test.
fn policy(setting: &Setting) -> String {
    format!(
        r#"
apiVersion: meridian/v1
explain: {{public: true}}
role: gateway
table: {}
regions:
- {{name: us-sanjose-1, clusters: [primary], displayName: PRIMARY (San Jose), aliases: [us-west, SanJose]}}
- {{name: us-chicago-1, clusters: [secondary], displayName: SECONDARY (Chicago), aliases: [us-central, chicago]}}
fences:
  east: [us-chicago-1]
services:
- name: productpage
  hosts: [bookinfo.example.com, "*.books.example.com"]
  destination: {{host: productpage.bookinfo.svc.cluster.local, port: 9080}}
- name: details
  hosts: [details.example.com]
  destination: {{host: details.bookinfo.svc.cluster.local, port: 9080}}
rules:
- {{name: strict, match: {{pathPrefix: /status/418}}, onUnknownRegion: reject, whenExhausted: fail}}
- {{name: by-path, match: {{pathPrefix: /api}}, fence: east}}
- {{name: by-method, match: {{methods: [PUT, DELETE]}}, fence: east}}
- {{name: by-host, match: {{hosts: [shop.books.example.com]}}, fence: east}}
- {{name: by-service, match: {{services: [details]}}, onUnknownRegion: reject}}
- {{name: everyone, rescue: {{attempts: 3, perTryTimeout: 2s, methods: [GET, HEAD]}}}}
outlierDetection: {{consecutiveGatewayErrors: 3, interval: 500ms, baseEjectionTime: 1s, maxEjectionTime: 2s}}
warmup: {{duration: 0s}}
"#,
        setting.table
    )
}

async fn start() -> Result<World> {
    World::start(Setting::each(&[1, 4], &["full", "plans"]), policy).await
}

/// The world of the tests that hurt nothing.
static HEALTHY: Shared<World> = Shared::new();

fn tag(answer: &Response) -> String {
    answer.header("x-served-by-cluster").unwrap_or_default()
}

fn decision(answer: &Response) -> String {
    answer.header("x-region-decision").unwrap_or_default()
}

/// Fails unless `region` served.
fn served_by(region: &str, answer: &Response) -> Result<()> {
    let tags = answer.values("x-served-by-cluster");
    let right = answer.status < 500 && tags == [tag_of(region).as_bytes()];
    ensure!(right, "not served by {region}: {} {:?} {}", answer.status, tag(answer), decision(answer));
    Ok(())
}

/// Fails unless the decision says all of `words`.
fn says(words: &[&str], answer: &Response) -> Result<()> {
    let said = decision(answer);
    ensure!(words.iter().all(|word| said.contains(word)), "{} {said:?} does not say {words:?}", answer.status);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_region_is_served_locally() {
    let world = HEALTHY.get(start()).await.unwrap();
    let all = world.each_edge(|edge| async move {
        let answer = edge.ask("/status/200", None).await?;
        served_by(SANJOSE, &answer)?;
        ensure!(decision(&answer).is_empty(), "there was nothing to explain");
        Ok(())
    });
    all.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_asked_for_by_name_by_alias_and_in_any_case() {
    let world = HEALTHY.get(start()).await.unwrap();
    let spellings = [
        (CHICAGO, ["us-chicago-1", "us-central", "chicago", "US-Chicago-1", "uS-cEnTrAl", "CHICAGO"]),
        (SANJOSE, ["us-sanjose-1", "us-west", "SanJose", "US-SANJOSE-1", "Us-West", "sanjosE"]),
    ];
    let all = world.each_edge(|edge| async move {
        for (region, spellings) in spellings {
            for spelling in spellings {
                served_by(region, &edge.ask("/status/200", Some(spelling)).await?)?;
            }
        }
        Ok(())
    });
    all.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_region_is_served_locally_and_said_to_be_unknown() {
    let world = HEALTHY.get(start()).await.unwrap();
    let all = world.each_edge(|edge| async move {
        for unknown in ["atlantis", "us-chicago-11", "us-chicago", "*", "us-chicago-1,us-chicago-1"] {
            let answer = edge.ask("/status/200", Some(unknown)).await?;
            served_by(SANJOSE, &answer)?;
            says(&["chosen=us-sanjose-1", "reason=unknown_region", "rule=everyone", "outcome=served"], &answer)?;
        }
        Ok(())
    });
    all.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_region_is_refused_where_the_rule_rejects_it() {
    let world = HEALTHY.get(start()).await.unwrap();
    let all = world.each_edge(|edge| async move {
        let answer = edge.ask("/status/418", Some("atlantis")).await?;
        ensure!(answer.status == 400, "it was answered {}", answer.status);
        ensure!(tag(&answer).is_empty(), "nobody served it");
        says(&["reason=unknown_region", "rule=strict", "outcome=refused"], &answer)?;
        served_by(CHICAGO, &edge.ask("/status/418", Some(CHICAGO)).await?)
    });
    all.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_rule_that_matches_decides() {
    let world = HEALTHY.get(start()).await.unwrap();
    let all = world.each_edge(|edge| async move {
        let (shop, other) = ("shop.books.example.com", "other.books.example.com");
        let cases = [
            ("GET", HOST, "/api", CHICAGO, "by-path"),
            ("GET", HOST, "/api/v1?x=y", CHICAGO, "by-path"),
            ("PUT", HOST, "/api/v1", CHICAGO, "by-path"),
            ("GET", HOST, "/status/200?next=/api", SANJOSE, "everyone"),
            ("PUT", HOST, "/status/200", CHICAGO, "by-method"),
            ("DELETE", shop, "/status/200", CHICAGO, "by-method"),
            ("POST", HOST, "/status/200", SANJOSE, "everyone"),
            ("GET", shop, "/status/200", CHICAGO, "by-host"),
            ("GET", "SHOP.books.example.com:8443", "/status/200", CHICAGO, "by-host"),
            ("GET", other, "/status/200", SANJOSE, "everyone"),
        ];
        for (method, host, path, region, rule) in cases {
            let request = Request::new(method, path).host(host);
            served_by(region, &edge.send(&request).await?)?;
            // A region that does not exist changes nothing but that the decision, and so the rule, is told.
            let asked = edge.send(&request.header("region", "atlantis")).await?;
            served_by(region, &asked)?;
            says(&[&format!("rule={rule}")], &asked)?;
        }
        let details = Request::get("/details/0").host("details.example.com").header("region", "atlantis");
        says(&["rule=by-service", "outcome=refused"], &edge.send(&details).await?)
    });
    all.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_outside_the_fence_of_the_rule_is_not_reached_by_asking() {
    let world = HEALTHY.get(start()).await.unwrap();
    let all = world.each_edge(|edge| async move {
        let answer = edge.ask("/api", Some(SANJOSE)).await?;
        served_by(CHICAGO, &answer)?;
        says(&["asked=us-sanjose-1", "chosen=us-chicago-1", "reason=fenced", "rule=by-path"], &answer)?;
        let fenced = edge.ingress.envoy().metric("meridian_fenced_total", &[("rule", "by-path")]).await?;
        ensure!(fenced > 0, "it was not counted");
        Ok(())
    });
    all.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_every_region_is_a_metric_before_anything_happens() {
    let world = HEALTHY.get(start()).await.unwrap();
    let all = world.each_edge(|edge| async move {
        let stats = edge.ingress.envoy().stats("wasmcustom.").await?;
        for region in [SANJOSE, CHICAGO] {
            let name = format!("wasmcustom.service=.=productpage;.;region=.={region};.;meridian_region_state");
            ensure!(stats.get(&name) == Some(&0), "{name} is {:?}", stats.get(&name));
        }
        Ok(())
    });
    all.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_goes_where_it_was_meant_to_is_not_counted_as_moved() {
    let world = HEALTHY.get(start()).await.unwrap();
    let all = world.each_edge(|edge| async move {
        for region in [None, Some(CHICAGO), Some("US-West"), Some("atlantis")] {
            edge.ask("/status/200", region).await?;
        }
        let moved = edge.ingress.envoy().metric("meridian_moved_total", &[]).await?;
        ensure!(moved == 0, "{moved} requests were counted");
        Ok(())
    });
    all.await.unwrap();
}

/// Asks for Chicago while it is gone, until the region is ejected; not one request may fail meanwhile.
async fn leaves_chicago(edge: Arc<Edge>) -> Result<()> {
    until("a request for the lost region was failed over", async || {
        let answer = edge.ask("/status/200", Some(CHICAGO)).await?;
        served_by(SANJOSE, &answer)?;
        ensure!(answer.status == 200, "a request failed: {}", answer.status);
        let over = decision(&answer).contains("reason=failover");
        if over {
            says(
                &["asked=us-chicago-1", "chosen=us-sanjose-1", "skipped=(\"us-chicago-1\";", "outcome=served"],
                &answer,
            )?;
        }
        Ok(over)
    })
    .await?;
    let envoy = edge.ingress.envoy();
    let moved = [("service", "productpage"), ("from", CHICAGO), ("to", SANJOSE), ("reason", "failover")];
    ensure!(envoy.metric("meridian_moved_total", &moved).await? > 0, "the move was not counted");
    let ejected = [("service", "productpage"), ("region", CHICAGO)];
    ensure!(envoy.metric("meridian_ejections_total", &ejected).await? > 0, "the ejection was not counted");
    ensure!(envoy.metric("meridian_region_state", &ejected).await? > 0, "the state is still healthy");
    Ok(())
}

/// Asks for Chicago until it answers again; not one request may fail meanwhile.
async fn returns_to_chicago(edge: Arc<Edge>) -> Result<()> {
    until("the region that came back serves again", async || {
        let answer = edge.ask("/status/200", Some(CHICAGO)).await?;
        ensure!(answer.status == 200, "a request failed: {} {}", answer.status, decision(&answer));
        Ok(tag(&answer) == tag_of(CHICAGO) && decision(&answer).is_empty())
    })
    .await?;
    let state = [("service", "productpage"), ("region", CHICAGO)];
    ensure!(edge.ingress.envoy().metric("meridian_region_state", &state).await? == 0, "the state is not healthy");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_region_is_left_without_a_failed_request_and_taken_back_when_it_returns() {
    let world = start().await.unwrap();
    let secondary = world.mesh.cluster("secondary").unwrap();
    world
        .each_edge(|edge| async move { served_by(CHICAGO, &edge.ask("/status/200", Some(CHICAGO)).await?) })
        .await
        .unwrap();
    secondary.kill();
    world.each_edge(leaves_chicago).await.unwrap();
    secondary.start().await.unwrap();
    world.each_edge(returns_to_chicago).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_fails_closed_refuses_when_no_region_is_left() {
    let world = start().await.unwrap();
    for cluster in world.mesh.clusters() {
        cluster.pods().kill();
    }
    let exhausted = world.each_edge(|edge| async move {
        until("both regions are ejected", async || {
            let chicago = edge.ask("/status/418", Some(CHICAGO)).await?;
            let local = edge.ask("/status/418", None).await?;
            ensure!(chicago.status == 503 && local.status == 503, "somebody answered for the dead");
            if !decision(&local).contains("reason=exhausted") {
                return Ok(false);
            }
            says(&["rule=strict", "skipped=(\"us-sanjose-1\"", "us-chicago-1", "outcome=refused"], &local)?;
            ensure!(!decision(&local).contains("chosen="), "nothing was chosen");
            ensure!(tag(&local).is_empty(), "nobody served it");
            Ok(true)
        })
        .await
    });
    exhausted.await.unwrap();
}
