//! `meridian lint`: one mesh that is right, and every way to break it that the lint knows.

// What the tests share may fail them as they may themselves.
#![allow(clippy::expect_used, clippy::indexing_slicing)]

use meridian::lint::{CODES, Finding, lint};
use meridian::policy_file::PolicyFile;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn mesh() -> String {
    std::fs::read_to_string(root().join("tests/lint/mesh.yaml")).expect("the fixture is there")
}

fn policy() -> PolicyFile {
    PolicyFile::load_for_the_mesh(&root().join("examples/static/policy.yaml")).expect("a policy")
}

/// What the lint finds in manifests: codes, with the text of the line of each.
fn found(policy: &PolicyFile, files: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        std::fs::write(path, text).expect("the folder can be written to");
    }
    let report = lint(policy, folder.path()).expect("manifests that can be read");
    let source = |finding: &Finding| report.source(finding).expect("a line").trim().to_owned();
    report.findings.iter().map(|finding| (finding.code, source(finding))).collect()
}

/// The fixture with `from` replaced by `to`.
fn broken(from: &str, to: &str) -> String {
    let mesh = mesh();
    assert!(mesh.contains(from), "the fixture still holds `{from}`");
    mesh.replacen(from, to, 1)
}

/// A code, what is replaced in the fixture, by what, and how the line begins that it is found in.
const CASES: &[(&str, &str, &str, &str)] = &[
    (
        "MER001",
        "- name: prefer-eu-central-1-in-eu",
        "- name: prefer-eu-central-1-in-ue",
        "- name: prefer-eu-west-1-in-eu",
    ),
    ("MER001", "host: accounts.bank.svc", "host: ledger.bank.svc", "- name: accounts"),
    ("MER001", "subset: prefer-us-sanjose-1}", "subset: prefer-us}", "route: [{destination: {host: productpage"),
    ("MER002", "5, maxEjectionPercent: 100}", "5}", "outlierDetection: {consecutiveGatewayErrors: 5}"),
    ("MER002", "5, maxEjectionPercent: 100}", "5, maxEjectionPercent: 50}", "outlierDetection: {consecutive"),
    (
        "MER002",
        "{loadBalancer: {localityLbSetting: {failoverPriority: [topology.istio.io/cluster=west]}}}",
        "{outlierDetection: {interval: 1s}}",
        "trafficPolicy: {outlierDetection: {interval",
    ),
    (
        "MER003",
        "outlierDetection: {consecutiveGatewayErrors: 5, maxEjectionPercent: 100}",
        "tls: {mode: ISTIO_MUTUAL}",
        "- name: prefer-eu-west-1-in-eu",
    ),
    (
        "MER004",
        "outlierDetection: {consecutiveGatewayErrors: 5, maxEjectionPercent: 100}",
        "outlierDetection: {maxEjectionPercent: 100}\n    portLevelSettings: [{port: {number: 8080}, tls: {mode: SIMPLE}}]",
        "portLevelSettings: [{port",
    ),
    (
        "MER005",
        "labels: {fence.meridian/eu: \"true\"}\n    trafficPolicy",
        "labels: {version: v1}\n    trafficPolicy",
        "labels: {version: v1}",
    ),
    (
        "MER006",
        "labels: {fence.meridian/eu: \"true\"}\n    trafficPolicy",
        "trafficPolicy",
        "route: [{destination: {host: accounts",
    ),
    ("MER007", "- timeout: 10s\n", "- name: all\n", "- name: all"),
    ("MER007", "- timeout: 10s\n", "- timeout: 0s\n", "- timeout: 0s"),
    ("MER008", "              - remove: x-region-route\n", "", "typed_config:"),
    ("MER008", "context: GATEWAY", "context: SIDECAR_OUTBOUND", "role: gateway"),
    ("MER009", "spec: {nodeName: node-dublin}", "spec: {nodeName: node-sanjose}", "metadata: {name: accounts-0"),
    ("MER009", "region: eu-central-1}}", "region: us-sanjose-1}}", "metadata: {labels: {app: accounts, fence"),
    (
        "MER010",
        "{app: accounts, fence.meridian/eu: \"true\"}}\nspec",
        "{app: accounts}}\nspec",
        "metadata: {name: accounts-0",
    ),
    (
        "MER011",
        "{name: node-sanjose, labels: {topology.kubernetes.io/region: us-sanjose-1}}",
        "{name: node-sanjose}",
        "metadata: {name: node-sanjose}",
    ),
    ("MER012", "region: us-sanjose-1}}", "region: us-sanhose-1}}", "metadata: {name: node-sanjose"),
    (
        "MER014",
        "typed_config:\n",
        "route: {cluster_header: x-cluster}\n        typed_config:\n",
        "route: {cluster_header",
    ),
    (
        "MER015",
        "[topology.istio.io/cluster=west]",
        "[topology.istio.io/cluster=west, topology.istio.io/cluster=central]",
        "trafficPolicy: {loadBalancer",
    ),
    ("MER016", "labels: {istio-injection: enabled}", "labels: {istio-injection: disabled}", "metadata: {name: bank"),
    (
        "MER016",
        "labels: {istio-injection: enabled}",
        "labels: {istio.io/dataplane-mode: ambient}",
        "metadata: {name: bank",
    ),
    (
        "MER017",
        "{host: accounts, subset: prefer-eu-west-1-in-eu}",
        "{host: accounts}",
        "route: [{destination: {host: accounts}",
    ),
    (
        "MER018",
        "fence.meridian/eu: \"true\"}}\nspec",
        "fence.meridian/ue: \"true\", fence.meridian/eu: \"true\"}}\nspec",
        "metadata: {name: accounts-0",
    ),
    (
        "MER018",
        "fence.meridian/eu: \"true\"}}\nspec",
        "fence.meridian/eu: \"yes\"}}\nspec",
        "metadata: {name: accounts-0",
    ),
];

#[test]
fn nothing_is_found_in_a_mesh_where_the_policy_holds() {
    assert_eq!(found(&policy(), &[("mesh.yaml", &mesh())]), []);
}

#[test]
fn every_break_is_found_where_it_is() {
    for (code, from, to, line) in CASES {
        let found = found(&policy(), &[("mesh.yaml", &broken(from, to))]);
        assert!(found.iter().any(|(seen, at)| seen == code && at.starts_with(line)), "{code} by {to}: {found:#?}");
        // What leaves a fence by its subset leaves it by its routes and retries, too.
        let related: &[&str] =
            if ["MER005", "MER006", "MER017"].contains(code) { &["MER005", "MER006", "MER017"] } else { &[code] };
        assert!(found.iter().all(|(seen, _)| related.contains(seen)), "{code} and nothing else by {to}: {found:#?}");
    }
}

#[test]
fn a_table_over_its_limits_is_found() {
    let route = "  - timeout: 10s\n    route: [{destination: {host: productpage, subset: prefer-us-sanjose-1}}]\n";
    let many = broken(
        "  hosts: [bookinfo.example.com]\n  http:\n",
        &format!("  hosts: [bookinfo.example.com]\n  http:\n{}", route.repeat(60)),
    );
    assert_eq!(found(&policy(), &[("mesh.yaml", &many)]), [("MER013", "- timeout: 10s".to_owned())]);
    let subset = |index: usize| format!("    - {{name: v{index}-prefer-us-sanjose-1}}\n");
    let many: String = (0..60).map(subset).collect();
    let many = broken("    - {name: prefer-us-sanjose-1}\n", &format!("    - {{name: prefer-us-sanjose-1}}\n{many}"));
    assert_eq!(found(&policy(), &[("mesh.yaml", &many)]), [("MER013", "- {name: prefer-us-sanjose-1}".to_owned())]);
}

#[test]
fn every_code_has_a_test() {
    let tested: BTreeSet<&str> =
        CASES.iter().map(|(code, ..)| *code).chain(["MER013", "MER019", "MER020", "MER021", "MER022"]).collect();
    assert_eq!(tested, CODES.iter().map(|code| code.name).collect());
}

#[test]
fn a_folder_with_a_clusters_name_is_that_clusters_alone() {
    let lacking = broken("- name: prefer-eu-central-1-in-eu", "- name: other");
    let found = |files: &[(&str, &str)]| found(&policy(), files);
    assert_eq!(
        found(&[("west/mesh.yaml", &mesh()), ("central/mesh.yaml", &lacking)]),
        [("MER001", "- name: prefer-eu-west-1-in-eu".to_owned())]
    );
    assert_eq!(found(&[("a/mesh.yaml", &mesh()), ("b/other.yaml", &lacking)]), [], "two halves of one cluster");
}

#[test]
fn a_header_that_a_rule_trusts_is_stripped_as_well() {
    let text = std::fs::read_to_string(root().join("examples/static/policy.yaml")).expect("the example is there");
    let trusting = text.replace(
        "{services: [accounts]}",
        "{services: [accounts], headers: [{name: x-tenant, exact: acme, trusted: true}]}",
    );
    let policy = PolicyFile::parse_for_the_mesh("policy.yaml", &trusting).expect("a policy");
    assert!(found(&policy, &[("mesh.yaml", &mesh())]).contains(&("MER008", "typed_config:".to_owned())));
    let stripped = broken("- remove: x-region-route", "- remove: x-tenant\n              - remove: x-region-route");
    assert!(found(&policy, &[("mesh.yaml", &stripped)]).iter().all(|(code, _)| *code != "MER008"));
}

/// The example's policy with the first `from` replaced by `to`.
fn policy_with(from: &str, to: &str) -> PolicyFile {
    let text = std::fs::read_to_string(root().join("examples/static/policy.yaml")).expect("the example is there");
    assert!(text.contains(from), "the example still holds `{from}`");
    PolicyFile::parse_for_the_mesh("policy.yaml", &text.replacen(from, to, 1)).expect("a policy")
}

/// What is found of one code, by the beginning of its line.
fn found_of(code: &str, policy: &PolicyFile, files: &[(&str, &str)]) -> Vec<String> {
    found(policy, files).into_iter().filter(|(found, _)| *found == code).map(|(_, line)| line).collect()
}

#[test]
fn a_rule_by_a_clients_header_above_a_fence_is_found_and_below_it_is_not() {
    let found = |from: &str, to: &str| found_of("MER019", &policy_with(from, to), &[("mesh.yaml", &mesh())]);
    let rule = |more: &str, header: &str| {
        format!(
            "- name: testers\n  match: {{services: [accounts]{more}, headers: [{{name: x-test, exact: 'on'{header}}}]}}\n"
        )
    };
    let above = |rule: String| found("- name: eu-residents\n", &format!("{rule}- name: eu-residents\n"));
    assert_eq!(above(rule("", "")), [rule("", "").lines().nth(1).expect("a line").trim()]);
    assert_eq!(above(rule("", ", trusted: true")), [""; 0], "a client cannot choose what the mesh sets");
    assert_eq!(above(rule("", "").replace("accounts", "productpage")), [""; 0], "another service");
    assert_eq!(found("- name: everyone\n", &format!("{}- name: everyone\n", rule("", ""))), [""; 0], "below the fence");
    let get = "match: {services: [accounts], methods: [GET]}";
    let post = format!("{}- name: eu-residents\n  {get}", rule(", methods: [POST]", ""));
    assert_eq!(found("- name: eu-residents\n  match: {services: [accounts]}", &post), [""; 0], "other methods");
}

#[test]
fn a_tag_that_clients_may_not_see_is_taken_out_of_answers_at_the_gateways() {
    let policy = policy_with("role: gateway\n", "role: gateway\ntag: {public: false}\n");
    let found = |mesh: &str| found_of("MER022", &policy, &[("mesh.yaml", mesh)]);
    assert_eq!(found(&mesh()), ["tag: {public: false}"], "what is taken out of requests is still in answers");
    let filter = "
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: private-tag, namespace: istio-system}
spec: {configPatches: [{applyTo: HTTP_FILTER, match: {context: GATEWAY}, patch: {operation: INSERT_FIRST, value: {
  typed_config: {mutations: {response_mutations: [{remove: x-served-by-cluster}]}}}}}]}
";
    assert_eq!(found(&format!("{}{filter}", mesh())), [""; 0]);
    let elsewhere = filter.replace("GATEWAY", "SIDECAR_INBOUND");
    assert_eq!(found(&format!("{}{elsewhere}", mesh())).len(), 1, "a sidecar's answers are not a gateway's");
    assert_eq!(found_of("MER022", &self::policy(), &[("mesh.yaml", &mesh())]), [""; 0], "a tag is public by default");
}

/// The example with a fence for a part of a host.
fn fenced_by_path() -> PolicyFile {
    policy_with("match: {services: [accounts]}", "match: {services: [accounts], pathPrefix: /eu/}")
}

fn operator(normalization: &str) -> String {
    let setting = format!("spec: {{meshConfig: {{pathNormalization: {{normalization: {normalization}}}}}}}");
    format!("apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {{name: mesh}}\n{setting}\n")
}

#[test]
fn a_fence_that_another_spelling_of_a_path_leaves_is_found_unless_the_mesh_spells_paths_one_way() {
    let policy = fenced_by_path();
    let found = |settings: &str| found_of("MER020", &policy, &[("mesh.yaml", &mesh()), ("settings.yaml", settings)]);
    let line = "match: {services: [accounts], pathPrefix: /eu/}";
    assert_eq!(found(""), [line], "nothing says how paths are spelt");
    for weaker in ["NONE", "BASE", "DEFAULT", "MERGE_SLASHES"] {
        assert_eq!(found(&operator(weaker)), [line], "{weaker}");
    }
    assert_eq!(found(&operator("DECODE_AND_MERGE_SLASHES")), [""; 0]);
    assert_eq!(found_of("MER020", &self::policy(), &[("mesh.yaml", &mesh())]), [""; 0], "a fence by host");
}

#[test]
fn an_open_path_above_a_fence_is_a_way_out_of_it_as_well() {
    let open = "- name: public\n  match: {services: [accounts], pathPrefix: /public/}\n- name: eu-residents\n";
    let policy = policy_with("- name: eu-residents\n", open);
    let line = "match: {services: [accounts], pathPrefix: /public/}";
    assert_eq!(found_of("MER020", &policy, &[("mesh.yaml", &mesh())]), [line]);
}

#[test]
fn a_mesh_that_does_not_normalize_paths_is_found_wherever_its_settings_stand() {
    let policy = fenced_by_path();
    let found = |policy: &PolicyFile, settings: &str| {
        found_of("MER021", policy, &[("mesh.yaml", &mesh()), ("settings.yaml", settings)])
    };
    let config_map = |name: &str, text: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: istio-system}}\ndata:\n  mesh: |\n    {text}\n"
        )
    };
    let base = "spec: {meshConfig: {pathNormalization: {normalization: BASE}}}";
    assert_eq!(found(&policy, &operator("BASE")), [base]);
    assert_eq!(found(&policy, "meshConfig:\n  accessLogFile: /dev/stdout\n"), ["accessLogFile: /dev/stdout"]);
    let absent = "accessLogFile: /dev/stdout";
    assert_eq!(found(&policy, &config_map("istio", absent)), ["accessLogFile: /dev/stdout"]);
    assert_eq!(found(&policy, &config_map("istio-1-30", absent)), ["accessLogFile: /dev/stdout"]);
    assert_eq!(found(&policy, &config_map("other", absent)), [""; 0], "not istiod's");
    let merges = "pathNormalization: {normalization: MERGE_SLASHES}";
    assert_eq!(found(&policy, &config_map("istio", merges)), [""; 0]);
    assert_eq!(found(&policy, &operator("DECODE_AND_MERGE_SLASHES")), [""; 0]);
    assert_eq!(found(&self::policy(), &operator("NONE")), [""; 0], "no fence depends on a path");
}

#[test]
fn an_envoy_filter_that_normalizes_paths_is_as_good_as_the_meshs_setting() {
    let policy = fenced_by_path();
    let with = |setting: &str| {
        broken(
            "          early_header_mutation_extensions:\n",
            &format!("{setting}          early_header_mutation_extensions:\n"),
        )
    };
    let merges = "          merge_slashes: true\n";
    let unescapes = format!("{merges}          path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD\n");
    assert_eq!(found_of("MER020", &policy, &[("mesh.yaml", &with(&unescapes))]), [""; 0]);
    assert_eq!(found_of("MER020", &policy, &[("mesh.yaml", &with(merges))]).len(), 1, "`%2f` is still no slash");
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meridian")).arg("lint").args(arguments).output().expect("the command runs")
}

fn run_on(text: &str, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder can be made");
    std::fs::write(folder.path().join("mesh.yaml"), text).expect("the folder can be written to");
    let policy = root().join("examples/static/policy.yaml").display().to_string();
    let mut arguments = vec![policy.as_str(), "--manifests", folder.path().to_str().expect("a path")];
    arguments.extend_from_slice(more);
    run(&arguments)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn people_read_what_is_wrong_where_and_what_to_write() {
    let output = run_on(&broken("5, maxEjectionPercent: 100}", "5, maxEjectionPercent: 50}"), &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    assert!(said.starts_with("error[MER002]: DestinationRule bank/accounts: maxEjectionPercent is 50\n"), "{said}");
    assert!(said.contains("mesh.yaml:43:73\n43 |     outlierDetection: {"), "{said}");
    assert!(
        said.ends_with("  write maxEjectionPercent: 100\n1 finding; meridian lint --explain MER002 says more\n"),
        "{said}"
    );
}

#[test]
fn machines_get_every_finding() {
    let output = run_on(&broken("- timeout: 10s\n", "- name: all\n"), &["--output", "json"]);
    let answer: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let finding = &answer["findings"][0];
    let seen = (&finding["code"], &finding["severity"], &finding["line"], &finding["resource"], &finding["suggestion"]);
    let wanted = ["MER007", "warning", "", "VirtualService bank/accounts", "timeout: 15s"].map(Value::from);
    assert_eq!(seen, (&wanted[0], &wanted[1], &73.into(), &wanted[3], &wanted[4]));
}

#[test]
fn nothing_found_is_exit_code_0_and_wrong_input_is_2() {
    assert_eq!(run_on(&mesh(), &[]).status.code(), Some(0));
    let wrong = run_on("a: [", &[]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("mesh.yaml:"));
    let template = run_on("metadata: {{ .Values.metadata }}\n", &[]);
    assert_eq!(template.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&template.stderr).contains("rendered first if this is a template"));
    assert_eq!(run(&["none.yaml", "--manifests", "none"]).status.code(), Some(2));
    assert_eq!(run(&["none.yaml"]).status.code(), Some(2));
}

#[test]
fn every_code_is_explained() {
    for code in CODES {
        let output = run(&["--explain", &code.name.to_lowercase()]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).starts_with(&format!("{} {}", code.name, code.title)), "{}", stdout(&output));
    }
    assert_eq!(stdout(&run(&["--explain", "all"])).matches("Write: ").count(), CODES.len());
    assert_eq!(run(&["--explain", "MER999"]).status.code(), Some(2));
}

#[test]
fn code_names_are_in_order_and_never_given_twice() {
    for (index, code) in CODES.iter().enumerate() {
        assert_eq!(code.name, format!("MER{:03}", index + 1));
    }
}

/// Renders an example for Istio.
fn rendered(example: &Path) -> tempfile::TempDir {
    let out = tempfile::tempdir().expect("a folder can be made");
    let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
    command
        .args([
            "render",
            "istio",
            "policy.yaml",
            "--gateway",
            "istio-system/gateway",
            "--oci",
            "example.com/meridian:1",
        ])
        .current_dir(example);
    if example.join("manifests").is_dir() {
        command.args(["--from", "manifests"]);
    }
    let output = command.arg("-o").arg(out.path()).output().expect("the command runs");
    assert!(output.status.success(), "{}: {}", example.display(), String::from_utf8_lossy(&output.stderr));
    out
}

/// The codes found in a folder, each once.
fn codes(policy: &PolicyFile, folder: &Path) -> BTreeSet<&'static str> {
    let report = lint(policy, folder).expect("manifests that can be read");
    report.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn what_is_rendered_for_the_examples_is_clean() {
    let mut checked = 0;
    for entry in std::fs::read_dir(root().join("examples")).expect("the examples are there") {
        let example = entry.expect("an entry").path();
        let policy = PolicyFile::load_for_the_mesh(&example.join("policy.yaml")).expect("an example is a policy");
        assert_eq!(codes(&policy, rendered(&example).path()), BTreeSet::new(), "{}", example.display());
        checked += 1;
    }
    assert!(checked > 0);
}

#[test]
fn a_cluster_that_lacks_a_part_of_what_is_rendered_is_found() {
    let example = root().join("examples/static");
    for (part, code) in [("subsets", "MER001"), ("edge", "MER008")] {
        let out = rendered(&example);
        std::fs::remove_dir_all(out.path().join("west").join(part)).expect("it was rendered");
        assert_eq!(codes(&policy(), out.path()), BTreeSet::from([code]), "west without {part}");
    }
}
