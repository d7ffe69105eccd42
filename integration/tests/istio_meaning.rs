//! A user's own manifests, before the policy is laid over them and after, on real Envoys under Istio's own control plane: the same
//! requests, with no region header and all healthy, reach the same versions in the same shares.
//!
//! The manifests have the shape of Istio's public samples, Bookinfo's reviews and Helloworld with a canary, the latter under the name of a
//! service that there is here. Every share is held within five standard deviations of what the user wrote, before and after, which fails
//! by chance once in a million runs. Skipped, and said so, without Go.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot go on has failed, in helpers as well")]

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use integration::bookinfo::Service;
use integration::client::{Request, Response};
use integration::envoy::EnvoyVersion;
use integration::istio::{Manifests, Mesh, Place, Programs, Proxy, Role, VERSION, Wanted};
use integration::mesh::ClusterSpec;
use integration::paths;
use meridian::istio::{Options, Sources};

/// Requests for each share.
const REQUESTS: u32 = 1_500;

const GATEWAY: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: helloworld-gateway, namespace: bookinfo}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 8080, name: http, protocol: HTTP}
    bind: ${GATEWAY}
    hosts: ['*']
";

/// A file of a fixture, with what is called otherwise here.
fn fixture(path: &str, words: &[(&str, &str)]) -> String {
    let text = fs::read_to_string(paths::workspace().join("envoyfilter/tests/fixtures/istio").join(path)).unwrap();
    words.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{path} does not say `{from}`");
        text.replace(from, to)
    })
}

/// The user's manifests as they are, and with the policy laid over them.
fn before_and_after(policy: &str, given: &str, cluster: &str, options: Options) -> Result<[Manifests; 2]> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("given.yaml"), given)?;
    let options = Options { given: Some(Sources::read(folder.path())?), one_network: true, ..options };
    let after = Manifests::rendered_with(policy, cluster, &paths::module()?, options)?;
    Ok([Manifests::default().file("given.yaml", given), after])
}

async fn mesh(places: [(&str, &str, &str); 2], service: Service, versions: u8) -> Result<Option<Mesh>> {
    let Some(programs) = Programs::get().await? else {
        println!("SKIPPED: without Go there is no Istio to ask");
        return Ok(None);
    };
    println!("mode: live, Istio's control plane");
    let place = |(region, cluster, fence): (&str, &str, &str)| {
        let fences: &[&str] = if fence.is_empty() { &[] } else { &[fence] };
        Place::new(ClusterSpec::new(cluster, region, cluster), fences).versioned()
    };
    Ok(Some(Mesh::start(programs, places.map(place).to_vec(), vec![service], versions).await?))
}

async fn ask(proxy: &Proxy, host: &str, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let request = Request::get(path).host(host);
    proxy.send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value))).await
}

/// How many of so many requests each version answered.
async fn versions(proxy: &Proxy, host: &str, path: &str, headers: &[(&str, &str)]) -> Result<BTreeMap<String, u32>> {
    let mut found = BTreeMap::new();
    for _ in 0..REQUESTS {
        let answer = ask(proxy, host, path, headers).await?;
        ensure!(answer.status == 200, "{path}: {}", answer.status);
        *found.entry(answer.header(VERSION).unwrap_or_default()).or_insert(0) += 1;
    }
    Ok(found)
}

/// Holds every version's share, in percent, within five standard deviations.
fn hold(when: &str, found: &BTreeMap<String, u32>, shares: &[(&str, u32)]) -> Result<()> {
    ensure!(found.len() == shares.len(), "{when}: {found:?}");
    for (version, percent) in shares {
        let (all, share) = (f64::from(REQUESTS), f64::from(*percent) / 100.0);
        let expected = all * share;
        let off = (f64::from(found.get(*version).copied().unwrap_or(0)) - expected).abs();
        ensure!(off <= 5.0 * (expected * (1.0 - share)).sqrt(), "{when}: {version} should be {expected}: {found:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_versions_of_reviews_keep_their_shares_and_one_person_her_own() -> Result<()> {
    let places = [("eu-west-1", "west", "eu"), ("us-sanjose-1", "primary", "")];
    let Some(mesh) = mesh(places, Service::Reviews, 3).await? else { return Ok(()) };
    // The pods here have no sidecar to speak TLS with.
    let given = fixture("bookinfo/given/reviews.yaml", &[("    tls: {mode: ISTIO_MUTUAL}\n", "")]);
    let options = Options { outbound: vec!["bookinfo".to_owned()], ..Options::default() };
    let both = before_and_after(&fixture("bookinfo/policy.yaml", &[]), &given, "west", options)?;
    for (when, manifests) in ["before", "after"].into_iter().zip(both) {
        let wanted = Wanted { cluster: "west".to_owned(), manifests, roles: vec![Role::Caller] };
        let site = mesh.sites(vec![wanted], &EnvoyVersion::oldest()?, 1).await?.pop().context("there is no site")?;
        let caller = site.proxy(Role::Caller)?;
        let everybody = versions(caller, "reviews:9080", "/status/200", &[]).await?;
        hold(when, &everybody, &[("v1", 50), ("v2", 30), ("v3", 20)])?;
        let jason = versions(caller, "reviews:9080", "/status/200", &[("end-user", "jason")]).await?;
        ensure!(jason == BTreeMap::from([("v2".to_owned(), REQUESTS)]), "{when}: {jason:?}");
        ensure!(caller.refused_updates().await? == 0, "{when}: updates refused");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_keeps_its_tenth_and_every_path_its_meaning() -> Result<()> {
    let places = [("us-sanjose-1", "primary", ""), ("us-chicago-1", "secondary", "")];
    let Some(mesh) = mesh(places, Service::Productpage, 2).await? else { return Ok(()) };
    let given = fixture(
        "helloworld/given/helloworld.yaml",
        &[
            ("helloworld.sample.svc", "productpage.bookinfo.svc"),
            ("namespace: sample", "namespace: bookinfo"),
            ("host: helloworld, ", "host: productpage, "),
            ("number: 5000", "number: 9080"),
            // What the application here has at other paths.
            ("exact: /hello}", "exact: /echo}"),
            ("uri: /hello}", "uri: /echo}"),
        ],
    );
    let names = [("helloworld.sample.svc", "productpage.bookinfo.svc"), ("port: 5000", "port: 9080")];
    let policy = fixture("helloworld/policy.yaml", &names);
    let options = Options { gateways: vec!["bookinfo/helloworld-gateway".to_owned()], ..Options::default() };
    for (when, manifests) in ["before", "after"].into_iter().zip(before_and_after(&policy, &given, "primary", options)?)
    {
        let manifests = manifests.file("gateway.yaml", GATEWAY);
        let edge = mesh.edge("primary", &manifests, EnvoyVersion::newest()?, 1).await?;
        let gateway = &edge.gateway;
        let host = "hello.example.com";
        hold(when, &versions(gateway, host, "/echo", &[]).await?, &[("v1", 90), ("v2", 10)])?;
        for _ in 0..50 {
            let answer = ask(gateway, host, "/echo", &[]).await?;
            let canary = answer.header("x-canary").is_some();
            ensure!(canary == (answer.header(VERSION).as_deref() == Some("v2")), "{when}: the canary's own header");
            let rewritten = ask(gateway, host, "/v2/echo", &[]).await?;
            ensure!(rewritten.header(VERSION).as_deref() == Some("v2"), "{when}: {}", rewritten.text());
            ensure!(rewritten.text().contains("\"/echo\""), "{when}: not rewritten: {}", rewritten.text());
        }
        let moved = ask(gateway, host, "/hi", &[]).await?;
        let to = moved.header("location").unwrap_or_default();
        ensure!((moved.status, to.ends_with("/echo")) == (301, true), "{when}: {} {to}", moved.status);
        ensure!(ask(gateway, host, "/other", &[]).await?.status == 404, "{when}: a path that has no route");
        ensure!(gateway.refused_updates().await? == 0, "{when}: updates refused");
    }
    Ok(())
}
