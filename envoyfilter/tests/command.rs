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
fn one_of_a_thing_is_not_several() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("policy.yaml").display().to_string();
    let policy = "{apiVersion: meridian/v1, role: gateway, regions: [{name: a, clusters: [a], displayName: A}], services: \
                  [{name: s, hosts: [s.example.com], destination: {host: s.s.svc.cluster.local, port: 80}}]}";
    std::fs::write(&path, policy).expect("the folder can be written to");
    let output = meridian(&["validate", &path]);
    assert!(
        stdout(&output).ends_with("is a policy: 1 region, 1 service, 1 host.\n"),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
}

#[test]
fn every_error_of_a_wrong_policy_is_shown_where_it_stands_with_exit_code_2() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let policy = changed(&folder, "fence: eu\n  timeout: 10s", "fence: ue\n  timeout: 10");
    let output = meridian(&["validate", &policy]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("error: rules[0].fence: unknown fence `ue`, did you mean `eu`?\n"), "{said}");
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
        "candidates": [
            {"region": "eu-west-1", "why": "ejected for 30 s"},
            {"region": "eu-central-1", "why": "chosen"},
            {"region": "us-sanjose-1", "why": "outside the fence of the rule"},
        ],
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
fn explain_shares_out_by_weight_what_asks_for_no_region_and_leaves_out_what_is_ejected() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let weights = "name: everyone\n  distribute: {us-sanjose-1: 70, eu-west-1: 20, eu-central-1: 10}";
    let policy = changed(&folder, "name: everyone", weights);
    let explain = |ejected: &[&str]| {
        let request = "GET https://bookinfo.example.com/";
        let mut arguments = vec!["explain", &policy, "--output", "json", "--request", request];
        arguments.extend(ejected.iter().flat_map(|region| ["--ejected", region]));
        let answer: Value = serde_json::from_str(&stdout(&meridian(&arguments))).expect("JSON");
        (answer["reason"].clone(), answer["chosen"].clone(), answer["split"].clone())
    };
    let weighted = |shares| (Value::from("weighted"), Value::Null, shares);
    let all = serde_json::json!({"us-sanjose-1": 70, "eu-west-1": 20, "eu-central-1": 10});
    assert_eq!(explain(&[]), weighted(all));
    let rest = serde_json::json!({"us-sanjose-1": 90, "eu-central-1": 10});
    assert_eq!(explain(&["eu-west-1"]), weighted(rest), "the first of the order takes over");
}

#[test]
fn explain_tells_a_share_that_fails_over_from_one_that_was_meant_where_both_end_in_one_region() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let weights = "fence: eu\n  distribute: {eu-west-1: 70, eu-central-1: 30}";
    let policy = changed(&folder, "fence: eu", weights);
    let arguments = ["explain", &policy, "--request", "GET https://accounts.example.com/", "--ejected", "eu-west-1"];
    let answer: Value =
        serde_json::from_str(&stdout(&meridian(&[&arguments[..], &["--output", "json"]].concat()))).expect("JSON");
    let seen = (&answer["chosen"], &answer["plan"], &answer["reason"], &answer["reasons"]);
    let (chosen, plan) = (Value::from("eu-central-1"), Value::from("prefer-eu-central-1-in-eu"));
    let reasons = serde_json::json!({"failover": 70, "weighted": 30});
    assert_eq!(seen, (&chosen, &plan, &"failover".into(), &reasons));
    let said = stdout(&meridian(&arguments));
    assert!(said.contains("reason  failover for 70 %, weighted for 30 %, by the rule eu-residents\n"), "{said}");
    assert!(said.contains("native  shares out by weight; the filter writes the plan\n"), "{said}");
    let most_is_meant = policy_with_shares(&folder, "{eu-west-1: 30, eu-central-1: 70}");
    let output = meridian(&[
        "explain",
        &most_is_meant,
        "--output",
        "json",
        arguments[2],
        arguments[3],
        "--ejected",
        "eu-west-1",
    ]);
    let answer: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(
        (&answer["want"], &answer["reason"]),
        (&"eu-central-1".into(), &"weighted".into()),
        "not the reason of the number 0"
    );
}

fn policy_with_shares(folder: &tempfile::TempDir, shares: &str) -> String {
    changed(folder, "fence: eu", &format!("fence: eu\n  distribute: {shares}"))
}

#[test]
fn explain_tells_the_share_that_is_refused_where_the_others_are_served() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let shares = "fence: eu\n  failover: [{from: eu-west-1, to: []}]\n  distribute: {eu-west-1: 70, eu-central-1: 30}";
    let policy = changed(&folder, "fence: eu", shares);
    let output =
        meridian(&["explain", &policy, "--request", "GET https://accounts.example.com/", "--ejected", "eu-west-1"]);
    assert_eq!(output.status.code(), Some(0), "not all of them are refused");
    assert!(stdout(&output).contains("chosen  by weight: eu-central-1 30 %; refused 70 %\n"), "{}", stdout(&output));
}

#[test]
fn explain_reads_an_escaped_slash_as_the_rendered_routes_do() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let rule = |policy: &str, path: &str| {
        let request = format!("GET https://accounts.example.com{path}");
        let output = meridian(&["explain", policy, "--output", "json", "--request", &request]);
        serde_json::from_str::<Value>(&stdout(&output)).expect("JSON")["rule"].clone()
    };
    let by_path = changed(&folder, "{services: [accounts]}", "{services: [accounts], pathPrefix: /eu/}");
    for path in ["/eu/x", "/eu%2fx", "//eu/x", "/y/..%2Feu/x", "/%65u/x"] {
        assert_eq!(rule(&by_path, path), "eu-residents", "{path}");
    }
    for path in ["/x", "/eu%2f..%2fx", "/eu%252fx"] {
        assert_eq!(rule(&by_path, path), "everyone", "{path}");
    }
    let no_fence = "match: {services: [accounts], pathPrefix: /eu/}\n";
    let unfenced = changed(&folder, "match: {services: [accounts]}\n  fence: eu\n", no_fence);
    assert_eq!(rule(&unfenced, "/eu%2fx"), "everyone", "no fence depends on it, so the application reads it");
}

#[test]
fn explain_takes_the_time_it_is_told_and_says_how_to_write_one() {
    let request = "GET https://accounts.example.com/";
    assert_eq!(explain(request, &["--at", "2026-11-20T10:00:00Z"]).status.code(), Some(0));
    let wrong = explain(request, &["--at", "tomorrow"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("write e.g. `2026-11-20T10:00:00Z`"), "{}", stderr(&wrong));
}

#[test]
fn people_read_every_region_and_why_it_was_not_taken() {
    let request = "GET https://accounts.example.com/ region: us";
    let output = meridian(&["explain", &example("policy.yaml"), "--request", request, "--ejected", "eu-west-1"]);
    let expected = "\
asked   us-sanjose-1
want    eu-west-1
chosen  eu-central-1, by the plan prefer-eu-central-1-in-eu
reason  failover, by the rule eu-residents
native  prefer-eu-west-1-in-eu; the filter writes the plan
regions eu-west-1: ejected for 30 s
        eu-central-1: chosen
        us-sanjose-1: outside the fence of the rule
";
    assert_eq!(stdout(&output), expected);
}

#[test]
fn colour_is_for_terminals_and_for_whoever_insists() {
    let with = |name: &str, value: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
        let command = command.args(["validate", "no-such-file.yaml"]).env(name, value);
        stderr(&command.output().expect("the command runs"))
    };
    assert!(with("CLICOLOR_FORCE", "1").starts_with("\u{1b}["));
    assert!(with("TERM", "xterm-256color").starts_with("error"), "a pipe is no terminal");
    assert!(with("NO_COLOR", "1").starts_with("error"));
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let output = meridian(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("validate") && stdout(&output).contains("explain"), "{shell}");
    }
}

#[test]
fn every_commands_help_says_how_it_exits() {
    let help = stdout(&meridian(&["--help"]));
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for command in commands.filter_map(|line| line.split_whitespace().next()).filter(|command| *command != "help") {
        assert!(stdout(&meridian(&[command, "--help"])).contains("Exit codes: 0"), "{command}");
    }
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
