//! Two clusters in two networks under Istio's own control planes, one for each: what goes from one to the other goes through the other's
//! east-west gateway, in mutual TLS, and is known there by the name of its plan alone.
//!
//! Skipped, and said so, where Istio's programs cannot be built for want of Go.

use anyhow::{Context, Result, ensure};
use integration::bookinfo::Service;
use integration::client::{Request, Response};
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::istio::{Manifests, Mesh, Place, Programs, Proxy, Role, Site, Wanted};
use integration::load::{Kind, Load, Plan, SERVED_BY};
use integration::mesh::ClusterSpec;
use integration::paths;
use integration::timeline::{Sample, SampleOutcome};
use meridian::istio::Options;
use support::until;

mod support;

const PAGE: Service = Service::Productpage;
/// Goes to any region.
const OPEN: &str = "bookinfo.example.com";
/// Stays in the region of the other network.
const FENCED: &str = "eu.example.com";
const FILTER: &str = "filter.envoyfilter.istio-system.meridian.yaml";
const SUBSETS: &str = "subsets.destinationrule.bookinfo.productpage.yaml";
const POLICY: &str = "
apiVersion: meridian/v1
explain: {public: true}
role: gateway
regions:
- {name: us-east-1, clusters: [east], displayName: EAST}
- {name: eu-west-1, clusters: [west], displayName: WEST}
fences: {eu: [eu-west-1]}
services:
- name: productpage
  hosts: [bookinfo.example.com, eu.example.com]
  destination: {host: productpage.bookinfo.svc.cluster.local, port: 9080}
rules:
- {name: residents, match: {hosts: [eu.example.com]}, fence: eu, timeout: 3s}
- {name: everyone, timeout: 3s, rescue: {attempts: 3, perTryTimeout: 600ms, methods: [GET, HEAD]}}
outlierDetection: {consecutiveGatewayErrors: 5, interval: 500ms, baseEjectionTime: 1s, maxEjectionTime: 2s}
warmup: {duration: 0s}
";

/// A mesh of two networks, and in which of them clients come in.
struct World {
    mesh: Mesh,
    east: Site,
    west: Site,
}

impl World {
    /// `None`, said aloud, where there is no Istio. `change` may take away from what is rendered for a cluster.
    async fn start(change: impl Fn(&str, Manifests) -> Manifests) -> Result<Option<Self>> {
        let Some(programs) = Programs::get().await? else {
            println!("SKIPPED: without Go there is no Istio to ask");
            return Ok(None);
        };
        println!("mode: live, Istio's control planes");
        let places = vec![
            Place::new(ClusterSpec::new("east", "us-east-1", "EAST"), &[]).network("network1").behind_sidecars(),
            Place::new(ClusterSpec::new("west", "eu-west-1", "WEST"), &["eu"]).network("network2").behind_sidecars(),
        ];
        let mesh = Mesh::start(programs, places, vec![PAGE], 1).await?;
        let gateway =
            std::fs::read_to_string(paths::workspace().join("integration/istio/testdata/fence/10-gateway.yaml"))?;
        let wanted = |cluster: &str, roles: Vec<Role>| {
            let options = Options { gateways: vec!["bookinfo/bookinfo".to_owned()], ..Options::default() };
            let rendered = Manifests::rendered_with(POLICY, cluster, &paths::module()?, options)?;
            let manifests = change(cluster, rendered.file("gateway.yaml", &gateway));
            anyhow::Ok(Wanted { cluster: cluster.to_owned(), manifests, roles })
        };
        let wanted = vec![
            wanted("east", vec![Role::Server, Role::Ingress])?,
            // An ingress that nobody asks: the address in its Gateway has to be somebody's.
            wanted("west", vec![Role::Server, Role::EastWest, Role::Ingress])?,
        ];
        let mut sites = mesh.sites(wanted, &EnvoyVersion::oldest()?, 1).await?.into_iter();
        let (east, west) = (sites.next().context("no east")?, sites.next().context("no west")?);
        let world = Self { mesh, east, west };
        world.is_whole().await?;
        Ok(Some(world))
    }

    fn ingress(&self) -> Result<&Proxy> {
        self.east.proxy(Role::Ingress)
    }

    fn gate(&self) -> Result<&Proxy> {
        self.west.proxy(Role::EastWest)
    }

    async fn ask(&self, host: &str, headers: &[(&str, &str)]) -> Result<Response> {
        let request = Request::get("/status/200").host(host);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        self.ingress()?.send(&request).await
    }

    /// Until the ingress knows both regions' endpoints: in another network a control plane learns of them in its own time.
    async fn is_whole(&self) -> Result<()> {
        until("the ingress knows the east-west gateway", async || {
            let clusters = self.ingress()?.envoy().admin("GET", "/clusters").await?.text();
            let gate = self.gate()?.address().to_string();
            let plans = ["only-eu-west-1", "prefer-eu-west-1", "prefer-us-east-1"];
            Ok(plans.iter().all(|plan| {
                let mut lines = clusters.lines().filter(|line| line.contains(&format!("|{plan}|")));
                lines.any(|line| line.contains(&gate))
            }))
        })
        .await
    }

    async fn no_update_was_refused(&self) -> Result<()> {
        for proxy in self.east.proxies().iter().chain(self.west.proxies()) {
            let refused = proxy.refused_updates().await?;
            ensure!(refused == 0, "{:?}: {refused} updates refused:\n{}", proxy.role(), proxy.envoy().log());
        }
        Ok(())
    }
}

fn as_it_is(_: &str, manifests: Manifests) -> Manifests {
    manifests
}

fn served_in(sample: &Sample, name: &str) -> bool {
    sample.succeeded() && sample.served_by.as_deref() == Some(name)
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

#[tokio::test(flavor = "multi_thread")]
async fn a_region_header_crosses_by_the_east_west_gateway_in_mutual_tls() -> Result<()> {
    let Some(world) = World::start(as_it_is).await? else { return Ok(()) };
    for (host, headers, region) in [
        (OPEN, None, "EAST"),
        (OPEN, Some("us-east-1"), "EAST"),
        (OPEN, Some("eu-west-1"), "WEST"),
        (FENCED, None, "WEST"),
        (FENCED, Some("us-east-1"), "WEST"),
    ] {
        let headers: Vec<_> = headers.iter().map(|region| ("region", *region)).collect();
        let answer = world.ask(host, &headers).await?;
        let got = (answer.status, answer.header(SERVED_BY).unwrap_or_default());
        ensure!(got == (200, region.to_owned()), "{host} {headers:?}: {got:?}");
    }
    let (gate, server) = (world.gate()?, world.west.proxy(Role::Server)?);
    let (passed, shaken) = (gate.sum(".downstream_cx_total").await?, server.sum(".ssl.handshake").await?);
    ensure!(passed > 0 && shaken > 0, "{passed} connections at the gate, {shaken} handshakes behind it");
    // Past the gateway nobody gets in: the application answers mutual TLS and nothing else.
    let plain = Request::get("/status/200").host(OPEN).send(server.address()).await;
    ensure!(plain.is_err(), "it answers in plain text: {plain:?}");
    world.no_update_was_refused().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_lost_beyond_the_gateway_a_preference_is_rescued_and_a_fence_fails_closed() -> Result<()> {
    losses(true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_without_the_filter() -> Result<()> {
    losses(false).await
}

/// The other region's application is lost, then its gateway, under requests that prefer it and under requests that may not leave it.
async fn losses(with: bool) -> Result<()> {
    let change = |_: &str, manifests: Manifests| if with { manifests } else { manifests.without(FILTER) };
    let Some(world) = World::start(change).await? else { return Ok(()) };
    let (pods, gate, how) = (world.mesh.pods(), world.gate()?, if with { "with the filter" } else { "without it" });
    for lost in ["productpage", "the east-west gateway"] {
        let kind = |name: &str, host: &str| Kind::new(name).host(host).path("/status/200");
        let prefers = vec![kind("prefers", OPEN).header("region", "eu-west-1")?];
        let load = Load::start(Plan::new(world.ingress()?.address(), prefers).rate(60), Clock::start())?;
        settled(&format!("{how}: it crosses"), &load, |sample| served_in(sample, "WEST")).await?;
        if lost == "productpage" {
            pods.kill("west", PAGE)
        } else {
            gate.envoy().process().kill()
        }
        settled(&format!("{how}, {lost} is lost: home serves"), &load, |sample| served_in(sample, "EAST")).await?;
        let samples = load.stop().await?.samples;
        let failed: Vec<_> = samples.iter().filter(|sample| !sample.succeeded()).collect();
        ensure!(failed.is_empty(), "{how}, {lost} is lost: {} of {}: {failed:?}", failed.len(), samples.len());

        let home = pods.served("east", PAGE);
        let fenced = vec![kind("fenced", FENCED), kind("fenced, asks", FENCED).header("region", "us-east-1")?];
        let load = Load::start(Plan::new(world.ingress()?.address(), fenced).rate(60), Clock::start())?;
        let closed = |sample: &Sample| sample.outcome == SampleOutcome::Status(503);
        settled(&format!("{how}, {lost} is lost: the fence fails closed"), &load, closed).await?;
        let fenced = load.stop().await?.samples;
        let outside = pods.served("east", PAGE) - home;
        ensure!(outside == 0 && fenced.iter().all(closed), "{how}, {lost} is lost: {outside} outside: {fenced:?}");
        println!("{how}, {lost} is lost: {} asked, 0 failed; {} fenced, 503, 0 outside", samples.len(), fenced.len());

        if lost == "productpage" {
            pods.revive("west", PAGE).await?
        } else {
            gate.revive().await?
        }
        until(&format!("{how}: it crosses again"), async || {
            Ok(world.ask(OPEN, &[("region", "eu-west-1")]).await?.header(SERVED_BY).as_deref() == Some("WEST"))
        })
        .await?;
    }
    world.no_update_was_refused().await
}

#[tokio::test(flavor = "multi_thread")]
async fn subsets_that_the_other_cluster_lacks_are_a_failure_that_is_seen() -> Result<()> {
    let change =
        |cluster: &str, manifests: Manifests| if cluster == "west" { manifests.without(SUBSETS) } else { manifests };
    let Some(world) = World::start(change).await? else { return Ok(()) };
    // Nothing has crossed yet: a connection of before would hide it.
    let (home, gate) = (world.mesh.pods().served("east", PAGE), world.gate()?);
    for _ in 0..10 {
        let answer = world.ask(FENCED, &[]).await?;
        ensure!(answer.status == 503, "{answer:?}");
    }
    let (outside, lost) = (world.mesh.pods().served("east", PAGE) - home, gate.sum(".no_filter_chain_match").await?);
    ensure!(outside == 0 && lost > 0, "{outside} outside, {lost} connections for which the gateway knew no plan");
    let answer = world.ask(OPEN, &[("region", "eu-west-1")]).await?;
    let got = (answer.status, answer.header(SERVED_BY).unwrap_or_default());
    ensure!(got == (200, "EAST".to_owned()), "a preference is rescued, and its tag says by whom: {got:?}");
    Ok(())
}
