//! Mistakes, one a file in `bad_documents`, and what `meridian validate` says to each, kept beside them word for word.
//!
//! A message is part of what a person uses, so a change to one is read before it is kept: `INSTA_UPDATE=always cargo test -p meridian
//! --test bad_documents`, then the difference.

// What the tests share may fail them as they may themselves.
#![allow(clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_documents")
}

/// The names in a folder of files that end like this, without that end.
fn names(folder: &Path, end: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder).expect("the folder is there");
    let names = files.map(|file| file.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter_map(|name| Some(name.strip_suffix(end)?.to_owned())).collect()
}

fn validate(name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
    command.arg("validate").arg(name).args(arguments).current_dir(folder());
    command.output().expect("the command runs")
}

#[test]
fn every_mistake_is_told_in_the_words_that_are_kept() {
    insta::with_settings!({ snapshot_path => "bad_documents/said", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::glob!("bad_documents/*.yaml", |path| {
            let name = path.file_name().expect("a file").to_string_lossy();
            let said = validate(&name, &[]);
            assert_eq!((said.status.code(), said.stdout.as_slice()), (Some(2), &b""[..]), "{name} is wrong input");
            insta::assert_snapshot!("said", String::from_utf8_lossy(&said.stderr));
        });
    });
}

#[test]
fn every_mistake_has_a_place_and_something_to_write_instead() {
    for name in names(&folder(), ".yaml") {
        let said = validate(&format!("{name}.yaml"), &["--output", "json"]);
        let answer: serde_json::Value = serde_json::from_slice(&said.stdout).expect("the answer is JSON");
        let problems = answer["problems"].as_array().expect("a list");
        assert!(!problems.is_empty(), "{name}");
        for problem in problems {
            assert!(problem["line"].is_u64() && problem["column"].is_u64(), "{name}: {problem}");
            assert!(problem["suggestion"].is_string(), "{name}: {problem}");
        }
    }
}

#[test]
fn what_is_kept_belongs_to_a_mistake() {
    let mistakes = names(&folder(), ".yaml");
    assert!(mistakes.len() >= 100, "{} mistakes", mistakes.len());
    let kept = names(&folder().join("said"), ".yaml.snap");
    let kept: BTreeSet<_> = kept.iter().map(|name| name.rsplit('@').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(kept, mistakes);
}
