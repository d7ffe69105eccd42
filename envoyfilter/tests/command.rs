//! The command as people and scripts meet it: what it prints, and how it exits.

// What the tests share may fail them as they may themselves.
#![allow(clippy::expect_used)]

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};

fn example(file: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/static").join(file).display().to_string()
}

fn meridian(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meridian")).args(arguments).output().expect("the command runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The example policy with `from` replaced by `to`, in a file that lives as long as the folder.
fn changed(folder: &tempfile::TempDir, from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(example("policy.yaml")).expect("the example is there");
    assert!(text.contains(from), "the example still holds `{from}`");
    let path = folder.path().join("policy.yaml");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("the folder can be written to");
    path.display().to_string()
}

fn explain(request: &str, more: &[&str]) -> Output {
    let policy = example("policy.yaml");
    let mut arguments = vec!["explain", &policy, "--cluster", "primary", "--output", "json", "--request", request];
    arguments.extend_from_slice(more);
    meridian(&arguments)
}

#[test]
fn a_good_policy_is_called_one_with_exit_code_0() {
    let output = meridian(&["validate", &example("policy.yaml")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).ends_with("is a policy: 3 regions, 2 services, 2 hosts.\n"));
}

#[test]
fn every_error_of_a_wrong_policy_is_shown_where_it_stands_with_exit_code_2() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let policy = changed(&folder, "fence: eu\n  timeout: 10s", "fence: ue\n  timeout: 10");
    let output = meridian(&["validate", &policy]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("error: rules[0].fence: there is no fence `ue`\n"), "{said}");
    assert!(said.contains("policy.yaml:20:10\n20 |   fence: ue\n   |          ^\n"), "{said}");
    assert!(said.contains("error: rules[0].timeout: is a number, not a duration\n"), "{said}");
    assert!(said.ends_with("2 errors found\n"), "{said}");
}

#[test]
fn machines_get_the_same_problems_as_json() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let output = meridian(&["validate", &changed(&folder, "regions:", "regoins:"), "--output", "json"]);
    let problems: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let found = problems["problems"].as_array().expect("a list").iter().find(|problem| problem["path"] == "regoins");
    assert_eq!(found.expect("the misspelt key")["suggestion"], "`regions`");
}

#[test]
fn a_file_that_is_not_yaml_is_said_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let output = meridian(&["validate", &changed(&folder, "role: gateway", "role: [gateway")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("policy.yaml:"), "{}", stderr(&output));
}

#[test]
fn a_file_that_is_not_there_is_said_plainly() {
    let output = meridian(&["validate", "no-such-file.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).starts_with("error: no-such-file.yaml cannot be read; check the path"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn explain_tells_a_failover_with_what_was_skipped() {
    let request = "GET https://accounts.example.com/ region: eu";
    let output = explain(request, &["--ejected", "eu-west-1"]);
    let answer: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let expected = serde_json::json!({
        "asked": "eu-west-1", "want": "eu-west-1", "chosen": "eu-central-1", "plan": "prefer-eu-central-1-in-eu",
        "native": "prefer-eu-west-1-in-eu", "reason": "failover", "rule": "eu-residents",
        "skipped": [{"region": "eu-west-1", "why": "ejected for 30 s"}],
    });
    assert_eq!((output.status.code(), answer), (Some(0), expected));
}

#[test]
fn explain_exits_with_3_for_a_refusal() {
    let request = "GET https://accounts.example.com/";
    let output = explain(request, &["--ejected", "eu-west-1", "--ejected", "eu-central-1"]);
    let answer: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!((output.status.code(), &answer["chosen"], &answer["status"]), (Some(3), &Value::Null, &503.into()));
}

#[test]
fn explain_exits_with_2_for_a_host_or_a_region_nobody_knows() {
    assert_eq!(explain("GET https://other.example.com/", &[]).status.code(), Some(2));
    assert_eq!(explain("GET https://accounts.example.com/", &["--ejected", "mars"]).status.code(), Some(2));
}

#[test]
fn render_writes_a_whole_envoy_and_the_same_one_every_time() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().join("out").display().to_string();
    let render = || {
        let arguments = ["render", "envoy", &example("policy.yaml"), "--site", &example("site.yaml"), "-o", &out];
        let output = meridian(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        std::fs::read_to_string(folder.path().join("out/envoy.json")).expect("the file was written")
    };
    let first = render();
    assert_eq!(first, render());
    let bootstrap: Value = serde_json::from_str(&first).expect("JSON");
    assert_eq!(bootstrap["static_resources"]["clusters"].as_array().map(Vec::len), Some(5));
}

#[test]
fn render_names_an_endpoint_that_the_policy_does_not_know() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let site = std::fs::read_to_string(example("site.yaml"))
        .expect("the example is there")
        .replace("accounts, region", "ledger, region");
    let path = folder.path().join("site.yaml").display().to_string();
    std::fs::write(&path, site).expect("the folder can be written to");
    let output = meridian(&["render", "envoy", &example("policy.yaml"), "--site", &path, "-o", &path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("endpoints[2].service: the policy has no service `ledger`"),
        "{}",
        stderr(&output)
    );
}
