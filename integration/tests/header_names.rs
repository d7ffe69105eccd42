//! A policy that calls the mesh's headers otherwise: the filter and the native table mean the same headers by the new names, and the old
//! names are anybody's.

mod support;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use integration::bookinfo::Fault;
use integration::client::Request;
use integration::mesh::{Mesh, Tag, Workload};
use serde_json::Value;
use support::{CHICAGO, Edge, HOST, SANJOSE, Setting, World, tag_of, until};

const POLICY: &str = "
apiVersion: meridian/v1
explain: {public: true}
role: gateway
headers: {servedBy: X-Cell, decision: x-why, route: x-plan}
regions:
- {name: us-sanjose-1, clusters: [primary], displayName: PRIMARY (San Jose)}
- {name: us-chicago-1, clusters: [secondary], displayName: SECONDARY (Chicago)}
services:
- name: productpage
  hosts: [bookinfo.example.com]
  destination: {host: productpage.bookinfo.svc.cluster.local, port: 9080}
rules:
- {name: strict, match: {methods: [DELETE]}, onUnknownRegion: reject}
- {name: everyone, rescue: {attempts: 3, perTryTimeout: 2s, methods: [GET]}}
outlierDetection: {consecutiveGatewayErrors: 3, interval: 500ms, baseEjectionTime: 60s}
";

/// Both tables with the filter on every Envoy, and the full one without it.
fn settings() -> Vec<Setting> {
    let mut settings = Setting::each(&[1], &["full", "plans"]);
    let full = settings.iter().filter(|setting| setting.table == "full").cloned();
    let without: Vec<_> = full.map(|setting| Setting { filter: false, ..setting }).collect();
    settings.extend(without);
    settings
}

/// The application's own word of where it runs, and the header lines that it saw.
async fn echo(edge: &Edge, headers: &[(&str, &str)]) -> Result<(String, Vec<String>)> {
    let request = Request::get("/echo").host(HOST);
    let answer = edge.send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value))).await?;
    let body: Value =
        serde_json::from_slice(&answer.body).with_context(|| format!("not an echo: {}", answer.status))?;
    let names = body.get("headers").and_then(Value::as_array).into_iter().flatten();
    let names = names.filter_map(|line| line.get(0)?.as_str()).map(str::to_owned).collect();
    Ok((body.get("cluster").and_then(Value::as_str).unwrap_or_default().to_owned(), names))
}

/// While all is well: where requests go, and what reaches the application and the client.
async fn is_well(edge: &Edge) -> Result<()> {
    let plans = edge.setting.table == "plans";
    for (headers, cluster) in [
        (vec![], "primary"),
        (vec![("region", CHICAGO)], "secondary"),
        // A client's plan is nobody's by its new name, and by its old one it is no plan.
        (vec![("x-plan", "prefer-us-chicago-1")], "primary"),
        (vec![("x-region-route", "prefer-us-chicago-1")], "primary"),
        (vec![("x-plan", "prefer-us-sanjose-1"), ("region", CHICAGO)], "secondary"),
    ] {
        let (served, seen) = echo(edge, &headers).await?;
        ensure!(served == cluster, "{headers:?}: {served} served and not {cluster}");
        ensure!(!seen.iter().any(|name| name == "x-plan"), "{headers:?}: the application saw the plan");
        let kept = headers.iter().any(|(name, _)| *name == "x-region-route");
        ensure!(seen.iter().any(|name| name == "x-region-route") == kept, "{headers:?}: the application saw {seen:?}");
    }
    let answer = edge.ask("/status/200", Some(CHICAGO)).await?;
    let said = |name: &str| answer.values(name).into_iter().map(String::from_utf8_lossy).collect::<Vec<_>>();
    ensure!(said("x-cell") == [tag_of(CHICAGO)], "plans: {plans}: the tag is {:?}", said("x-cell"));
    ensure!(said("x-why").is_empty(), "an application spoke for the gateway: {:?}", said("x-why"));
    ensure!(said("x-served-by-cluster") == ["an old friend"], "it is an application's header like any other");
    Ok(())
}

/// When a region is gone, the filter says so.
async fn explains(edge: &Edge) -> Result<()> {
    until("Chicago is ejected", async || {
        let answer = edge.ask("/status/200", Some(CHICAGO)).await?;
        ensure!(answer.header("x-cell").as_deref() == Some(tag_of(SANJOSE)), "served by {:?}", answer.header("x-cell"));
        ensure!(answer.header("x-region-decision").is_none(), "the old name is still in use");
        Ok(answer.header("x-why").is_some_and(|why| why.contains("reason=failover")))
    })
    .await?;
    let refused = edge.send(&Request::new("DELETE", "/").host(HOST).header("region", "atlantis")).await?;
    let why = refused.header("x-why").unwrap_or_default();
    ensure!(refused.status == 400 && why.contains("reason=unknown_region"), "{} {why}", refused.status);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_read_written_and_taken_out_by_the_names_that_the_policy_gives_them() -> Result<()> {
    let mesh = Mesh::builder().workloads(Workload::productpage()).tag(Tag::Nobody).start().await?;
    for (cluster, region) in [("primary", SANJOSE), ("secondary", CHICAGO)] {
        let tag = Fault::none().with_header("x-cell", tag_of(region)).with_header("x-why", "forged");
        mesh.cluster(cluster)?.pods().fault(&tag.with_header("x-served-by-cluster", "an old friend")).await?;
    }
    let policy = |setting: &Setting| format!("{POLICY}table: {}\n", setting.table);
    let world = World::over(Arc::new(mesh), settings(), policy).await?;
    world.each_edge(|edge| async move { is_well(&edge).await }).await?;
    world.mesh.cluster("secondary")?.kill();
    world.each_edge(|edge| async move { if edge.setting.filter { explains(&edge).await } else { Ok(()) } }).await
}
