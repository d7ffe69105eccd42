//! From a document to a policy and back: what the compiler read, the types can say again, and it means the same.

// What the tests share may fail them as they may themselves.
#![allow(clippy::expect_used)]

mod arbitrary;

use arbitrary::documents;
use meridian::document::Document;
use meridian::policy_file::PolicyFile;
use meridian_core::{LocalHints, Policy, Problem, UnknownKeys, compile};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A sidecar in one of the clusters that any policy names first.
fn hints() -> LocalHints<'static> {
    LocalHints { cluster_id: Some("cluster 0 of 0"), namespace: Some("shop"), ..LocalHints::default() }
}

fn compiled(document: &Document) -> Result<Policy, Vec<Problem>> {
    compiled_tree(&serde_json::to_value(document).expect("a document is JSON"))
}

fn compiled_tree(document: &Value) -> Result<Policy, Vec<Problem>> {
    compile(document, UnknownKeys::Refuse, &hints()).map(|(policy, _)| policy)
}

/// The policies of the examples and of the README.
fn examples() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = std::fs::read_dir(root.join("examples")).expect("the examples are there");
    let policies = folders.map(|folder| folder.expect("an entry").path().join("policy.yaml"));
    policies.map(|path| (path.clone(), std::fs::read_to_string(path).expect("each has a policy"))).collect()
}

#[test]
fn an_examples_policy_written_back_is_the_same_policy() {
    let examples = examples();
    assert!(examples.len() >= 10);
    for (path, text) in examples {
        let name = path.display().to_string();
        let file = PolicyFile::parse(&name, &text, &LocalHints::default()).expect(&name);
        let policy = compiled_tree(&file.document).expect(&name);
        let again = compiled(&Document::from(&policy)).expect(&name);
        assert!(again.means_the_same_as(&policy), "{name}");
    }
}

#[test]
fn what_a_document_leaves_out_is_what_the_types_say_it_is() {
    let bare = json!({
        "apiVersion": "meridian/v1", "role": "gateway",
        "regions": [{"name": "eu", "clusters": ["a"]}],
        "services": [{"name": "page", "hosts": ["*"], "destination": {"host": "page", "port": 80}}],
        "rules": [{"name": "all", "rescue": {}}], "outlierDetection": {"failurePercentage": {}}, "warmup": {}, "tag": {},
    });
    let filled: Document = serde_json::from_value(bare.clone()).expect("the types read it");
    let mut compiled = Document::from(&compiled_tree(&bare).expect("it is a policy"));
    compiled.regions[0].display_name = None;
    assert_eq!(compiled, filled);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_policy_written_back_is_the_same_policy(document in documents()) {
        let policy = compiled(&document).expect("any document is a policy");
        let back = Document::from(&policy);
        let again = compiled(&back).expect("what is written back is a policy");
        prop_assert!(again.means_the_same_as(&policy), "{back:?}");
        prop_assert_eq!(Document::from(&again), back, "the written form is final");
    }
}
