//! What a request costs in instructions of the module that ships: the same for two regions and for a thousand, for one host with rules
//! and for a thousand, and not more than it did before. What it asks of its host is counted beside it, in [`host_calls`].
//!
//! Counted and not timed, so it gates on any machine. What it cost before is kept in `instructions.json`; a change that is meant is kept
//! by `MERIDIAN_BLESS=1 cargo test -p meridian-bench --test instructions`, and its difference read before it is merged.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod host_calls;
mod vm;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use vm::{Cost, Lines, Vm, shipped};

/// Regions and hosts; what the first costs is what the others may.
const SIZES: [(usize, usize); 4] = [(2, 1), (1_000, 1), (2, 1_000), (1_000, 1_000)];
/// In percent: what a larger policy may cost more than a small one, and any request more than it did before.
const TOLERANCE: u64 = 10;
/// One response in thirty-two is looked at in full, and what is done for the first time is done once.
const TIMES: usize = 4;

/// What each kind of request costs, in its request and its response.
type Costs = BTreeMap<String, u64>;

static COSTS: LazyLock<Vec<Costs>> =
    LazyLock::new(|| SIZES.into_iter().map(|(regions, hosts)| costs(regions, hosts)).collect());

/// A policy in which every host has a service and a rule of its own, and every rule may choose every region. Names are of one length
/// whatever their number, or longer ones would cost more.
fn policy(regions: usize, hosts: usize) -> Value {
    let region = |n: usize| json!({"name": region(n), "clusters": [format!("cluster-{n:04}")], "displayName": tag(n), "aliases": [alias(n)]});
    let service = |n: usize| json!({"name": format!("service-{n:04}"), "hosts": [host(n)], "destination": {"host": destination(n), "port": 80}});
    let rule = |n: usize| json!({"name": format!("rule-{n:04}"), "match": {"hosts": [host(n)], "pathPrefix": "/"}});
    json!({
        "apiVersion": "meridian/v1", "role": "gateway", "local": self::region(0),
        "regions": (0..regions).map(region).collect::<Vec<_>>(),
        "services": (0..hosts).map(service).collect::<Vec<_>>(),
        "rules": (0..hosts).map(rule).collect::<Vec<_>>(),
    })
}

fn region(n: usize) -> String {
    format!("region-{n:04}")
}

fn alias(n: usize) -> String {
    format!("ALIAS-{n:04}")
}

fn tag(n: usize) -> String {
    format!("REGION {n:04}")
}

fn host(n: usize) -> String {
    format!("host-{n:04}.example.com")
}

fn destination(n: usize) -> String {
    format!("service-{n:04}.default.svc.cluster.local")
}

fn lines<'a>(lines: impl IntoIterator<Item = (&'a str, String)>) -> Lines {
    lines.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A request for a host, as a browser sends about as many lines.
fn request(host: String, asked: Option<String>) -> Lines {
    let usual = [
        (":method", "GET".to_owned()),
        (":authority", host),
        (":path", "/productpage?u=normal".to_owned()),
        (":scheme", "https".to_owned()),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)".to_owned()),
        ("accept", "text/html,application/xhtml+xml".to_owned()),
        ("x-request-id", "5b1c9f0e-8a2e-4c55-9d2a-6b8f0c1d2e3f".to_owned()),
    ];
    lines(usual.into_iter().chain(asked.map(|asked| ("region", asked))))
}

fn response(status: u16, tag: Option<String>) -> Lines {
    let usual = [
        (":status", status.to_string()),
        ("content-type", "text/html; charset=utf-8".to_owned()),
        ("date", "Sat, 21 Nov 2026 10:00:00 GMT".to_owned()),
        ("x-envoy-attempt-count", "1".to_owned()),
    ];
    lines(usual.into_iter().chain(tag.map(|tag| ("x-served-by-cluster", tag))))
}

/// What requests for the last host cost, which ask for the last region if for any.
fn costs(regions: usize, hosts: usize) -> Costs {
    let mut vm = Vm::start(&shipped(), &policy(regions, hosts)).unwrap();
    let (last, host) = (regions - 1, host(hosts - 1));
    let workload = b"xds\0upstream_host_metadata\0filter_metadata\0istio\0workload".to_vec();
    let attributes = &mut vm.host().attributes;
    attributes.insert(workload, format!("web;default;web;v1;cluster-{last:04}").into_bytes());
    let cluster = format!("outbound|80|prefer-{}|{}", region(last), destination(hosts - 1));
    attributes.insert(b"xds\0cluster_name".to_vec(), cluster.into_bytes());
    attributes.insert(b"response\0code_details".to_vec(), b"via_upstream".to_vec());

    let mut costs = Costs::new();
    let mut measure = |vm: &mut Vm, kind: &str, asked: Option<String>, tag: Option<String>| {
        let (request, response) = (request(host.clone(), asked), response(200, tag));
        let streams = (0..TIMES).map(|_| vm.stream(request.clone(), response.clone()).unwrap());
        let Cost { request, response } = streams.min_by_key(|cost| cost.request + cost.response).unwrap();
        costs.extend([(format!("{kind}, request"), request), (format!("{kind}, response"), response)]);
    };
    measure(&mut vm, "asks for nothing", None, Some(tag(0)));
    measure(&mut vm, "asks for a region", Some(alias(last)), Some(tag(last)));
    measure(&mut vm, "asks for a region that does not exist", Some(alias(9_999)), Some(tag(0)));
    measure(&mut vm, "is answered without a tag", Some(alias(last)), None);
    for _ in 0..5 {
        vm.stream(request(host.clone(), Some(alias(last))), response(503, Some(tag(last)))).unwrap();
    }
    // From here on every request is decided about here.
    measure(&mut vm, "asks for nothing while a region is ejected", None, Some(tag(0)));
    measure(&mut vm, "asks for a region while another is ejected", Some(alias(0)), Some(tag(0)));
    measure(&mut vm, "asks for what does not exist while a region is ejected", Some(alias(9_999)), Some(tag(0)));
    measure(&mut vm, "asks for a region that is ejected", Some(alias(last)), Some(tag(0)));
    let moved = vm.host().written.get("x-region-route").cloned();
    assert_eq!(moved.as_deref(), Some(format!("prefer-{}", region(0)).as_bytes()), "it did not fail over");
    costs
}

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instructions.json")
}

/// What costs more than it may.
fn dearer(before: &Costs, now: &Costs) -> Vec<String> {
    let mut found = Vec::new();
    for (kind, now) in now {
        match before.get(kind) {
            Some(before) if now * 100 <= before * (100 + TOLERANCE) => {}
            Some(before) => {
                found.push(format!("{kind}: {before} -> {now} instructions ({:+} %)", now * 100 / before - 100))
            }
            None => found.push(format!("{kind}: nothing kept -> {now} instructions")),
        }
    }
    found
}

#[test]
fn a_request_costs_the_same_however_many_regions_and_hosts_there_are() {
    let (small, larger) = COSTS.split_first().unwrap();
    for ((regions, hosts), costs) in SIZES.iter().skip(1).zip(larger) {
        let dearer = dearer(small, costs);
        assert!(dearer.is_empty(), "{regions} regions and {hosts} hosts instead of 2 and 1:\n{}", dearer.join("\n"));
    }
}

#[test]
fn no_request_costs_more_than_it_did() {
    let now = COSTS.first().unwrap();
    if std::env::var_os("MERIDIAN_BLESS").is_some() {
        std::fs::write(kept(), serde_json::to_string_pretty(now).unwrap() + "\n").unwrap();
    }
    let before: Costs = serde_json::from_slice(&std::fs::read(kept()).unwrap_or_else(|_| b"{}".to_vec())).unwrap();
    let dearer = dearer(&before, now);
    assert!(dearer.is_empty(), "{}\nif that is meant, keep it: MERIDIAN_BLESS=1", dearer.join("\n"));
}
