//! `meridian test`: a policy's own tests pass, fail and cannot be run, each with its exit code and its place.

// What the tests share may fail them as they may themselves.
#![allow(clippy::expect_used)]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn examples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/static")
}

/// Runs the example's tests with `from` replaced by `to`, beside a copy of the example's policy.
fn run(from: &str, to: &str, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let text = std::fs::read_to_string(examples().join("policy-test.yaml")).expect("the example is there");
    assert!(text.contains(from), "the example still holds `{from}`");
    let file = folder.path().join("policy-test.yaml");
    std::fs::write(&file, text.replacen(from, to, 1)).expect("the folder can be written to");
    std::fs::copy(examples().join("policy.yaml"), folder.path().join("policy.yaml")).expect("the example is there");
    let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
    command.arg("test").arg(&file).args(more).output().expect("the command runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_examples_own_tests_pass_with_exit_code_0() {
    let output = run("", "", &[]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "6 passed, 0 failed\n"));
}

#[test]
fn several_files_are_one_run() {
    let other = examples().join("policy-test.yaml").display().to_string();
    assert_eq!(stdout(&run("", "", &[&other])), "12 passed, 0 failed\n");
}

#[test]
fn a_failed_test_shows_what_was_expected_what_was_seen_and_how_to_ask_again() {
    let output = run("chosen: eu-central-1, reason: failover", "chosen: eu-west-1, reason: failover", &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    assert!(said.starts_with("failed: accounts of Europe fail over inside Europe\n"), "{said}");
    assert!(said.contains("policy-test.yaml:14:20\n14 |   expect: {chosen: eu-west-1, reason: failover"), "{said}");
    assert!(
        said.contains("  expected chosen: eu-west-1\n  seen     chosen: eu-central-1\n  ask it yourself: "),
        "{said}"
    );
    assert!(
        said.contains("--request 'GET https://accounts.example.com/ region: eu' --ejected eu-west-1 --cluster primary")
    );
    assert!(said.ends_with("5 passed, 1 failed\n"), "{said}");
}

#[test]
fn machines_get_every_outcome_with_its_place() {
    let output = run("status: 503", "status: 400", &["--output", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!((&answer["passed"], &answer["failed"]), (&5.into(), &1.into()));
    let failed = answer["tests"].as_array().expect("a list").iter().find(|test| test["passed"] == false);
    let differences = &failed.expect("one that failed")["differences"];
    let expected = serde_json::json!([{"key": "status", "expected": 400, "seen": 503, "line": 21, "column": 34}]);
    assert_eq!(differences, &expected);
}

#[test]
fn a_key_that_is_not_given_is_not_compared() {
    let output = run("expect: {want: eu-west-1, reason: fenced}", "expect: {reason: fenced}", &[]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn wrong_input_is_told_with_its_place_and_exit_code_2() {
    for (from, to, message, place) in [
        ("reason: local", "resaon: local", "is not a key of an explanation", ":7:"),
        ("ejected: [eu-west-1]", "ejected: [mars]", "there is no region `mars` in the policy", ":13:13"),
        ("ejected: [eu-west-1]", "at: soon", "`soon` is not a time; write e.g. `2026-11-20T10:00:00Z`", ":13:7"),
        ("request: GET https://elsewhere.example.com/", "request: GET", "has no URL; write e.g.", ":23:12"),
        ("expect: {rule: null}", "expect: {}", "expects nothing", ":24:11"),
        ("expect: {rule: null}", "expcet: {rule: null}", "unknown field `expcet`, expected one of", ":24:11"),
        ("  expect: {rule: null}", "", "missing field `expect`", ":22:3"),
        ("cluster: primary", "tests: []", "stands twice here", ":4:1"),
        ("policy: policy.yaml", "policy: none.yaml", "none.yaml cannot be read; check the path", "none.yaml"),
    ] {
        let output = run(from, to, &[]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{to}: {said}");
        assert!(said.contains(message) && said.contains(place), "{to}: {said}");
    }
}
