//! What istiod makes of our manifests, seen from outside: where requests go, who pays for an outage, and that nothing leaves a fence.
//!
//! The manifests are rendered from `integration/istio/testdata/policy.yaml`, the control plane is Istio's own, the gateways are stock Envoys in the cluster
//! `west`, with the filter and without it. Skipped, and said so, where Istio's programs cannot be built for want of Go.

use std::time::Duration;

use anyhow::{Result, ensure};
use integration::bookinfo::Fault;
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::istio::Edge;
use integration::load::{Load, Plan, SERVED_BY};
use integration::timeline::{Sample, SampleOutcome};
use support::until;
use three_regions::{
    FENCED, FILTER, OPEN, PAGE, REGIONS, ROUTES, ask, edges, failures, fenced_kinds, is_fenced, loads, manifests, mesh,
    name, served_in, settled,
};

mod support;
#[path = "support/istio.rs"]
mod three_regions;

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
    let fenced = fenced_kinds()?;
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
