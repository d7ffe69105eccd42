//! Sidecars under Istio's own control plane: the serving one says which cluster answered, the calling one decides for the names of the
//! registry. Without traffic capture: a sidecar listens where applications are told to call (`INTERCEPTION_MODE: NONE`).
//!
//! Skipped, and said so, where Istio's programs cannot be built for want of Go.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use integration::bookinfo::{Fault, Service};
use integration::client::{Request, Response};
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::istio::{Manifests, Mesh, Place, Programs, Proxy, Role, Site, Wanted};
use integration::load::{Kind, Load, Plan, SERVED_BY};
use integration::mesh::ClusterSpec;
use integration::paths;
use integration::timeline::{Sample, SampleOutcome};
use meridian::istio::{Options, Tag};
use support::until;

mod support;

const PAGE: Service = Service::Productpage;
/// As applications call it: the short name and the whole one.
const NAMES: [&str; 2] = ["productpage:9080", "productpage.bookinfo.svc.cluster.local:9080"];
/// What says that a request is to stay in the fence.
const TENANT: (&str, &str) = ("x-tenant", "acme");
/// Another name for the tag.
const CELL: &str = "shop-cell";
const OUTBOUND: &str = "filter.envoyfilter.bookinfo.meridian.yaml";
const TAGGED: &str = "tag.envoyfilter.bookinfo.meridian-tag.yaml";
const REGIONS: [(&str, &str, &str); 3] =
    [("eu-west-1", "west", "WEST"), ("eu-central-1", "central", "CENTRAL"), ("us-east-1", "east", "EAST")];
const POLICY: &str = "
apiVersion: meridian/v1
explain: {public: true}
role: gateway
regions:
- {name: eu-west-1, clusters: [west], displayName: WEST}
- {name: eu-central-1, clusters: [central], displayName: CENTRAL}
- {name: us-east-1, clusters: [east], displayName: EAST}
fences: {eu: [eu-west-1, eu-central-1]}
services:
- name: productpage
  hosts: [pages.example.com]
  destination: {host: productpage.bookinfo.svc.cluster.local, port: 9080}
rules:
- name: residents
  match: {headers: [{name: x-tenant, exact: acme, trusted: true}]}
  fence: eu
  timeout: 3s
  rescue: {attempts: 3, perTryTimeout: 400ms, methods: [GET, HEAD]}
- {name: everyone, timeout: 3s, rescue: {attempts: 3, perTryTimeout: 400ms, methods: [GET, HEAD]}}
outlierDetection: {consecutiveGatewayErrors: 5, interval: 500ms, baseEjectionTime: 120s, maxEjectionTime: 300s}
";

async fn programs() -> Result<Option<Programs>> {
    let programs = Programs::get().await?;
    match programs {
        Some(_) => println!("mode: live, Istio's control plane"),
        None => println!("SKIPPED: without Go there is no Istio to ask"),
    }
    Ok(programs)
}

/// What `meridian render istio` writes for `west`, whose sidecars decide for their applications.
fn rendered(tag: Tag, module: &Path) -> Result<Manifests> {
    rendered_from(POLICY, tag, module)
}

fn rendered_from(policy: &str, tag: Tag, module: &Path) -> Result<Manifests> {
    let options = Options { one_network: true, outbound: vec!["bookinfo".to_owned()], tag, ..Options::default() };
    Manifests::rendered_with(policy, "west", module, options)
}

fn place((region, cluster, name): (&str, &str, &str)) -> Place {
    let fences: &[&str] = if region.starts_with("eu-") { &["eu"] } else { &[] };
    Place::new(ClusterSpec::new(cluster, region, name), fences)
}

async fn site(mesh: &Mesh, manifests: Manifests, role: Role, version: &EnvoyVersion) -> Result<Site> {
    let wanted = Wanted { cluster: "west".to_owned(), manifests, roles: vec![role] };
    mesh.sites(vec![wanted], version, 2).await?.pop().context("there is no site")
}

async fn ask(proxy: &Proxy, host: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let request = Request::get("/status/200").host(host);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    proxy.send(&request).await
}

async fn no_update_was_refused(proxy: &Proxy) -> Result<()> {
    let refused = proxy.refused_updates().await?;
    ensure!(refused == 0, "{refused} updates refused:\n{}", proxy.envoy().log());
    Ok(())
}

fn served_in(sample: &Sample, name: &str) -> bool {
    sample.succeeded() && sample.served_by.as_deref() == Some(name)
}

fn is_fenced(sample: &Sample) -> bool {
    sample.kind.starts_with("fenced")
}

/// Until the latest requests are as they should be.
async fn settled(what: &str, load: &Load, good: impl Fn(&Sample) -> bool) -> Result<()> {
    let before = load.ended();
    until(what, async || {
        let samples = load.so_far();
        Ok(samples.len() > before + 80 && samples.iter().rev().take(40).all(&good))
    })
    .await
}

/// Each name alone, asking for a region, and as a tenant of the fence who asks for every region.
fn kinds() -> Result<Vec<Kind>> {
    let mut kinds = Vec::new();
    for name in NAMES {
        let kind = |what: &str| Kind::new(&format!("{what} {name}")).host(name).path("/status/200");
        kinds.push(kind("open"));
        kinds.push(kind("fenced").header(TENANT.0, TENANT.1)?);
        for (region, ..) in REGIONS {
            kinds.push(kind(&format!("fenced, asks {region},")).header(TENANT.0, TENANT.1)?.header("region", region)?);
        }
    }
    Ok(kinds)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_carries_the_tag_of_its_cluster_whatever_the_application_says() -> Result<()> {
    let Some(programs) = programs().await? else { return Ok(()) };
    let mesh = Mesh::start(programs, vec![place(REGIONS[0]).behind_sidecars()], vec![PAGE], 1).await?;
    mesh.pods()
        .fault("west", PAGE, &Fault::none().with_header(SERVED_BY, "FORGED").with_header(CELL, "FORGED"))
        .await?;
    let module = paths::module()?;
    let (native, filter) = (rendered(Tag::Native, &module)?, rendered(Tag::Filter, &module)?);
    let renamed = format!("{POLICY}headers: {{servedBy: {CELL}}}\n");
    let renamed_native = rendered_from(&renamed, Tag::Native, &module)?;
    let renamed_filter = rendered_from(&renamed, Tag::Filter, &module)?;
    for version in [EnvoyVersion::oldest()?, EnvoyVersion::newest()?] {
        for (how, header, manifests) in [
            ("natively", SERVED_BY, &native),
            ("by the filter", SERVED_BY, &filter),
            ("natively", CELL, &renamed_native),
            ("by the filter", CELL, &renamed_filter),
        ] {
            let site = site(&mesh, manifests.clone(), Role::Server, &version).await?;
            let server = site.proxy(Role::Server)?;
            for (path, status) in [("/status/200", 200), ("/status/404", 404), ("/status/500", 500)] {
                until(&format!("{how}, {path} is tagged"), async || {
                    let answer = server.send(&Request::get(path).host(NAMES[0])).await?;
                    Ok(answer.status == status && answer.header(header).as_deref() == Some("WEST"))
                })
                .await?;
            }
            no_update_was_refused(server).await?;
            // Taken away live, the application speaks for itself again: it was the tag that was seen.
            site.plane.delete(&site.manifests.text(TAGGED)?).await?;
            until(&format!("{how}, the tag is gone"), async || {
                Ok(ask(server, NAMES[0], &[]).await?.header(header).as_deref() == Some("FORGED"))
            })
            .await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_by_a_name_of_the_registry_goes_where_it_asks_and_never_out_of_its_fence() -> Result<()> {
    let Some(programs) = programs().await? else { return Ok(()) };
    let mesh = Mesh::start(programs, REGIONS.map(place).to_vec(), vec![PAGE], 1).await?;
    let with = rendered(Tag::Off, &paths::module()?)?;
    for version in [EnvoyVersion::oldest()?, EnvoyVersion::newest()?] {
        for (how, manifests) in [("with the filter", with.clone()), ("without it", with.clone().without(OUTBOUND))] {
            let how = format!("Envoy {} {how}", version.as_str());
            let site = site(&mesh, manifests, Role::Caller, &version).await?;
            let caller = site.proxy(Role::Caller)?;
            let outside = mesh.pods().served("east", PAGE);
            for name in NAMES {
                let expect = async |headers: &[(&str, &str)], region: &str| {
                    let answer = ask(caller, name, headers).await?;
                    let got = (answer.status, answer.header(SERVED_BY).unwrap_or_default());
                    ensure!(got == (200, region.to_owned()), "{how}: {name} {headers:?}: {got:?}");
                    Ok(())
                };
                expect(&[], "WEST").await?;
                expect(&[TENANT], "WEST").await?;
                // A plan is the mesh's own word, and an application is not the mesh.
                expect(&[("x-region-route", "prefer-us-east-1")], "WEST").await?;
                for (region, _, tag) in REGIONS {
                    let inside = if tag == "EAST" { "WEST" } else { tag };
                    expect(&[("region", region)], tag).await?;
                    expect(&[("region", region), TENANT], inside).await?;
                }
            }
            // What asked for it by both names, without a fence.
            let left = mesh.pods().served("east", PAGE) - outside;
            ensure!(left == NAMES.len() as u64, "{how}: {left} requests in the east");
            no_update_was_refused(caller).await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_rescued_inside_the_fence_and_fails_closed_when_nothing_is_left_there() -> Result<()> {
    let Some(programs) = programs().await? else { return Ok(()) };
    let mesh = Mesh::start(programs, REGIONS.map(place).to_vec(), vec![PAGE], 1).await?;
    let with = rendered(Tag::Off, &paths::module()?)?;
    for (how, manifests) in [("with the filter", with.clone()), ("without it", with.without(OUTBOUND))] {
        let site = site(&mesh, manifests, Role::Caller, &EnvoyVersion::oldest()?).await?;
        let caller = site.proxy(Role::Caller)?;
        let load = Load::start(Plan::new(caller.address(), kinds()?).rate(80), Clock::start())?;
        settled(&format!("{how}: all is well"), &load, Sample::succeeded).await?;
        mesh.pods().kill("west", PAGE);
        settled(&format!("{how}: others serve"), &load, |sample| sample.succeeded() && !served_in(sample, "WEST"))
            .await?;
        let samples = load.stop().await?.samples;
        let failed: Vec<_> = samples.iter().filter(|sample| !sample.succeeded()).collect();
        ensure!(failed.is_empty(), "{how}: {} of {} failed: {failed:?}", failed.len(), samples.len());

        let fenced: Vec<Kind> =
            kinds()?.into_iter().enumerate().filter(|(at, _)| at % 5 > 0).map(|(_, kind)| kind).collect();
        let outside = mesh.pods().served("east", PAGE);
        let last = Load::start(Plan::new(caller.address(), fenced).rate(80), Clock::start())?;
        settled(&format!("{how}: central serves"), &last, |sample| served_in(sample, "CENTRAL")).await?;
        mesh.pods().kill("central", PAGE);
        let closed = |sample: &Sample| sample.outcome == SampleOutcome::Status(503);
        settled(&format!("{how}: it fails closed"), &last, closed).await?;
        let closed = last.stop().await?.samples;
        // The way out is there, for who may take it.
        let open = ask(caller, NAMES[0], &[("region", "us-east-1")]).await?;
        ensure!((open.status, open.header(SERVED_BY).as_deref()) == (200, Some("EAST")), "{how}: {open:?}");
        let left = mesh.pods().served("east", PAGE) - outside - 1;
        ensure!(left == 0 && closed.iter().all(is_fenced), "{how}: {left} requests left the fence");
        println!("{how}: {} rescued or well, {} in the fence, {left} outside", samples.len(), closed.len());
        no_update_was_refused(caller).await?;
        mesh.pods().revive("west", PAGE).await?;
        mesh.pods().revive("central", PAGE).await?;
    }
    Ok(())
}

/// Another module that does the same: with a section that says nothing, its bytes and so its file name differ, as a release's do.
fn released(folder: &Path, version: u8) -> Result<PathBuf> {
    let mut bytes = std::fs::read(paths::module()?)?;
    // A custom section: its kind, its length, a name of one letter, and one byte.
    bytes.extend([0, 3, 1, b'v', version]);
    let path = folder.join(format!("meridian-{version}.wasm"));
    std::fs::write(&path, bytes)?;
    Ok(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_module_under_load_costs_nobody_a_request_and_knows_what_the_last_one_learned() -> Result<()> {
    let Some(programs) = programs().await? else { return Ok(()) };
    let mesh = Mesh::start(programs, REGIONS.map(place).to_vec(), vec![PAGE], 1).await?;
    let folder = tempfile::tempdir()?;
    // One is enough: with more, Envoy's own detection takes the only pod out before the filter has seen them.
    let policy = POLICY.replace("consecutiveGatewayErrors: 5", "consecutiveGatewayErrors: 1");
    let module = |version| rendered_from(&policy, Tag::Off, &released(folder.path(), version)?);
    for version in [EnvoyVersion::oldest()?, EnvoyVersion::newest()?] {
        let site = site(&mesh, module(1)?, Role::Caller, &version).await?;
        let caller = site.proxy(Role::Caller)?;
        let (envoy, west) = (caller.envoy(), [("service", "productpage"), ("region", "eu-west-1")]);
        let asks = Kind::new("asks").host(NAMES[1]).path("/status/200").header("region", "eu-west-1")?;
        let load = Load::start(Plan::new(caller.address(), vec![asks]).rate(80), Clock::start())?;
        settled("all is well", &load, |sample| served_in(sample, "WEST")).await?;
        mesh.pods().fault("west", PAGE, &Fault::status(503)).await?;
        until("the region is ejected", async || Ok(envoy.metric("meridian_region_state", &west).await? == 1)).await?;
        settled("others serve", &load, |sample| sample.succeeded() && !served_in(sample, "WEST")).await?;
        let (ejections, reached) =
            (envoy.metric("meridian_ejections_total", &[]).await?, mesh.pods().served("west", PAGE));

        // The manifests come before the file: what is there goes on.
        let early = module(2)?.text(OUTBOUND)?.replace("meridian-2.wasm", "meridian-3.wasm");
        let refused = caller.refused_updates().await? + caller.sum(".config_fail").await?;
        site.plane.apply(&early).await?;
        until("a module that is not there is refused", async || {
            Ok(caller.refused_updates().await? + caller.sum(".config_fail").await? > refused)
        })
        .await?;
        settled("the last one goes on", &load, |sample| sample.succeeded() && !served_in(sample, "WEST")).await?;

        site.plane.apply(&module(2)?.text(OUTBOUND)?).await?;
        until("the new one is there", async || {
            let dump = envoy.admin("GET", "/config_dump?resource=ecds_filters").await?.text();
            Ok(dump.contains("meridian-2.wasm") && !dump.contains("meridian-1.wasm"))
        })
        .await?;
        // Told by the answers: while one module gives way to the other, their metrics are for a moment in no list.
        let before = load.ended();
        until("the load goes on", async || Ok(load.ended() >= before + 60)).await?;
        let is_moved =
            |sample: &&Sample| sample.decision.as_deref().is_some_and(|told| told.contains("reason=failover"));
        let moved = load.so_far().iter().skip(before).filter(is_moved).count();
        let (again, since) = (
            envoy.metric("meridian_ejections_total", &[]).await?.saturating_sub(ejections),
            mesh.pods().served("west", PAGE) - reached,
        );
        let samples = load.stop().await?.samples;
        let failed: Vec<_> = samples.iter().filter(|sample| !sample.succeeded()).collect();
        ensure!(failed.is_empty(), "{} of {} failed: {failed:?}", failed.len(), samples.len());
        println!(
            "Envoy {}: {} requests, 0 failed; {moved} moved by the new module, {again} ejections, {since} reached west",
            version.as_str(),
            samples.len()
        );
        ensure!(moved >= 40, "the new module moved {moved} of more than 40 requests that it saw");
        ensure!(
            again == 0 && since == 0,
            "{again} regions were ejected again, {since} requests reached the one that was"
        );
        mesh.pods().fault("west", PAGE, &Fault::none()).await?;
    }
    Ok(())
}
