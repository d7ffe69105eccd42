//! The alert rules that users get: they are rules, each does what it says, both forms are the same, and what they ask for is there.
//!
//! That each waits, fires and is over on real Envoys is assertion 12 of the list in `verify`. What needs Prometheus is skipped, and said
//! so, where it cannot be had.

#![allow(clippy::unwrap_used, reason = "what the tests share may fail them as they may themselves")]

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output};

use integration::mesh::{Mesh, Workload};
use integration::paths;
use integration::prometheus::{FOLDER, Tools};
use integration::verify::POLICY;

const RULES: &str = "meridian.rules.yaml";
const MANIFEST: &str = "prometheusrule.yaml";
const UNIT_TESTS: &str = "meridian.test.yaml";
/// Counters that exist only once there is something to count, and a gauge that begins with a worker's first tick.
const LATE: [&str; 3] = ["meridian_refused_total", "meridian_host_errors_total", "meridian_heartbeat_seconds"];

fn folder() -> PathBuf {
    paths::workspace().join(FOLDER)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// What promtool says, or nothing where there is none.
async fn promtool(arguments: &[&str]) -> Option<Output> {
    let tools = Tools::get().await.unwrap();
    if tools.is_none() {
        println!("SKIPPED: a Prometheus cannot be had on this machine");
    }
    Some(tools?.promtool(arguments, &folder()).await.unwrap())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// The metrics of the filter that a text names.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    words.filter(|word| word.starts_with("meridian_") || word.starts_with("envoy_wasm_")).collect()
}

#[tokio::test]
async fn prometheus_takes_the_rules() {
    let Some(output) = promtool(&["check", "rules", RULES]).await else { return };
    assert!(output.status.success() && said(&output).contains("8 rules found"), "{}", said(&output));
}

#[tokio::test]
async fn each_rule_does_what_it_says_with_series_that_are_made_up() {
    let Some(output) = promtool(&["test", "rules", UNIT_TESTS]).await else { return };
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn each_rule_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() {
    let (rules, tests) = (read(RULES), read(UNIT_TESTS));
    let names: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(names.len(), 8);
    for name in names {
        let fires = tests.contains(&format!("    alertname: {name}\n    exp_alerts:"));
        let quiet = tests.contains(&format!("alertname: {name}}}"));
        assert!(fires && quiet, "{name}");
    }
}

/// `MERIDIAN_RECORD=1` writes the manifest anew.
#[test]
fn the_manifest_for_the_operator_holds_the_same_rules() {
    let (rules, manifest) = (read(RULES), read(MANIFEST));
    let (_, groups) = rules.split_once("\ngroups:").unwrap();
    let indented = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") };
    let groups: String = format!("groups:{groups}").lines().map(indented).collect();
    let (head, _) = manifest.split_once("\nspec:\n").unwrap();
    let expected = format!("{head}\nspec:\n{groups}");
    if std::env::var_os("MERIDIAN_RECORD").is_some() {
        std::fs::write(folder().join(MANIFEST), &expected).unwrap();
    } else {
        assert_eq!(manifest, expected, "run this test with MERIDIAN_RECORD=1");
    }
    assert!(head.contains("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rules_ask_for_an_envoy_with_the_filter_shows_from_the_start() {
    let mesh = Mesh::builder().workloads(Workload::productpage()).start().await.unwrap();
    let ingress = mesh.ingress("primary").policy(POLICY).start().await.unwrap();
    let shown = ingress.envoy().admin("GET", "/stats/prometheus").await.unwrap().text();
    let rules = read(RULES);
    let expressions: String = rules.lines().filter(|line| !line.trim_start().starts_with(['#', '`'])).collect();
    let shown = metrics(&shown);
    let asked = metrics(&expressions);
    assert!(asked.len() >= 6, "{asked:?}");
    for name in asked {
        let described_only = name == "meridian_ejections_total";
        assert!(shown.contains(name) || LATE.contains(&name) || described_only, "{name} is not among {shown:?}");
    }
}

#[test]
fn the_readme_lists_every_alert_with_its_severity() {
    let (rules, readme) = (read(RULES), read("README.md"));
    let mut lines = rules.lines().map(str::trim);
    while let Some(name) = lines.by_ref().find_map(|line| line.strip_prefix("- alert: ")) {
        let severity = lines.by_ref().find_map(|line| line.strip_prefix("labels: {severity: ")).unwrap();
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let expected = format!("| {} |", severity.trim_end_matches('}'));
        assert!(row.is_some_and(|row| row.ends_with(&expected)), "{name}: {row:?}");
    }
}

#[test]
fn without_a_prometheus_there_is_one_plain_sentence_and_a_status_of_its_own() {
    let (root, path) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let setup = root.path().join("integration/setup");
    std::fs::create_dir_all(&setup).unwrap();
    for script in ["common.sh", "prometheus.sh"] {
        std::fs::copy(paths::workspace().join("integration/setup").join(script), setup.join(script)).unwrap();
    }
    for tool in ["dirname", "mkdir", "flock", "mktemp", "rm"] {
        let found = Command::new("/bin/bash").args(["-c", &format!("command -v {tool}")]).output().unwrap();
        symlink(String::from_utf8(found.stdout).unwrap().trim(), path.path().join(tool)).unwrap();
    }
    let output = Command::new("/bin/bash").arg(setup.join("prometheus.sh")).env("PATH", path.path()).output().unwrap();
    let expected = "Prometheus cannot be had here: install prometheus and promtool and run this again.\n";
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(2), expected));
    assert!(!root.path().join("target/prometheus/promtool").exists());
}
