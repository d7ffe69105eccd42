//! What the tests share: documents to start from, and requests to ask with.

use crate::config::{LocalHints, UnknownKeys, compile};
use crate::decide::{Decision, decide};
use crate::health::{CellKey, Health};
use crate::policy::{Policy, Timestamp};
use crate::request::RequestFacts;
use crate::worker::{Read, Store, Version, Written};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// The same tests run on the host and, under Node, on the target that ships.
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm_bindgen_test::wasm_bindgen_test as test;

/// Some time that is not the epoch.
pub(crate) const NOW: Timestamp = Timestamp(1_000_000);

/// Three regions, two of them in the fence `eu`; two services; no rules.
pub(crate) fn document() -> Value {
    json!({
        "apiVersion": "meridian/v1",
        "role": "gateway",
        "regions": [
            {"name": "us-east-1", "clusters": ["east"], "displayName": "EAST", "aliases": ["us"]},
            {"name": "eu-west-1", "clusters": ["west"], "displayName": "WEST", "aliases": ["eu", "Dublin"]},
            {"name": "eu-central-1", "clusters": ["central"], "displayName": "CENTRAL"},
        ],
        "fences": {"eu": ["eu-west-1", "eu-central-1"]},
        "services": [
            {"name": "page", "hosts": ["page.example.com"], "destination": {"host": "page.default.svc.cluster.local", "port": 80}},
            {"name": "data", "hosts": ["*.data.example.com"], "destination": {"host": "data.default.svc.cluster.local", "port": 80}},
        ],
        "rules": [],
    })
}

/// The document with this list of rules.
pub(crate) fn with_rules(rules: Value) -> Value {
    let mut document = document();
    document["rules"] = rules;
    document
}

/// Compiles a document for an Envoy in cluster `east`, or fails the test with every problem.
pub(crate) fn policy(document: &Value) -> Policy {
    let hints = LocalHints { cluster_id: Some("east"), ..LocalHints::default() };
    match compile(document, UnknownKeys::Refuse, &hints) {
        Ok((policy, _)) => policy,
        Err(problems) => panic!("{problems:#?}"),
    }
}

/// Every problem of a document, as people read them.
pub(crate) fn problems(document: &Value) -> Vec<String> {
    match compile(document, UnknownKeys::Refuse, &LocalHints::default()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// A GET of `/` at the page, with these further headers.
pub(crate) fn get<'a>(headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut lines = vec![(":method", "GET"), (":authority", "page.example.com"), (":path", "/")];
    lines.extend_from_slice(headers);
    lines
}

/// Decides for these header lines.
pub(crate) fn decided(policy: &Policy, health: &Health, headers: &[(&str, &str)]) -> Decision {
    decide(policy, health, &RequestFacts::new(&headers.to_vec()), NOW, 0).unwrap()
}

/// Health with these regions ejected for the page for another 12 s.
pub(crate) fn ejected(policy: &Policy, regions: &[&str]) -> Health {
    let mut health = Health::default();
    for region in regions {
        health.eject(key(policy, region), NOW.plus(Duration::from_secs(12)));
    }
    health
}

/// The page in a region.
pub(crate) fn key(policy: &Policy, region: &str) -> CellKey {
    CellKey { service: policy.service_named("page").unwrap(), region: policy.region_named(region).unwrap() }
}

/// A host's store, which can lose every race or fail every call.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) value: RefCell<Option<(Vec<u8>, u32)>>,
    pub(crate) broken: Cell<bool>,
    pub(crate) writes: Cell<u32>,
    pub(crate) rings: Cell<u32>,
}

impl Store for Host {
    fn read(&self) -> Read {
        match &*self.value.borrow() {
            _ if self.broken.get() => Read::Failed,
            Some((bytes, version)) => Read::Value(bytes.clone(), Version(*version)),
            None => Read::Nothing,
        }
    }

    fn write(&self, value: &[u8], since: Version) -> Written {
        let mut held = self.value.borrow_mut();
        let version = held.as_ref().map_or(Version::FIRST, |(_, version)| Version(*version));
        if self.broken.get() {
            return Written::Failed;
        }
        if version != since {
            return Written::Raced;
        }
        self.writes.set(self.writes.get() + 1);
        *held = Some((value.to_vec(), self.writes.get()));
        Written::Done
    }

    fn ring(&self) {
        self.rings.set(self.rings.get() + 1);
    }
}
