//! The schema against the compiler: the one is made from types, the other is code of its own, and they must say the same.

// What the tests share may fail them as they may themselves.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use jsonschema::Validator;
use meridian::document::Document;
use meridian::policy_file::PolicyFile;
use meridian::schema::schema;
use meridian_core::{LocalHints, Problem, UnknownKeys, compile};
use proptest::prelude::*;
use regex_lite::Regex;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

/// A policy that uses every key there is.
fn everything() -> Value {
    let mut document = json!({
        "apiVersion": "meridian/v1", "role": "gateway", "local": "us-east-1", "regionHeader": "x-where", "table": "full",
        "stage": "enforce", "tag": {"public": false}, "verify": {"onMismatch": "block"},
        "headers": {"servedBy": "x-cluster", "decision": "x-why", "route": "x-plan", "explain": "x-tell-me"}, "critical": ["rules"],
        "explain": {"keySha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "public": false},
        "warmup": {"duration": "0s", "minimumPercent": 5, "aggression": 1.5, "halfOpenRequests": 2},
        "regions": [
            {"name": "us-east-1", "clusters": ["east"], "displayName": "EAST", "aliases": ["us"]},
            {"name": "eu-west-1", "clusters": ["west"]},
        ],
        "fences": {"eu": ["eu-west-1"]},
        "services": [{
            "name": "page", "hosts": ["page.example.com", "*.page.example.com"],
            "destination": {"host": "page.default.svc.cluster.local", "port": 80}, "probe": {"path": "/healthz"},
        }],
        "rules": [
            {
                "name": "residents", "fence": "eu", "failover": [{"from": "eu-west-1", "to": []}], "timeout": "1.5s",
                "distribute": {"eu-west-1": 100},
                "match": {
                    "services": ["page"], "hosts": ["page.example.com"], "pathPrefix": "/a", "methods": ["GET"],
                    "headers": [{"name": "x", "exact": "y z", "trusted": true}],
                    "claims": [{"claim": "realm.tenant", "value": "acme corp"}],
                },
                "rescue": {"attempts": 1, "perTryTimeout": "250ms", "methods": ["GET"]},
                "onUnknownRegion": "reject", "whenExhausted": "fail",
            },
            {"name": "rest", "distribute": {"us-east-1": 60, "eu-west-1": 40}},
        ],
        "drills": [{
            "name": "q4", "region": "us-east-1", "services": ["page"], "percent": 10, "from": "2026-11-20T10:00:00Z",
            "until": "2026-11-20T12:00:00+01:00",
        }],
        "activeHealthCheck": {
            "interval": "3s", "timeout": "1s", "unhealthyThreshold": 3, "healthyThreshold": 1, "expectedStatuses": [200],
        },
        "outlierDetection": {
            "consecutiveGatewayErrors": 5, "consecutive5xxErrors": 0, "interval": "10s", "baseEjectionTime": "30s",
            "maxEjectionTime": "5m", "maxEjectionPercent": 100, "stallTimeout": "5s",
            "failurePercentage": {"threshold": 50, "requestVolume": 100},
        },
    });
    document["shadow"] = json!({"rules": document["rules"]});
    document
}

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema()).expect("the schema is one"));

fn accepts(document: &Value) -> bool {
    VALIDATOR.is_valid(document)
}

fn problems(document: &Value) -> Vec<Problem> {
    compile(document, UnknownKeys::Refuse, &LocalHints::default()).err().unwrap_or_default()
}

/// Whether a problem is one of shape, which a schema can see; others are about names, sums and what fits together.
fn is_of_shape(problem: &Problem) -> bool {
    let message = &problem.message;
    ["is required and missing", "is not a key", "is not one of the words", "which is not between"]
        .iter()
        .any(|shape| message.contains(shape))
        || message.starts_with("is ") && message.contains(", not ")
}

/// Every object of the schema with keys of its own: its pointer in `everything()`, its path, and its keys.
fn objects(schema: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String, BTreeSet<String>)>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        found.push((pointer.to_owned(), path.to_owned(), properties.keys().cloned().collect()));
        for (key, schema) in properties {
            let dot = if path.is_empty() { "" } else { "." };
            objects(schema, &format!("{pointer}/{key}"), &format!("{path}{dot}{key}"), found);
        }
    }
    if let Some(items) = schema.get("items") {
        objects(items, &format!("{pointer}/0"), &format!("{path}[0]"), found);
    }
}

/// Every word that stands in the compiler's source: whatever key it accepts must be one of them.
fn words(folder: &Path, found: &mut BTreeSet<String>) {
    let word = Regex::new(r#""([A-Za-z0-9]{2,40})""#).expect("a pattern compiles");
    for entry in std::fs::read_dir(folder).expect("the compiler's source is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            words(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).expect("source is text");
            found.extend(word.captures_iter(&text).filter_map(|found| Some(found.get(1)?.as_str().to_owned())));
        }
    }
}

#[test]
fn the_compiler_and_the_schema_accept_a_policy_that_uses_every_key() {
    assert_eq!(problems(&everything()), []);
    assert!(accepts(&everything()));
    let mut found = Vec::new();
    objects(&schema(), "", "", &mut found);
    for (pointer, _, keys) in &found {
        for key in keys {
            assert!(everything().pointer(&format!("{pointer}/{key}")).is_some(), "`everything` lacks {pointer}/{key}");
        }
    }
}

#[test]
fn the_schema_is_one() {
    jsonschema::meta::validate(&schema()).expect("the schema of schemas accepts it");
}

#[test]
fn the_kept_schema_is_what_the_types_say() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("policy.schema.json");
    let kept = std::fs::read_to_string(kept).expect("the schema is kept");
    let now = serde_json::to_string_pretty(&schema()).expect("a schema is JSON") + "\n";
    assert!(
        kept == now,
        "envoyfilter/policy.schema.json is not what the types of envoyfilter/src/document say any more; renew it with \
         `cargo run -p meridian -- schema > envoyfilter/policy.schema.json`"
    );
}

#[test]
fn the_types_read_and_write_every_key() {
    let document: Document = serde_json::from_value(everything()).expect("the types know every key");
    let written = serde_json::to_value(&document).expect("a document is JSON");
    assert_eq!(serde_json::from_value::<Document>(written).expect("what is written can be read"), document);
}

#[test]
fn a_value_of_another_type_is_refused_by_both_wherever_it_stands() {
    let mut places = Vec::new();
    pointers(&everything(), String::new(), &mut places);
    for place in &places {
        for value in [json!({}), json!([]), json!("text"), json!(true), json!(7), Value::Null] {
            let mut document = everything();
            let found = document.pointer_mut(place).expect("a place");
            if std::mem::discriminant(found) == std::mem::discriminant(&value) {
                continue;
            }
            *found = value.clone();
            assert!(!problems(&document).is_empty(), "the compiler takes {value} at {place}");
            assert!(!accepts(&document), "the schema takes {value} at {place}");
        }
    }
}

#[test]
fn at_every_place_the_compiler_knows_the_keys_that_the_schema_knows_and_no_others() {
    let mut words_found = BTreeSet::new();
    words(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../filter/core/src/config"), &mut words_found);
    assert!(words_found.len() > 50, "{words_found:?}");
    let mut places = Vec::new();
    objects(&schema(), "", "", &mut places);
    for (pointer, path, keys) in &places {
        for word in words_found.iter().chain(keys) {
            let mut document = everything();
            let object = document.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object");
            object.insert(word.clone(), Value::Null);
            let at = if path.is_empty() { word.clone() } else { format!("{path}.{word}") };
            let refused =
                problems(&document).iter().any(|problem| problem.path == at && problem.message.contains("not a key"));
            assert_eq!(
                !refused,
                keys.contains(word),
                "`{at}`: whether the compiler accepts this key, and whether src/document has it"
            );
        }
    }
}

/// Whether a text is a policy; rendered manifests hold one, further in.
fn is_policy(text: &str) -> bool {
    text.lines().any(|line| line == "apiVersion: meridian/v1")
}

#[test]
fn every_example_is_what_the_schema_describes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut checked = 0;
    let mut folders = vec![root.join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the examples are there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).is_ok_and(|text| is_policy(&text)) {
                let file = PolicyFile::load(&path, &LocalHints::default()).expect("an example is a policy");
                assert!(accepts(&file.document), "{}", path.display());
                checked += 1;
            }
        }
    }
    let readme = std::fs::read_to_string(root.join("../README.md")).expect("the README is there");
    for block in readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        if is_policy(block) {
            let file = PolicyFile::parse("README.md", block, &LocalHints::default()).expect("the README's is a policy");
            assert!(accepts(&file.document));
            checked += 1;
        }
    }
    assert!(checked >= 2);
}

/// Every place of a document.
fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| pointers(item, format!("{at}/{i}"), found));
        }
        Value::Object(map) => map.iter().for_each(|(key, item)| pointers(item, format!("{at}/{key}"), found)),
        _ => {}
    }
    found.push(at);
}

/// Values that are sometimes right.
fn values() -> impl Strategy<Value = Value> {
    let words = ["eu", "us-east-1", "*", "10s", "1.5m", "/", "GET", "page", "EAST", "x-y", "enforce", "a b", " a", "ä"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u64..70_000).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        proptest::sample::select(words.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,6}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_schema_never_refuses_what_the_compiler_accepts_and_accepts_nothing_of_the_wrong_shape(
        place in any::<prop::sample::Index>(),
        value in values(),
        remove in proptest::bool::weighted(0.2),
    ) {
        let mut document = everything();
        let mut places = Vec::new();
        pointers(&document, String::new(), &mut places);
        let place: &String = place.get(&places);
        match place.rsplit_once('/') {
            Some((parent, key)) if remove => {
                match document.pointer_mut(parent).expect("a place") {
                    Value::Object(map) => { map.remove(key); }
                    Value::Array(items) => { items.pop(); }
                    _ => {}
                }
            }
            _ => *document.pointer_mut(place).expect("a place") = value,
        }
        let problems = problems(&document);
        let accepted = accepts(&document);
        prop_assert!(accepted || !problems.is_empty(), "the schema refuses what the compiler accepts: {place}: {document}");
        let of_shape: Vec<_> = problems.iter().filter(|problem| is_of_shape(problem)).collect();
        prop_assert!(!accepted || of_shape.is_empty(), "the schema accepts what the compiler refuses: {of_shape:#?}");
    }
}
