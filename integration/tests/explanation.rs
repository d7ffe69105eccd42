//! Who is told why, on real Envoys: the holder of the key, about any request, and nobody else.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::sync::Arc;

use integration::client::Request;
use integration::mesh::Ingress;
use sfv::{BareItem, Dictionary, ListEntry, Parser};
use support::{CHICAGO, Edge, HOST, SANJOSE, Setting, World, policy_with};

const KEY: &str = "correct horse battery staple";
const DIGEST: &str = "c4bbcb1fbec99d65bf59d85c8cb62ee2db963f0fe106f483d9afa73bd4e39a8a";

fn policy(setting: &Setting) -> String {
    policy_with(&format!(
        "table: {}
rules:
- {{name: strict, match: {{pathPrefix: /strict}}, onUnknownRegion: reject}}
explain: {{keySha256: {DIGEST}}}
",
        setting.table,
    ))
}

/// What an answer tells about its request.
async fn told(edge: &Edge, path: &str, region: Option<&str>, key: Option<&str>) -> Option<String> {
    let request = Request::new("GET", path).host(HOST);
    let request = region.into_iter().fold(request, |request, region| request.header("region", region));
    let request = key.into_iter().fold(request, |request, key| request.header("x-region-explain", key));
    edge.send(&request).await.unwrap().header("x-region-decision")
}

/// What a parser of RFC 9651 that others wrote reads, in order: every member but the policy's revision, which is four hexadecimal digits.
fn members_of(header: &str) -> Vec<(String, String)> {
    let mut members: Dictionary = Parser::new(header).parse().unwrap();
    let revision = members.shift_remove("rev").and_then(text).unwrap();
    assert!(revision.len() == 4 && u16::from_str_radix(&revision, 16).is_ok(), "{header}");
    members.into_iter().map(|(key, value)| (key.as_str().to_owned(), text(value).unwrap())).collect()
}

fn text(member: ListEntry) -> Option<String> {
    let ListEntry::Item(item) = member else { return None };
    match item.bare_item {
        BareItem::Token(token) => Some(token.as_str().to_owned()),
        BareItem::String(string) => Some(string.as_str().to_owned()),
        _ => None,
    }
}

fn owned(members: &[(&str, &str)]) -> Vec<(String, String)> {
    members.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
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
        let members = [("chosen", SANJOSE), ("reason", "local"), ("rule", "default"), ("outcome", "served")];
        assert_eq!(members_of(&told(edge, "/status/200", None, Some(KEY)).await.unwrap()), owned(&members));
        let members =
            [("asked", CHICAGO), ("chosen", CHICAGO), ("reason", "asked"), ("rule", "default"), ("outcome", "served")];
        assert_eq!(members_of(&told(edge, "/status/200", Some(CHICAGO), Some(KEY)).await.unwrap()), owned(&members));
        let members = [("reason", "unknown_region"), ("rule", "strict"), ("outcome", "refused")];
        assert_eq!(members_of(&told(edge, "/strict", Some("mars"), Some(KEY)).await.unwrap()), owned(&members));
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
