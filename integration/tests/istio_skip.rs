//! Requests for hosts that the policy does not know stay out of the VM: Envoy itself skips the plugin, at a gateway and for the calls of
//! a sidecar, and whatever a host of the policy is spelled as is still the filter's to decide. What enters the VM is what Envoy's own
//! trace says.
//!
//! Skipped, and said so, without Go.

use anyhow::{Context, Result, ensure};
use integration::bookinfo::Service;
use integration::client::Request;
use integration::envoy::EnvoyVersion;
use integration::istio::{Manifests, Mesh, Place, Programs, Proxy, Role, Wanted};
use integration::load::SERVED_BY;
use integration::mesh::ClusterSpec;
use integration::paths;
use meridian::istio::Options;
use support::until;
use three_regions::{FILTER, POLICY, gateway, mesh};

mod support;
#[path = "support/istio.rs"]
mod three_regions;

const DECISION: &str = "x-region-decision";
/// Somebody else's host behind the same gateway.
const FOREIGN: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: other, namespace: bookinfo}
spec:
  hosts: [other.example.com]
  gateways: [bookinfo/bookinfo]
  http:
  - route: [{destination: {host: productpage.bookinfo.svc.cluster.local, port: {number: 9080}}}]
";

/// Asks for a region that does not exist, which the filter always explains and the native table never.
async fn is_decided(proxy: &Proxy, host: &str) -> Result<bool> {
    let answer = proxy.send(&Request::get("/status/200").host(host).header("region", "mars")).await?;
    Ok(answer.header(DECISION).is_some())
}

/// How many requests and how many answers entered the VM of one worker while `mine` and `foreign` were asked for.
async fn entries(proxy: &Proxy, mine: &str, foreign: &[&str]) -> Result<(usize, usize)> {
    let envoy = proxy.envoy();
    ensure!(envoy.admin("POST", "/logging?wasm=trace").await?.status == 200, "Envoy does not change its log level");
    let before = envoy.log().len();
    for host in foreign {
        ensure!(!is_decided(proxy, host).await?, "{host} was decided about");
    }
    ensure!(is_decided(proxy, mine).await?, "{mine} was not decided about");
    let entered = |callback: &str| {
        let log = envoy.log();
        log.get(before..).unwrap_or_default().matches(&format!("[host->vm] {callback}(")).count()
    };
    // The last request of all is one that enters, so with it everything is written.
    until("the trace is written", async || Ok(entered("proxy_on_response_headers") > 0)).await?;
    let entries = (entered("proxy_on_request_headers"), entered("proxy_on_response_headers"));
    envoy.admin("POST", "/logging?wasm=info").await?;
    Ok(entries)
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_gateway_only_the_hosts_of_the_policy_enter_the_vm_however_they_are_spelled() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let policy = POLICY.replace("hosts: [bookinfo.example.com]", "hosts: [bookinfo.example.com, '*.shop.example.com']");
    let rendered = |policy: &str| {
        let options =
            Options { gateways: vec!["bookinfo/bookinfo".to_owned()], one_network: true, ..Options::default() };
        Manifests::rendered_with(policy, "west", &paths::module()?, options)
    };
    let every = gateway()?.replace("[bookinfo.example.com, eu.example.com]", "['*']");
    let manifests = rendered(&policy)?.file("gateway.yaml", &every).file("other.yaml", FOREIGN);
    let sees_all = rendered(&format!("{policy}verify: {{onMismatch: block}}\n"))?;
    for version in [EnvoyVersion::oldest()?, EnvoyVersion::newest()?] {
        let edge = mesh.edge("west", &manifests, version, 1).await?;
        let envoy = edge.gateway.version().as_str();
        for host in [
            "bookinfo.example.com",
            "BOOKINFO.Example.com",
            "bookinfo.example.com:8080",
            "Bookinfo.example.com.",
            "bookinfo.example.com.:80",
            "a.shop.example.com",
            "a.b.SHOP.example.com:8080",
            "a.shop.example.com.",
        ] {
            ensure!(is_decided(&edge.gateway, host).await?, "Envoy {envoy}: {host} was not decided about");
        }
        let foreign = ["other.example.com", "shop.example.com", "nobody.example.org", "10.0.0.1:8080"];
        let entered = entries(&edge.gateway, "bookinfo.example.com", &foreign).await?;
        ensure!(entered == (1, 1), "Envoy {envoy}: {entered:?} of {} requests entered", foreign.len() + 1);
        // It is served all the same.
        let answer = edge.gateway.send(&Request::get("/status/200").host("other.example.com")).await?;
        ensure!((answer.status, answer.header(SERVED_BY).is_some()) == (200, true), "Envoy {envoy}: {answer:?}");
        // A policy that has to see every answer takes the matcher away from the listener that is there, and another brings it back.
        for (rendered, is_skipped) in [(&sees_all, false), (&manifests, true)] {
            edge.plane.apply(&rendered.text(FILTER)?).await?;
            until("the plugin is exchanged", async || {
                let dump = edge.gateway.envoy().admin("GET", "/config_dump?resource=ecds_filters").await?.text();
                Ok(dump.contains("SkipFilter") == is_skipped)
            })
            .await?;
        }
        let refused = edge.gateway.refused_updates().await?;
        ensure!(refused == 0, "Envoy {envoy}: {refused} updates refused:\n{}", edge.gateway.envoy().log());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_decides_about_the_services_of_the_policy_and_lets_all_other_calls_be() -> Result<()> {
    let Some(programs) = Programs::get().await? else {
        println!("SKIPPED: without Go there is no Istio to ask");
        return Ok(());
    };
    let place = Place::new(ClusterSpec::new("west", "eu-west-1", "WEST"), &[]);
    let mesh = Mesh::start(programs, vec![place], vec![Service::Productpage, Service::Reviews], 1).await?;
    let options = Options { one_network: true, outbound: vec!["bookinfo".to_owned()], ..Options::default() };
    let manifests = Manifests::rendered_with(POLICY, "west", &paths::module()?, options)?;
    for version in [EnvoyVersion::oldest()?, EnvoyVersion::newest()?] {
        let wanted = Wanted { cluster: "west".to_owned(), manifests: manifests.clone(), roles: vec![Role::Caller] };
        let site = mesh.sites(vec![wanted], &version, 1).await?.pop().context("there is no site")?;
        let (caller, envoy) = (site.proxy(Role::Caller)?, version.as_str());
        for host in [
            "productpage:9080",
            "ProductPage.bookinfo",
            "productpage.bookinfo.svc:9080",
            "productpage.bookinfo.svc.cluster.local",
            "productpage.bookinfo.svc.cluster.local.:9080",
            "bookinfo.example.com",
        ] {
            ensure!(is_decided(caller, host).await?, "Envoy {envoy}: {host} was not decided about");
        }
        let foreign = ["reviews:9080", "reviews.bookinfo.svc.cluster.local:9080", "elsewhere.example.com"];
        let entered = entries(caller, "productpage:9080", &foreign).await?;
        ensure!(entered == (1, 1), "Envoy {envoy}: {entered:?} of {} calls entered", foreign.len() + 1);
        let refused = caller.refused_updates().await?;
        ensure!(refused == 0, "Envoy {envoy}: {refused} updates refused:\n{}", caller.envoy().log());
    }
    Ok(())
}
