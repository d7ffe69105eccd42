//! Who is told why, on real Envoys: the holder of the key, about any request, and nobody else.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::sync::Arc;

use integration::client::Request;
use integration::mesh::Ingress;
use support::{CHICAGO, Edge, HOST, SANJOSE, Setting, World, tag_of};

const KEY: &str = "correct horse battery staple";
const DIGEST: &str = "c4bbcb1fbec99d65bf59d85c8cb62ee2db963f0fe106f483d9afa73bd4e39a8a";

fn policy(setting: &Setting) -> String {
    format!(
        "
apiVersion: meridian/v1
role: gateway
table: {}
regions:
- {{name: {SANJOSE}, clusters: [primary], displayName: {}}}
- {{name: {CHICAGO}, clusters: [secondary], displayName: {}}}
services:
- {{name: productpage, hosts: [{HOST}], destination: {{host: productpage.bookinfo.svc.cluster.local, port: 9080}}}}
rules:
- {{name: strict, match: {{pathPrefix: /strict}}, onUnknownRegion: reject}}
explain: {{keySha256: {DIGEST}}}
",
        setting.table,
        tag_of(SANJOSE),
        tag_of(CHICAGO),
    )
}

/// What an answer tells about its request.
async fn told(edge: &Edge, path: &str, region: Option<&str>, key: Option<&str>) -> Option<String> {
    let request = Request::new("GET", path).host(HOST);
    let request = region.into_iter().fold(request, |request, region| request.header("region", region));
    let request = key.into_iter().fold(request, |request, key| request.header("x-region-explain", key));
    edge.send(&request).await.unwrap().header("x-region-decision")
}

async fn each(filter: bool, workers: u32) -> (World, Vec<Arc<Edge>>) {
    let settings =
        Setting::each(&[workers], &["full", "plans"]).into_iter().map(|setting| Setting { filter, ..setting });
    let world = World::start(settings.collect(), policy).await.unwrap();
    let edges = world.edges.clone();
    (world, edges)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_shows_the_key_is_told_about_any_request() {
    let (_world, edges) = each(true, 2).await;
    for edge in &edges {
        let home = told(edge, "/status/200", None, Some(KEY)).await.unwrap();
        assert!(home.starts_with("chosen=us-sanjose-1, reason=local, rule=default"), "{home}");
        assert!(home.ends_with("outcome=served"), "{home}");
        let asked = told(edge, "/status/200", Some(CHICAGO), Some(KEY)).await.unwrap();
        assert!(asked.starts_with("asked=us-chicago-1, chosen=us-chicago-1, reason=asked"), "{asked}");
        let refused = told(edge, "/strict", Some("mars"), Some(KEY)).await.unwrap();
        assert!(refused.contains("reason=unknown_region") && refused.ends_with("outcome=refused"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_told_anything() {
    let (_world, edges) = each(true, 2).await;
    for edge in &edges {
        for key in [None, Some(""), Some("Correct horse battery staple"), Some(DIGEST)] {
            for (path, region) in [("/status/200", None), ("/status/200", Some("mars")), ("/strict", Some("mars"))] {
                assert_eq!(told(edge, path, region, key).await, None, "{key:?} {path} {}", edge.setting);
            }
        }
    }
}

/// The names of the headers that an upstream saw.
async fn forwarded(ingress: &Ingress, key: &str) -> String {
    let request = Request::new("GET", "/echo").host(HOST).header("x-region-explain", key).header("region", CHICAGO);
    let answer = request.send(ingress.address()).await.unwrap();
    assert_eq!(answer.status, 200);
    String::from_utf8_lossy(&answer.body).to_ascii_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_upstream_sees_a_key_with_the_filter_or_without() {
    for filter in [true, false] {
        let (_world, edges) = each(filter, 1).await;
        for edge in &edges {
            for key in [KEY, "another"] {
                let seen = forwarded(&edge.ingress, key).await;
                assert!(seen.contains("region") && !seen.contains("x-region-explain"), "{}: {seen}", edge.setting);
            }
        }
    }
}
