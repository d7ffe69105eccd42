//! Policies that are tried before they act, on real Envoys: clients and services notice nothing, and metrics tell what would be different.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use integration::client::{Request, Response};
use integration::mesh::{Mesh, Tag, Workload};
use serde_json::Value;
use support::{CHICAGO, Edge, HOST, SANJOSE, Setting, World, tag_of, until};

/// What is different about each answer, whoever gives it.
const OF_THE_MOMENT: [&str; 2] = ["date", "x-envoy-upstream-service-time"];

fn policy(setting: &Setting, more: &str) -> String {
    format!(
        "
apiVersion: meridian/v1
role: gateway
table: {}
regions:
- {{name: {SANJOSE}, clusters: [primary], displayName: {}}}
- {{name: {CHICAGO}, clusters: [secondary], displayName: {}, aliases: [ord]}}
fences: {{here: [{SANJOSE}]}}
services:
- {{name: productpage, hosts: [{HOST}], destination: {{host: productpage.bookinfo.svc.cluster.local, port: 9080}}}}
outlierDetection: {{consecutiveGatewayErrors: 3, interval: 500ms, baseEjectionTime: 60s}}
{more}
",
        setting.table,
        tag_of(SANJOSE),
        tag_of(CHICAGO),
    )
}

/// Pairs of an ingress with the filter and one without it.
fn pairs() -> Vec<Setting> {
    let each = Setting::each(&[1], &["full"]).into_iter();
    each.flat_map(|setting| [setting.clone(), Setting { filter: false, ..setting }]).collect()
}

async fn start(policy: impl Fn(&Setting) -> String) -> Result<World> {
    let mesh = Mesh::builder().workloads(Workload::productpage()).tag(Tag::Native).start().await?;
    World::over(Arc::new(mesh), pairs(), policy).await
}

/// An error is followed by successes: a row of them makes Envoy eject the host, by its main thread and so at some time or other.
fn requests() -> Vec<Request> {
    const PATHS: [&str; 5] = ["/status/503", "/productpage", "/echo", "/status/404", "/far"];
    let mut requests = Vec::new();
    let mut each_path = |change: &dyn Fn(Request) -> Request| {
        requests.extend(PATHS.map(|path| change(Request::get(path).host(HOST))));
    };
    each_path(&|request| request);
    each_path(&|request| request.header("x-region-route", "prefer-us-chicago-1").header("x-region-decision", "forged"));
    for region in [CHICAGO, SANJOSE, "ORD", "atlantis"] {
        each_path(&|request| request.header("region", region));
    }
    requests.push(Request::get("/").host("somebody.else"));
    requests
}

/// Everything of an answer that is not of its moment.
fn lasting(answer: &Response) -> Result<String> {
    let mut body = answer.text();
    let mut passing = OF_THE_MOMENT.to_vec();
    if answer.header("content-type").is_some_and(|kind| kind == "application/json") {
        // What the application saw, among it the number of this request and the name that Envoy gave it.
        let mut echo: Value = serde_json::from_str(&body)?;
        let echo = echo.as_object_mut().context("an echo is an object")?;
        echo.remove("seen");
        let headers = echo.get_mut("headers").and_then(Value::as_array_mut).context("an echo has headers")?;
        headers.retain(|line| line.get(0).is_none_or(|name| name != "x-request-id"));
        body = serde_json::to_string(echo)?;
        passing.push("content-length");
    }
    let headers = answer.headers.iter().filter(|(name, _)| !passing.contains(&name.as_str()));
    let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value))).collect();
    Ok(format!("{}\n{}\n\n{body}", answer.status, headers.join("\n")))
}

/// Both ingresses of a pair answer every request with the same bytes.
async fn are_the_same(filtered: &Edge, plain: &Edge) -> Result<()> {
    for request in requests() {
        let (one, other) = (filtered.send(&request).await?, plain.send(&request).await?);
        let (one, other) = (lasting(&one)?, lasting(&other)?);
        ensure!(one == other, "{}: {request:?}\n--- with the filter\n{one}\n--- without\n{other}", filtered.setting);
    }
    Ok(())
}

/// How often a comparison ended so.
async fn counted(edge: &Edge, result: &str, reason: &str) -> Result<u64> {
    edge.ingress.envoy().metric("meridian_shadow_total", &[("result", result), ("reason", reason)]).await
}

async fn each_pair(world: &World, act: impl AsyncFn(&Edge, &Edge) -> Result<()>) {
    for pair in world.edges.chunks_exact(2) {
        let [filtered, plain] = pair else { unreachable!("chunks are of two") };
        act(filtered, plain).await.with_context(|| filtered.setting.to_string()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_observed_changes_no_byte_of_any_answer() {
    let rules = "
stage: observe
explain: {public: true}
rules:
- {name: far, match: {pathPrefix: /far}, onUnknownRegion: reject}
- {name: all, fence: here}";
    let world = start(|setting| policy(setting, rules)).await.unwrap();
    each_pair(&world, are_the_same).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_native_table_without_its_filter_answers_with_the_same_bytes_as_one_that_is_observed() {
    let world = start(|setting| policy(setting, "stage: native\nexplain: {public: true}")).await.unwrap();
    each_pair(&world, are_the_same).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_in_the_shadow_change_no_byte_of_any_answer() {
    let shadow = "shadow: {rules: [{name: stay, fence: here, onUnknownRegion: reject}]}";
    let mesh = Mesh::builder().workloads(Workload::productpage()).tag(Tag::Native).start().await.unwrap();
    let settings = Setting::each(&[1], &["full", "plans"]).into_iter();
    let settings: Vec<Setting> = settings.flat_map(|setting| [setting.clone(), setting]).collect();
    let first = std::cell::Cell::new(false);
    let turns = |setting: &Setting| policy(setting, if first.replace(!first.get()) { "" } else { shadow });
    let world = World::over(Arc::new(mesh), settings, turns).await.unwrap();
    each_pair(&world, async |with, without| {
        are_the_same(with, without).await?;
        ensure!(counted(with, "differ", "fenced").await? > 0 && counted(with, "differ", "unknown_region").await? > 0);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_observed_is_counted_as_agreement_or_difference_under_its_reason() {
    let world = start(|setting| policy(setting, "stage: observe\nexplain: {public: true}")).await.unwrap();
    each_pair(&world, async |edge, _| {
        for _ in 0..5 {
            edge.ask("/status/200", None).await?;
        }
        for _ in 0..3 {
            // Everything is served at home, whatever it asks for.
            edge.ask("/status/200", Some(CHICAGO)).await?;
        }
        for (result, reason, count) in
            [("agree", "local", 5), ("differ", "asked", 3), ("agree", "asked", 0), ("differ", "local", 0)]
        {
            let seen = counted(edge, result, reason).await?;
            ensure!(seen == count, "{result}, {reason}: {seen} and not {count}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_learned_while_it_is_only_observed() {
    let world = start(|setting| policy(setting, "stage: native\nexplain: {public: true}")).await.unwrap();
    world.mesh.cluster("secondary").unwrap().kill();
    each_pair(&world, async |edge, _| {
        until("what Envoy does by itself is what the filter would do", async || {
            let answer = edge.ask("/status/200", Some(CHICAGO)).await?;
            ensure!(answer.header("x-region-decision").is_none(), "nobody asked for an explanation");
            Ok(counted(edge, "agree", "failover").await? > 0)
        })
        .await
    })
    .await;
}
