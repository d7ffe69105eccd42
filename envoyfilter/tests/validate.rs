//! Wrong input is told with what is wrong, where it stands, and what to write instead.

// What the tests share may fail them as they may themselves.
#![allow(clippy::expect_used)]

use meridian::policy_file::PolicyFile;
use meridian_core::LocalHints;
use std::path::Path;

/// What is replaced in the example, by what; what is said, at which text of the example, and what to write instead.
const CASES: &[(&str, &str, &str, &str, &str)] = &[
    ("apiVersion: meridian/v1", "apiVersion: v1", "`v1` is not a version this build reads", "v1", "`meridian/v1`"),
    ("role: gateway", "role: edge", "`edge` is not one of the words", "edge", "`gateway` or `outbound` or `inbound`"),
    ("role: gateway\n", "", "is required and missing", "apiVersion", "`gateway` or `outbound` or `inbound`"),
    ("role: gateway", "role: gateway\nroole: x", "is not a key of this document", "x\n", "`role`"),
    (
        "role: gateway",
        "role: gateway\nwhatever: x",
        "is not a key of this document",
        "x\n",
        "one of `apiVersion`, `role`",
    ),
    ("role: gateway", "role: gateway\nshadow: {}", "is not supported yet", "{}", "one of `apiVersion`"),
    (
        "role: gateway",
        "role: gateway\nlocal: mars",
        "there is no region `mars`",
        "mars",
        "one of `us-sanjose-1`, `eu-west-1`",
    ),
    ("role: gateway", "role: gateway\nregionHeader: 'a b'", "`a b` is not a header's name", "'a b'", "e.g. `region`"),
    ("role: gateway", "role: gateway\ntable: all", "`all` is not one of the words", "all", "`full` or `plans`"),
    ("role: gateway", "role: gateway\nstage: observe", "`observe` is not supported yet", "observe", "`enforce`"),
    ("role: gateway", "role: gateway\ntag: {public: maybe}", "is a string, not true or false", "maybe", "`true`"),
    ("name: eu-west-1,", "name: EU West,", "`EU West` is not a name", "EU West", "e.g. `eu-west`"),
    (
        "name: eu-central-1,",
        "name: eu-west-1,",
        "`eu-west-1` already stands for region",
        "eu-west-1, clusters: [central]",
        "a name that",
    ),
    ("clusters: [west]", "clusters: west", "is a string, not a list", "west, displayName", "a list, e.g. `[acme]`"),
    ("clusters: [west]", "clusters: []", "is empty", "[], displayName", "the Istio cluster names"),
    (
        "aliases: [eu]",
        "aliases: [us]",
        "`us` already stands for region `us-sanjose-1`",
        "us]}\n- {name: eu-central",
        "a name that",
    ),
    (
        "eu: [eu-west-1, eu-central-1]",
        "eu: [eu-west-1, eu-central]",
        "there is no region `eu-central`",
        "eu-central]\n",
        "`eu-central-1`",
    ),
    ("eu: [eu-west-1, eu-central-1]", "eu: []", "is empty", "[]\nservices", "at least one region"),
    (
        "hosts: [accounts.example.com]",
        "hosts: [bookinfo.example.com]",
        "already belongs to a service",
        "bookinfo.example.com]\n  destination: {host: accounts",
        "e.g. `bookinfo.example.com`",
    ),
    (
        "hosts: [accounts.example.com]",
        "hosts: ['http://a']",
        "`http://a` is not a host",
        "'http://a'",
        "a DNS name without a port",
    ),
    (
        "port: 8080",
        "port: 80800",
        "is 80800, which is not between 1 and 65535",
        "80800",
        "a whole number from 1 to 65535",
    ),
    ("port: 8080", "port: http", "is a string, not a whole number", "http}", "a whole number from 1 to 65535"),
    ("{services: [accounts]}", "{services: [account]}", "there is no service `account`", "account]}", "`accounts`"),
    ("{services: [accounts]}", "{methods: [get]}", "`get` is not a method", "get]}", "`GET`"),
    ("{services: [accounts]}", "{pathPrefix: api}", "`api` is not a path", "api}", "a path that begins with `/`"),
    (
        "{services: [accounts]}",
        "{headers: [{name: x, exact: y}]}",
        "must not let a client choose by header",
        "{name: x",
        "`trusted: true`",
    ),
    ("fence: eu\n", "fence: uk\n", "there is no fence `uk`", "uk\n", "`eu`"),
    (
        "fence: eu\n",
        "fence: eu\n  failover: [{from: eu-west-1, to: [us-sanjose-1]}]\n",
        "is outside the fence",
        "us-sanjose-1]}]",
        "a region of the fence",
    ),
    (
        "fence: eu\n",
        "fence: eu\n  distribute: {eu-west-1: 60}\n",
        "adds up to 60",
        "{eu-west-1: 60}",
        "shares in percent that add up to 100",
    ),
    ("timeout: 10s", "timeout: 10", "is a number, not a duration", "10\n", "e.g. `10s`"),
    (
        "attempts: 2, perTryTimeout: 2s",
        "attempts: 0, perTryTimeout: 2s",
        "is 0, which is not between 1 and 10",
        "0, per",
        "a whole number from 1 to 10",
    ),
    ("methods: [GET, HEAD]", "methods: []", "is empty", "[]}\n  whenExhausted", "the methods that may be sent twice"),
    ("whenExhausted: fail", "whenExhausted: die", "`die` is not one of the words", "die", "`preferred` or `fail`"),
    (
        "name: everyone",
        "name: eu-residents",
        "there is a rule `eu-residents` already",
        "eu-residents\n  rescue: {attempts: 2, perTryTimeout: 1s}",
        "another name",
    ),
    (
        "maxEjectionTime: 300s",
        "maxEjectionTime: 3s",
        "is shorter than `baseEjectionTime`",
        "3s}",
        "at least as long a time",
    ),
];

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/static/policy.yaml");
    std::fs::read_to_string(path).expect("the example is there")
}

/// Line and column of a byte, from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.get(..at).expect("a place in the text");
    (before.matches('\n').count() + 1, before.rsplit('\n').next().expect("a line").chars().count() + 1)
}

#[test]
fn wrong_input_tells_what_where_and_what_to_write_instead() {
    assert!(CASES.len() >= 30);
    for (from, to, message, at, instead) in CASES {
        let text = example();
        assert!(text.contains(from), "the example still holds `{from}`");
        let text = text.replacen(from, to, 1);
        let wrong = PolicyFile::parse("policy.yaml", &text, &LocalHints::default()).expect_err(to);
        let entry = wrong.entries().iter().find(|entry| entry.message.contains(message));
        let entry = entry.unwrap_or_else(|| panic!("{to}: {wrong}"));
        let changed = text.find(to).expect("what was replaced");
        let around = text.get(changed..).and_then(|rest| rest.find(at)).map(|found| place(&text, changed + found));
        let seen = (entry.line.expect("a line"), entry.column.expect("a column"));
        let wanted = around.unwrap_or((0, 0));
        assert_eq!(seen, if *at == "apiVersion" { (2, 1) } else { wanted }, "{to}: {wrong}");
        let written = entry.suggestion.as_deref().unwrap_or_default();
        assert!(written.starts_with(instead), "{to}: {wrong}");
    }
}

#[test]
fn every_problem_has_a_suggestion_and_a_place() {
    for (from, to, ..) in CASES {
        let text = example().replacen(from, to, 1);
        let wrong = PolicyFile::parse("policy.yaml", &text, &LocalHints::default()).expect_err(to);
        for entry in wrong.entries() {
            assert!(entry.line.is_some() && entry.column.is_some() && entry.suggestion.is_some(), "{to}: {wrong}");
        }
    }
}
