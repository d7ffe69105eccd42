//! Every answer says who gave it, whoever tags: the serving side by its filter, by its own routes, or nobody but the gateway.
//!
//! That it is right is held against the application's own word of which cluster it runs in, which no header can change.

mod support;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use integration::bookinfo::Fault;
use integration::client::{Request, Response};
use integration::envoy::EnvoyVersion;
use integration::mesh::{Mesh, Tag, Workload};
use serde_json::Value;
use support::{CHICAGO, Edge, SANJOSE, Setting, World, side_by_side, tag_of, until};

const TAG: &str = "x-served-by-cluster";

const POLICY: &str = "
apiVersion: meridian/v1
explain: {public: true}
role: gateway
regions:
- {name: us-sanjose-1, clusters: [primary], displayName: PRIMARY (San Jose)}
- {name: us-chicago-1, clusters: [secondary], displayName: SECONDARY (Chicago)}
services:
- name: productpage
  hosts: [bookinfo.example.com]
  destination: {host: productpage.bookinfo.svc.cluster.local, port: 9080}
rules:
- {name: strict, match: {pathPrefix: /status/418}, onUnknownRegion: reject, whenExhausted: fail}
- {name: everyone, rescue: {attempts: 3, perTryTimeout: 2s, methods: [GET, HEAD]}}
outlierDetection: {consecutiveGatewayErrors: 3, interval: 500ms, baseEjectionTime: 60s}
";

/// A mesh and an ingress with the filter of one version of Envoy, tagged in one way.
async fn start(version: EnvoyVersion, tag: Tag, filter: bool) -> Result<World> {
    let mesh = Mesh::builder().workloads(Workload::productpage()).envoy(version.clone()).tag(tag).start().await?;
    let setting = Setting { version, workers: 1, table: "full", filter };
    World::over(Arc::new(mesh), vec![setting], |_| POLICY.to_owned()).await
}

/// The same with a gateway that keeps the tag to itself.
async fn start_private(version: EnvoyVersion, tag: Tag, filter: bool) -> Result<World> {
    let mesh = Mesh::builder().workloads(Workload::productpage()).envoy(version.clone()).tag(tag).start().await?;
    let setting = Setting { version, workers: 1, table: "full", filter };
    World::over(Arc::new(mesh), vec![setting], |_| format!("{POLICY}tag: {{public: false}}\n")).await
}

/// The cluster that served by the application's own word, of an answer without a tag.
async fn served_untagged(edge: &Edge, region: Option<&str>) -> Result<String> {
    let answer = edge.ask("/echo", region).await?;
    ensure!(tags(&answer).is_empty(), "{region:?}: a client sees {:?}", tags(&answer));
    let echo: Value = serde_json::from_slice(&answer.body)?;
    Ok(echo.get("cluster").and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn tags(answer: &Response) -> Vec<String> {
    answer.values(TAG).into_iter().map(|tag| String::from_utf8_lossy(tag).into_owned()).collect()
}

/// Fails unless `region` served and the one tag says so.
async fn is_tagged(edge: &Edge, asked: Option<&str>, region: &str) -> Result<()> {
    let answer = edge.ask("/echo", asked).await?;
    let echo: Value =
        serde_json::from_slice(&answer.body).with_context(|| format!("not an echo: {}", answer.status))?;
    let cluster = if region == SANJOSE { "primary" } else { "secondary" };
    let served = echo.get("cluster").and_then(Value::as_str);
    ensure!(served == Some(cluster), "{served:?} served and not {cluster}");
    ensure!(tags(&answer) == [tag_of(region)], "{cluster} served and the tag is {:?}", tags(&answer));
    Ok(())
}

/// Fails unless every pod's own sidecar has tagged its answer before any gateway sees it.
async fn is_tagged_where_it_is_served(world: &World) -> Result<()> {
    for cluster in world.mesh.clusters() {
        let answer = Request::get("/echo").send(cluster.pod("productpage-v1")?.inbound()).await?;
        let spec = cluster.spec();
        ensure!(tags(&answer) == [spec.display_name.as_str()], "{} tags {:?}", spec.name, tags(&answer));
    }
    Ok(())
}

/// Fails unless the answer is the gateway's own and claims nobody.
fn is_nobodys(status: u16, answer: &Response) -> Result<()> {
    ensure!(answer.status == status, "the status is {}", answer.status);
    ensure!(tags(answer).is_empty(), "nobody served, and the tag is {:?}", tags(answer));
    Ok(())
}

/// A mesh's life: well, with one region lost, with both lost.
async fn is_always_right(world: World) -> Result<()> {
    let edge = world.edges.first().context("there is no ingress")?;
    is_tagged(edge, None, SANJOSE).await?;
    is_tagged(edge, Some(SANJOSE), SANJOSE).await?;
    is_tagged(edge, Some(CHICAGO), CHICAGO).await?;
    is_tagged(edge, Some("atlantis"), SANJOSE).await?;
    for status in ["/status/404", "/status/500"] {
        let answer = edge.ask(status, Some(CHICAGO)).await?;
        ensure!(tags(&answer) == [tag_of(CHICAGO)], "{status} is tagged {:?}", tags(&answer));
    }
    is_nobodys(404, &edge.send(&Request::get("/echo").host("unknown.example.com")).await?)?;
    is_nobodys(400, &edge.ask("/status/418", Some("atlantis")).await?)?;

    let mesh = &world.mesh;
    mesh.cluster("secondary")?.kill();
    until("Chicago is ejected", async || {
        // Rescued at first, then failed over: San Jose serves, and San Jose it says.
        is_tagged(edge, Some(CHICAGO), SANJOSE).await?;
        let decision = edge.ask("/echo", Some(CHICAGO)).await?.header("x-region-decision");
        Ok(decision.is_some_and(|decision| decision.contains("reason=failover")))
    })
    .await?;

    mesh.cluster("primary")?.pods().kill();
    until("no region is left", async || {
        let answer = edge.ask("/status/418", None).await?;
        is_nobodys(503, &answer)?;
        Ok(answer.header("x-region-decision").is_some_and(|decision| decision.contains("reason=exhausted")))
    })
    .await
}

/// The same for every pinned Envoy at once.
async fn on_every_envoy<F: Future<Output = Result<()>>>(act: impl Fn(EnvoyVersion) -> F) {
    let versions = EnvoyVersion::pinned();
    let results = side_by_side(versions.iter().cloned().map(act)).await;
    let failed = versions.iter().zip(results).filter_map(|(version, result)| Some((version.as_str(), result.err()?)));
    let failed: Vec<String> = failed.map(|(version, error)| format!("Envoy {version}: {error:#}")).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tag_is_right_where_the_filter_of_the_serving_side_writes_it() {
    on_every_envoy(|version| async move {
        let world = start(version, Tag::Filter, true).await?;
        is_tagged_where_it_is_served(&world).await?;
        is_always_right(world).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tag_is_right_where_the_routes_of_the_serving_side_write_it() {
    on_every_envoy(|version| async move {
        let world = start(version, Tag::Native, true).await?;
        is_tagged_where_it_is_served(&world).await?;
        is_always_right(world).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tag_is_right_where_only_the_gateway_writes_it() {
    on_every_envoy(|version| async move { is_always_right(start(version, Tag::Nobody, true).await?).await }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_not_public_reaches_the_gateway_and_no_client() {
    on_every_envoy(|version| async move {
        for (tag, filter) in [(Tag::Filter, true), (Tag::Native, true), (Tag::Nobody, true), (Tag::Native, false)] {
            let world = start_private(version.clone(), tag, filter).await?;
            let edge = world.edges.first().context("there is no ingress")?;
            for (region, cluster) in [(None, "primary"), (Some(SANJOSE), "primary"), (Some(CHICAGO), "secondary")] {
                let served = served_untagged(edge, region).await?;
                ensure!(served == cluster, "{tag:?}, filter: {filter}: {served} served {region:?}");
            }
            for path in ["/status/404", "/status/500"] {
                let answer = edge.ask(path, Some(CHICAGO)).await?;
                ensure!(tags(&answer).is_empty(), "{path}: a client sees {:?}", tags(&answer));
            }
            world.mesh.cluster("secondary")?.kill();
            until("San Jose serves instead", async || {
                let served = served_untagged(edge, Some(CHICAGO)).await?;
                let decision = edge.ask("/echo", Some(CHICAGO)).await?.header("x-region-decision");
                Ok(served == "primary" && (!filter || decision.is_some_and(|why| why.contains("reason=failover"))))
            })
            .await
            .with_context(|| format!("{tag:?}, filter: {filter}"))?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_tags_where_neither_side_was_told_to() {
    on_every_envoy(|version| async move {
        let world = start(version, Tag::Nobody, false).await?;
        let edge = world.edges.first().context("there is no ingress")?;
        let answer = edge.ask("/echo", None).await?;
        ensure!(answer.status == 200 && tags(&answer).is_empty(), "{} {:?}", answer.status, tags(&answer));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_serving_side_writes_over_what_its_application_claims() {
    on_every_envoy(|version| async move {
        for tag in [Tag::Filter, Tag::Native] {
            let world = start(version.clone(), tag, false).await?;
            let claim = Fault::none().with_header(TAG, tag_of(CHICAGO)).with_header(TAG, "EVERYWHERE");
            world.mesh.cluster("primary")?.pods().fault(&claim).await?;
            let edge = world.edges.first().context("there is no ingress")?;
            is_tagged(edge, None, SANJOSE).await.with_context(|| format!("{tag:?}"))?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_contradicts_the_control_plane_is_counted() {
    on_every_envoy(|version| async move {
        contradiction_is_counted(start(version.clone(), Tag::Nobody, true).await?).await?;
        contradiction_is_counted(start_private(version, Tag::Nobody, true).await?).await.context("not public")
    })
    .await;
}

async fn contradiction_is_counted(world: World) -> Result<()> {
    let edge = world.edges.first().context("there is no ingress")?;
    let mismatches = async || edge.ingress.envoy().metric("meridian_mismatch_total", &[]).await;
    edge.ask("/echo", None).await?;
    ensure!(mismatches().await? == 0, "there was nothing to contradict");
    let claim = Fault::none().with_header(TAG, tag_of(CHICAGO));
    world.mesh.cluster("primary")?.pods().fault(&claim).await?;
    edge.ask("/echo", Some(SANJOSE)).await?;
    ensure!(mismatches().await? == 1, "it was counted {} times", mismatches().await?);
    Ok(())
}
