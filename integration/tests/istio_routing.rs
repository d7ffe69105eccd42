//! What istiod makes of our manifests, seen from outside: where requests go, who pays for an outage, and that nothing leaves a fence.
//!
//! The manifests are rendered from `integration/istio/testdata/policy.yaml`, the control plane is Istio's own, the gateways are stock Envoys in the cluster
//! `west`, with the filter and without it. Skipped, and said so, where Istio's programs cannot be built for want of Go.

use std::time::Duration;

use anyhow::{Result, ensure};
use integration::bookinfo::{Fault, Service};
use integration::client::{Request, Response};
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::istio::{Edge, Manifests, Mesh, Place, Programs};
use integration::load::{Kind, Load, Plan, SERVED_BY};
use integration::mesh::ClusterSpec;
use integration::paths;
use integration::timeline::{Sample, SampleOutcome};
use support::until;

mod support;

const OPEN: &str = "bookinfo.example.com";
const FENCED: &str = "eu.example.com";
const PAGE: Service = Service::Productpage;
const FILTER: &str = "filter.envoyfilter.istio-system.meridian.yaml";
const ROUTES: &str = "routes.virtualservice.bookinfo.productpage.yaml";
const REGIONS: [(&str, &str, &str); 3] =
    [("eu-west-1", "west", "WEST"), ("eu-central-1", "central", "CENTRAL"), ("us-east-1", "east", "EAST")];

/// What `meridian render istio` makes of a policy, behind a Gateway.
fn manifests() -> Result<Manifests> {
    let testdata = paths::workspace().join("integration/istio/testdata");
    let policy = std::fs::read_to_string(testdata.join("policy.yaml"))?;
    let gateway = std::fs::read_to_string(testdata.join("fence/10-gateway.yaml"))?;
    let rendered = Manifests::rendered(&policy, "west", "bookinfo/bookinfo", &paths::module()?)?;
    Ok(rendered.file("gateway.yaml", &gateway))
}

/// Three clusters, two pods in each; `None`, said aloud, where there is no Istio.
async fn mesh() -> Result<Option<Mesh>> {
    let Some(programs) = Programs::get().await? else {
        println!("SKIPPED: without Go there is no Istio to ask");
        return Ok(None);
    };
    println!("mode: live, Istio's control plane");
    let place = |(region, cluster, name): (&str, &str, &str)| {
        let fences: &[&str] = if region.starts_with("eu-") { &["eu"] } else { &[] };
        Place::new(ClusterSpec::new(cluster, region, name), fences)
    };
    Ok(Some(Mesh::start(programs, REGIONS.map(place).to_vec(), vec![PAGE], 2).await?))
}

/// The filter on the oldest and on the newest Envoy, and the oldest without it.
async fn edges(mesh: &Mesh) -> Result<Vec<Edge>> {
    let (with, without) = (manifests()?, manifests()?.without(FILTER));
    Ok(vec![
        mesh.edge("west", &with, EnvoyVersion::oldest()?, 2).await?,
        mesh.edge("west", &without, EnvoyVersion::oldest()?, 1).await?,
        mesh.edge("west", &with, EnvoyVersion::newest()?, 1).await?,
    ])
}

fn name(edge: &Edge) -> String {
    let filter = if edge.manifests.text(FILTER).is_ok() { "with the filter" } else { "without it" };
    format!("Envoy {} {filter}", edge.gateway.version().as_str())
}

async fn ask(edge: &Edge, host: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let request = Request::get("/status/200").host(host);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    edge.gateway.send(&request).await
}

/// One kind of request for each host, alone and with each header that could lead it elsewhere.
fn kinds() -> Result<Vec<Kind>> {
    let mut kinds = Vec::new();
    for (who, host) in [("open", OPEN), ("fenced", FENCED)] {
        let kind = |what: &str| Kind::new(&format!("{who}{what}")).host(host).path("/status/200");
        kinds.push(kind(""));
        for (region, ..) in REGIONS {
            kinds.push(kind(&format!(", asks {region}")).header("region", region)?);
        }
        kinds.push(kind(", forges").header("x-region-route", "prefer-us-east-1")?);
    }
    Ok(kinds)
}

fn loads(edges: &[Edge], rate: u32) -> Result<Vec<Load>> {
    let clock = Clock::start();
    edges.iter().map(|edge| Load::start(Plan::new(edge.gateway.address(), kinds()?).rate(rate), clock)).collect()
}

/// Until the latest requests at every edge are as they should be.
async fn settled(what: &str, loads: &[Load], good: impl Fn(&Sample) -> bool) -> Result<()> {
    until(what, async || {
        let is_good = |load: &Load| {
            let samples = load.so_far();
            samples.len() > 60 && samples.iter().rev().take(40).all(&good)
        };
        Ok(loads.iter().all(is_good))
    })
    .await
}

fn is_fenced(sample: &Sample) -> bool {
    sample.kind.starts_with("fenced")
}

fn served_in(sample: &Sample, name: &str) -> bool {
    sample.succeeded() && sample.served_by.as_deref() == Some(name)
}

fn failures(samples: &[Sample]) -> Vec<&Sample> {
    samples.iter().filter(|sample| !sample.succeeded()).collect()
}

async fn no_update_was_refused(edges: &[Edge]) -> Result<()> {
    for edge in edges {
        let refused = edge.gateway.refused_updates().await?;
        ensure!(refused == 0, "{}: {refused} updates refused:\n{}", name(edge), edge.gateway.envoy().log());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_header_leads_to_its_region_and_a_forged_plan_nowhere() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let edges = edges(&mesh).await?;
    for edge in &edges {
        let served = async |host, headers: &[(&str, &str)]| {
            let answer = ask(edge, host, headers).await?;
            anyhow::Ok((answer.status, answer.header(SERVED_BY).unwrap_or_default()))
        };
        let expect = async |host, headers: &[(&str, &str)], region: &str| {
            let got = served(host, headers).await?;
            ensure!(got == (200, region.to_owned()), "{}: {host} {headers:?}: {got:?}", name(edge));
            Ok(())
        };
        for (region, _, tag) in REGIONS {
            let inside = if tag == "EAST" { "WEST" } else { tag };
            for spelling in [region.to_owned(), region.to_uppercase()] {
                expect(OPEN, &[("region", &spelling)], tag).await?;
                expect(FENCED, &[("region", &spelling)], inside).await?;
            }
        }
        for host in [OPEN, FENCED] {
            expect(host, &[], "WEST").await?;
            expect(host, &[("region", "mars")], "WEST").await?;
            expect(host, &[("x-region-route", "prefer-us-east-1")], "WEST").await?;
            expect(host, &[("x-region-route", "prefer-us-east-1"), ("region", "eu-central-1")], "CENTRAL").await?;
        }
        let attempts = ask(edge, OPEN, &[]).await?.header("x-envoy-attempt-count");
        ensure!(attempts.as_deref() == Some("1"), "{}: attempts {attempts:?}", name(edge));
    }
    no_update_was_refused(&edges).await
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_go_and_come_back_cost_nobody_a_request() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let edges = edges(&mesh).await?;
    let loads = loads(&edges, 100)?;
    let asks_central = |sample: &Sample| sample.kind.ends_with("asks eu-central-1");
    for (endpoints, what) in [(0, "gone"), (2, "back")] {
        for edge in &edges {
            edge.plane.scale("central", PAGE, endpoints).await?;
        }
        let wanted = |sample: &Sample| !asks_central(sample) || served_in(sample, "CENTRAL") == (endpoints > 0);
        settled(&format!("the endpoints in central are {what}"), &loads, wanted).await?;
    }
    for (load, edge) in loads.into_iter().zip(&edges) {
        let samples = load.stop().await?.samples;
        let failed = failures(&samples);
        ensure!(failed.is_empty(), "{}: {failed:?}", name(edge));
        let elsewhere: Vec<_> =
            samples.iter().filter(|s| asks_central(s) && is_fenced(s) && served_in(s, "EAST")).collect();
        ensure!(elsewhere.is_empty(), "{}: {elsewhere:?}", name(edge));
    }
    no_update_was_refused(&edges).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_breaks_is_rescued_from_in_every_way_it_can_break() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let edges = edges(&mesh).await?;
    let loads = loads(&edges, 60)?;
    let pods = mesh.pods();
    for way in ["refused", "503", "frozen"] {
        settled("all is well", &loads, |sample| {
            is_fenced(sample) || !sample.kind.ends_with("eu-west-1") || served_in(sample, "WEST")
        })
        .await?;
        match way {
            "refused" => pods.kill("west", PAGE),
            "503" => pods.fault("west", PAGE, &Fault::status(503)).await?,
            _ => pods.freeze("west", PAGE),
        }
        loads.iter().for_each(|load| load.mark(way));
        settled(&format!("{way}: others serve"), &loads, |sample| sample.succeeded() && !served_in(sample, "WEST"))
            .await?;
        match way {
            "refused" => pods.revive("west", PAGE).await?,
            "503" => pods.fault("west", PAGE, &Fault::none()).await?,
            _ => pods.thaw("west", PAGE),
        }
        loads.iter().for_each(|load| load.mark("all is well"));
    }
    for (load, edge) in loads.into_iter().zip(&edges) {
        let samples = load.stop().await?.samples;
        let failed = failures(&samples);
        ensure!(failed.is_empty(), "{}: {} of {}: {failed:?}", name(edge), failed.len(), samples.len());
        let slowest = samples.iter().map(|sample| sample.latency).max().unwrap_or_default();
        ensure!(slowest < Duration::from_secs(3), "{}: {slowest:?}", name(edge));
        let left: Vec<_> = samples.iter().filter(|sample| is_fenced(sample) && served_in(sample, "EAST")).collect();
        ensure!(left.is_empty(), "{}: {left:?}", name(edge));
        println!("{}: {} requests, slowest {slowest:?}", name(edge), samples.len());
    }
    no_update_was_refused(&edges).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_a_fence_and_when_nothing_is_left_inside_it_fails_closed() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let edges = edges(&mesh).await?;
    let fenced: Vec<Kind> = kinds()?.into_iter().skip(5).collect();
    let clock = Clock::start();
    let load = |edge: &Edge| Load::start(Plan::new(edge.gateway.address(), fenced.clone()).rate(60), clock);
    let loads: Vec<Load> = edges.iter().map(load).collect::<Result<_>>()?;
    settled("all is well", &loads, Sample::succeeded).await?;
    mesh.pods().kill("west", PAGE);
    settled("the other region serves", &loads, |sample| served_in(sample, "CENTRAL")).await?;
    mesh.pods().kill("central", PAGE);
    settled("it fails closed", &loads, |sample| sample.outcome == SampleOutcome::Status(503)).await?;
    for edge in &edges {
        // The way out is open to those who may take it.
        let open = ask(edge, OPEN, &[("region", "us-east-1")]).await?;
        ensure!(open.status == 200, "{}: {open:?}", name(edge));
    }
    for load in loads {
        load.stop().await?;
    }
    let (inside, outside) = (mesh.pods().served("central", PAGE), mesh.pods().served("east", PAGE));
    // The counts at the applications: only the requests of the loop above.
    ensure!(outside == edges.len() as u64 && inside > 0, "{outside} requests left the fence");
    no_update_was_refused(&edges).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_be_loaded_leaves_the_native_table() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let given = manifests()?;
    let broken = [
        ("its module is missing", given.text(FILTER)?.replace("meridian.wasm", "no-such.wasm")),
        ("its configuration is wrong", given.text(FILTER)?.replace("\"meridian/v1\"", "\"meridian/v0\"")),
    ];
    for (what, filter) in broken {
        let edge = mesh.edge("west", &given.clone().file(FILTER, &filter), EnvoyVersion::oldest()?, 1).await?;
        let refused = edge.gateway.refused_updates().await?;
        ensure!(refused > 0, "{what}, and Envoy took it");
        for (host, tag) in [(OPEN, "EAST"), (FENCED, "WEST")] {
            let answer = ask(&edge, host, &[("region", "us-east-1")]).await?;
            let served = (answer.status, answer.header(SERVED_BY));
            ensure!(served == (200, Some(tag.to_owned())), "{what}: {host}: {served:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_changes_under_load_costs_nobody_a_request() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let edges = vec![
        mesh.edge("west", &manifests()?, EnvoyVersion::oldest()?, 2).await?,
        mesh.edge("west", &manifests()?, EnvoyVersion::newest()?, 1).await?,
    ];
    let loads = loads(&edges, 100)?;
    settled("all is well", &loads, Sample::succeeded).await?;
    for round in 0..6 {
        for edge in &edges {
            let filter = edge.manifests.text(FILTER)?;
            let routes = edge.manifests.text(ROUTES)?;
            let slower = routes.replace("timeout: 3s", "timeout: 4s");
            let patient =
                filter.replace("\"baseEjectionTime\": \"2s\"", &format!("\"baseEjectionTime\": \"{}s\"", 3 + round));
            ensure!(slower != routes && patient != filter, "nothing would change");
            match round % 3 {
                0 => edge.plane.apply(&patient).await?,
                1 => edge.plane.apply(&slower).await?,
                _ => edge.plane.apply(&format!("{routes}---\n{filter}")).await?,
            }
        }
        let ended: Vec<usize> = loads.iter().map(Load::ended).collect();
        until("the load goes on", async || {
            Ok(loads.iter().zip(&ended).all(|(load, ended)| load.ended() >= ended + 40))
        })
        .await?;
    }
    for edge in &edges {
        edge.plane.delete(&edge.manifests.text(FILTER)?).await?;
        // Listeners that are replaced drain for minutes, with the filter in them; what counts is the one that takes connections.
        until("the filter is gone", async || {
            let dump = edge.gateway.envoy().admin("GET", "/config_dump?resource=dynamic_listeners").await?.text();
            let dump: serde_json::Value = serde_json::from_str(&dump)?;
            let listeners = dump["configs"].as_array().into_iter().flatten();
            let mut active = listeners.map(|listener| listener["active_state"].to_string());
            Ok(active.all(|listener| !listener.contains("istio-system/meridian")))
        })
        .await?;
    }
    for (load, edge) in loads.into_iter().zip(&edges) {
        let samples = load.stop().await?.samples;
        let failed = failures(&samples);
        ensure!(failed.is_empty(), "{}: {failed:?}", name(edge));
    }
    no_update_was_refused(&edges).await
}
