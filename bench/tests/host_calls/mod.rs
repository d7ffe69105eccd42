//! What a stream asks of its host: how often the host enters the module, what the module calls and how often, and how many blocks of
//! memory it is given answers in. Each of them costs a crossing of the border, which is dearer than what is done on either side.
//!
//! Counted over a whole stream, from its start until nothing is left of it; one response in thirty-two is looked at in full, and is not
//! the one that counts here. Kept and compared as the instructions are.

use super::vm::{Asks, Lines, Vm, shipped};
use super::{TIMES, alias, destination, host, policy, region, request, response, tag};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The counts of each kind of stream, by name.
type Kept = BTreeMap<String, BTreeMap<String, u64>>;

/// `open sesame`, and its SHA-256.
const KEY: [&str; 2] = ["open sesame", "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb"];

/// A gateway with two regions, and this changed in its policy.
fn gateway(change: impl FnOnce(&mut Value)) -> Vm {
    let mut document = policy(2, 1);
    change(&mut document);
    let mut vm = Vm::start(&shipped(), &document).unwrap();
    let attributes = &mut vm.host().attributes;
    let cluster = format!("outbound|80|prefer-{}|{}", region(0), destination(0));
    attributes.insert(b"xds\0cluster_name".to_vec(), cluster.into_bytes());
    attributes.insert(b"response\0code_details".to_vec(), b"via_upstream".to_vec());
    vm
}

/// What a stream asks at least.
fn asks(vm: &mut Vm, request: &Lines, response: &Lines) -> Asks {
    let streams = (0..TIMES).map(|_| {
        vm.stream(request.clone(), response.clone()).unwrap();
        vm.host().asks.clone()
    });
    streams.min_by_key(|asks| asks.calls.values().sum::<u64>()).unwrap()
}

fn asking(n: usize) -> Lines {
    request(host(0), Some(alias(n)))
}

fn plain(n: usize) -> Lines {
    response(200, Some(tag(n)))
}

/// Requests for the second region fail until it is ejected.
fn lose(vm: &mut Vm) {
    for _ in 0..5 {
        vm.stream(asking(1), response(503, Some(tag(1)))).unwrap();
    }
}

fn all() -> Kept {
    let mut kept = Kept::new();
    let mut keep = |kind: &str, asks: Asks| {
        let mut counts: BTreeMap<String, u64> = asks.calls;
        counts.extend([("entries".to_owned(), asks.entries), ("blocks".to_owned(), asks.blocks)]);
        kept.insert(kind.to_owned(), counts);
    };
    let mut vm = gateway(|_| {});
    keep("calm, asks for nothing", asks(&mut vm, &request(host(0), None), &plain(0)));
    keep("calm, asks for a region", asks(&mut vm, &asking(1), &plain(1)));
    keep("calm, is answered without a tag", asks(&mut vm, &asking(1), &response(200, None)));
    lose(&mut vm);
    keep("a region is lost, asks for it", asks(&mut vm, &asking(1), &plain(0)));
    keep("a region is lost, asks for nothing", asks(&mut vm, &request(host(0), None), &plain(0)));

    let mut vm = gateway(|document| document["table"] = json!("plans"));
    keep("table of plans, asks for nothing", asks(&mut vm, &request(host(0), None), &plain(0)));
    keep("table of plans, asks for a region", asks(&mut vm, &asking(1), &plain(1)));

    let mut vm = gateway(|document| document["explain"] = json!({"keySha256": KEY[1], "public": true}));
    let mut with_key = asking(1);
    with_key.push(("x-region-explain".to_owned(), KEY[0].to_owned()));
    keep("explained, asks for nothing", asks(&mut vm, &request(host(0), None), &plain(0)));
    keep("explained, shows the key", asks(&mut vm, &with_key, &plain(1)));
    lose(&mut vm);
    keep("explained, a region is lost, asks for it", asks(&mut vm, &asking(1), &plain(0)));

    let mut vm = gateway(|document| document["tag"] = json!({"public": false}));
    keep("private tag, asks for nothing", asks(&mut vm, &request(host(0), None), &plain(0)));
    let mut vm = gateway(|document| document["role"] = json!("inbound"));
    keep("inbound, tags its own answers", asks(&mut vm, &request(host(0), None), &response(200, None)));
    kept
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host_calls/kept.json")
}

/// What is asked more often than before, or was never asked.
fn more(before: &Kept, now: &Kept) -> Vec<String> {
    let none = BTreeMap::new();
    let counts = now.iter().flat_map(|(kind, counts)| counts.iter().map(move |(what, count)| (kind, what, *count)));
    let old = |kind: &String, what: &String| before.get(kind).unwrap_or(&none).get(what).copied().unwrap_or(0);
    let more = counts.filter(|(kind, what, count)| *count > old(kind, what));
    more.map(|(kind, what, count)| format!("{kind}: {what} {} -> {count}", old(kind, what))).collect()
}

#[test]
fn no_stream_asks_more_of_its_host_than_it_did() {
    let now = all();
    if std::env::var_os("MERIDIAN_BLESS").is_some() {
        std::fs::write(file(), serde_json::to_string_pretty(&now).unwrap() + "\n").unwrap();
    }
    let before: Kept = serde_json::from_slice(&std::fs::read(file()).unwrap_or_else(|_| b"{}".to_vec())).unwrap();
    let more = more(&before, &now);
    assert!(more.is_empty(), "{}\nif that is meant, keep it: MERIDIAN_BLESS=1", more.join("\n"));
}

#[test]
fn nothing_is_written_on_a_stream_that_goes_where_the_table_sends_it() {
    let mut vm = gateway(|_| {});
    for (request, response) in [(request(host(0), None), plain(0)), (asking(1), plain(1))] {
        let asks = asks(&mut vm, &request, &response);
        let writes = ["proxy_replace_header_map_value", "proxy_set_property", "proxy_set_shared_data"];
        assert!(writes.iter().all(|call| !asks.calls.contains_key(*call)), "{asks:?}");
    }
}

#[test]
fn ten_thousand_streams_later_the_module_has_no_more_memory_than_after_a_hundred() {
    let mut vm = gateway(|_| {});
    let mut streams = |count: usize| {
        for n in 0..count {
            let status = if n % 7 == 0 { 503 } else { 200 };
            vm.stream(asking(n % 2), response(status, Some(tag(n % 2)))).unwrap();
        }
        vm.pages()
    };
    let early = streams(100);
    assert_eq!(streams(10_000), early);
}
