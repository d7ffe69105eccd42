//! What the kind scripts ask of docker, kind, kubectl and istioctl, against stand-ins that write it down.
//!
//! Not that two clusters come up: that needs a container engine, and is what `make kind-up kind-verify` is for. But the order that an
//! outage hangs on, the cluster that each call names, the images, and what happens the second time and after a failure.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what the tests share may fail them as they may themselves"
)]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kind");
const CONTEXTS: [&str; 2] = ["kind-meridian-primary", "kind-meridian-secondary"];

/// As little as the renderer takes for the filter.
const MODULE: &str =
    r#"(module (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) i32.const 0))"#;

/// A machine whose tools are stand-ins.
struct Machine {
    folder: tempfile::TempDir,
}

/// One call of a tool.
#[derive(Clone, Debug)]
struct Call {
    tool: String,
    line: String,
    context: Option<String>,
    input: String,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(machine.path("bin")).unwrap();
        std::fs::write(machine.path("tool.py"), include_str!("kind_stand_ins/tool.py")).unwrap();
        std::fs::write(machine.path("module.wasm"), wat::parse_str(MODULE).unwrap()).unwrap();
        machine.program(
            "tool",
            &format!("#!/bin/sh\nexec python3 -SE {} \"$0\" \"$@\"\n", machine.path("tool.py").display()),
        );
        for tool in ["docker", "kind", "kubectl", "istioctl", "sysctl"] {
            symlink(machine.path("bin/tool"), machine.path("bin").join(tool)).unwrap();
        }
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new(Path::new(FOLDER).join(script));
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("STAND_IN", self.folder.path()).env("MERIDIAN_KIND_STATE", self.path("state"));
        command.env("MERIDIAN_MODULE", self.path("module.wasm")).env_remove("MERIDIAN");
        command.env("MERIDIAN_KIND_PATIENCE", "20").env("MERIDIAN_KIND_LOOK", "0.1").env_remove("MERIDIAN_ENGINE");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn up(&self) -> Output {
        self.command("up.sh").output().unwrap()
    }

    /// As if it were up, for what only needs to know that.
    fn has_bookinfo(&self) {
        std::fs::create_dir(self.path("made")).unwrap();
        for context in CONTEXTS {
            std::fs::write(self.path("made").join(format!("{context}.namespace..bookinfo")), "").unwrap();
        }
    }

    /// Every call since the last time this was asked.
    fn calls(&self) -> Vec<Call> {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        drop(std::fs::remove_file(self.path("log")));
        log.lines().map(|line| Call::read(&serde_json::from_str(line).unwrap())).collect()
    }
}

impl Call {
    fn read(line: &Value) -> Self {
        let words: Vec<&str> =
            line["arguments"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let context = words.iter().position(|word| *word == "--context").map(|at| words[at + 1].to_owned());
        let tool = line["tool"].as_str().unwrap().to_owned();
        Self {
            line: format!("{tool} {}", words.join(" ")),
            tool,
            context,
            input: line["input"].as_str().unwrap().to_owned(),
        }
    }

    fn is(&self, tool: &str, word: &str) -> bool {
        self.tool == tool && self.line.contains(word)
    }

    fn applies(&self, kind: &str) -> bool {
        let named = |text: &str| {
            text.lines().any(|line| line.trim() == format!("kind: {kind}"))
                || text.contains(&format!("\"kind\":\"{kind}\""))
        };
        self.is("kubectl", " apply ") && named(&self.input)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Fails unless whatever is `earlier` ends, in each cluster, before whatever is `later` begins there.
fn before(calls: &[Call], what: &str, earlier: impl Fn(&Call) -> bool, later: impl Fn(&Call) -> bool) {
    for context in CONTEXTS {
        let here = |call: &Call| call.context.as_deref() == Some(context);
        let last = calls.iter().rposition(|call| here(call) && earlier(call));
        let first = calls.iter().position(|call| here(call) && later(call));
        assert!(
            last.unwrap_or_else(|| panic!("{what}: nothing earlier in {context}"))
                < first.unwrap_or_else(|| panic!("{what}: nothing later in {context}")),
            "{what}, in {context}"
        );
    }
}

#[test]
fn it_comes_up_in_the_order_that_matters_and_a_second_time_only_looks() {
    let machine = Machine::new();
    let output = machine.up();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("http://172.18.255.50/productpage"), "{}", said(&output));
    let calls = machine.calls();

    before(
        &calls,
        "regions before workloads",
        |call| call.is("kubectl", "label nodes"),
        |call| call.applies("Deployment"),
    );
    before(
        &calls,
        "the root before istiod",
        |call| call.is("kubectl", "create secret generic"),
        |call| call.is("istioctl", "install"),
    );
    before(
        &calls,
        "the network before istiod",
        |call| call.applies("Namespace") && call.input.contains("topology.istio.io/network"),
        |call| call.is("istioctl", "install"),
    );
    let everywhere = |earlier: &str, later: &str| {
        let last = calls.iter().rposition(|call| call.applies(earlier)).unwrap();
        let first = calls.iter().position(|call| call.applies(later)).unwrap();
        assert!(last < first, "{earlier} everywhere before {later} anywhere");
    };
    everywhere("DestinationRule", "VirtualService");
    let wasm = |call: &Call| call.applies("EnvoyFilter") && call.input.contains("filters.http.wasm.v3.Wasm");
    before(&calls, "routes before the filter", |call| call.applies("VirtualService"), wasm);
    before(&calls, "the module before the filter", |call| call.applies("ConfigMap"), wasm);
    before(
        &calls,
        "the edge before routes",
        |call| call.applies("EnvoyFilter") && !wasm(call),
        |call| call.applies("VirtualService"),
    );

    names_its_cluster(&calls);
    pins_every_image(&calls);
    shares_no_address(&calls);
    tells_istiod_what_a_pod_can_reach(&calls);
    gives_both_clusters_one_root(&machine);
    tells_the_mesh_how_metrics_are_labelled(&calls);
    assert!(!calls.iter().any(|call| call.applies("PrometheusRule")), "nobody reads alerts there");

    // In one of them somebody has put an operator that reads alerts.
    std::fs::write(
        machine.path("made").join(format!("{}.crd..prometheusrules.monitoring.coreos.com", CONTEXTS[1])),
        "",
    )
    .unwrap();
    let again = machine.up();
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    let mut alerted = Vec::new();
    for call in machine.calls() {
        for made in ["kind create", "istioctl install", "create secret", "create-remote-secret", "metallb-native"] {
            assert!(!call.line.contains(made), "done twice: {}", call.line);
        }
        if call.applies("PrometheusRule") {
            alerted.extend(call.context);
        }
    }
    assert_eq!(alerted, [CONTEXTS[1]]);

    let upgrade = machine.command("drill.sh").arg("another-module").output().unwrap();
    assert_eq!(upgrade.status.code(), Some(0), "{}", said(&upgrade));
    let modules: Vec<String> =
        machine.calls().iter().filter(|call| call.applies("ConfigMap")).map(module_file).collect();
    let [there, everywhere, back, again] = modules.as_slice() else { panic!("{modules:?}") };
    assert!(there == everywhere && back == again && there != back, "{modules:?}");
    assert_eq!(Some(back), calls.iter().find(|call| call.applies("ConfigMap")).map(module_file).as_ref());
}

/// As the mesh's configuration that is rendered asks, and at the depth where Istio reads it.
fn tells_the_mesh_how_metrics_are_labelled(calls: &[Call]) {
    let planes: Vec<&Call> = calls
        .iter()
        .filter(|call| call.is("istioctl", "install") && call.input.contains("accessLogFile: /dev/stdout"))
        .collect();
    assert_eq!(planes.len(), 2);
    for plane in planes {
        let (_, rest) = plane.input.split_once("\n  meshConfig:\n    accessLogFile: /dev/stdout\n").unwrap();
        let (settings, _) = rest.split_once("\n  components:\n").unwrap();
        let settings: Vec<&str> = settings.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        let [defaults, tags, matcher, expressions, log, ..] = settings.as_slice() else { panic!("{settings:?}") };
        assert_eq!(*defaults, "    defaultConfig:");
        assert!(tags.starts_with("      extraStatTags: [service, region, "), "{tags}");
        assert_eq!(*matcher, "      proxyStatsMatcher:");
        assert!(expressions.starts_with("        inclusionRegexps: ['cluster"), "{expressions}");
        assert_eq!(*log, "    extensionProviders:");
    }
}

/// The name of the module's file in a ConfigMap.
fn module_file(call: &Call) -> String {
    let list: Value = serde_json::from_str(&call.input).unwrap();
    let files = list["items"].as_array().unwrap().iter().filter_map(|item| item["binaryData"].as_object());
    files.flat_map(|files| files.keys()).cloned().collect()
}

fn names_its_cluster(calls: &[Call]) {
    for call in calls
        .iter()
        .filter(|call| call.tool == "kubectl" || call.is("istioctl", "install") || call.is("istioctl", "create"))
    {
        let named = call.context.as_deref().is_some_and(|context| CONTEXTS.contains(&context));
        assert!(named || call.line.starts_with("kubectl config get-contexts"), "in no cluster: {}", call.line);
    }
}

fn pins_every_image(calls: &[Call]) {
    let lines = calls.iter().flat_map(|call| call.input.lines());
    let images: Vec<&str> =
        lines.filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image: ")).collect();
    assert!(images.len() >= 11, "{images:?}");
    for image in images {
        let tag =
            image.split('@').next().and_then(|name| name.rsplit_once(':')).map(|(_, tag)| tag).unwrap_or_default();
        assert!(!tag.is_empty() && tag != "latest" && !tag.contains('/') && tag.contains('.'), "not pinned: {image}");
    }
    for install in calls.iter().filter(|call| call.is("istioctl", "install")) {
        assert!(install.input.contains("\n  tag: 1.28."), "{}", install.input);
    }
    assert!(calls.iter().any(|call| call.is("kubectl", "/metallb/v0.14.9/")));
}

fn shares_no_address(calls: &[Call]) {
    let networks: Vec<&str> = calls
        .iter()
        .filter(|call| call.is("kind", "create"))
        .flat_map(|call| call.input.lines())
        .filter_map(|line| line.strip_prefix("networking: {podSubnet: "))
        .flat_map(|line| line.trim_end_matches('}').split(", serviceSubnet: "))
        .collect();
    let mut different = networks.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!((networks.len(), different.len()), (4, 4), "{networks:?}");
    let pools: Vec<&str> =
        calls.iter().flat_map(|call| call.input.lines()).filter(|line| line.starts_with("spec: {addresses:")).collect();
    assert_eq!(pools.len(), 2);
    assert!(pools.iter().all(|pool| pool.contains("172.18.255.")) && pools[0] != pools[1], "{pools:?}");
}

fn tells_istiod_what_a_pod_can_reach(calls: &[Call]) {
    let secrets: Vec<&str> = calls
        .iter()
        .filter(|call| call.is("istioctl", "create-remote-secret"))
        .map(|call| call.line.as_str())
        .collect();
    assert_eq!(secrets.len(), 2);
    assert!(
        secrets[0].ends_with("--context kind-meridian-primary --name primary --server https://172.18.0.2:6443"),
        "{secrets:?}"
    );
    let told = |reader: &str, of: &str| {
        calls.iter().any(|call| {
            call.context.as_deref() == Some(reader) && call.input.contains(&format!("istio-remote-secret-{of}"))
        })
    };
    assert!(told(CONTEXTS[0], "secondary") && told(CONTEXTS[1], "primary"));
}

/// The certificates are real: each cluster's authority is under the same root.
fn gives_both_clusters_one_root(machine: &Machine) {
    for cluster in ["primary", "secondary"] {
        let folder = machine.path("state/certificates").join(cluster);
        let verified = Command::new("openssl")
            .arg("verify")
            .arg("-CAfile")
            .arg(folder.join("root-cert.pem"))
            .arg(folder.join("ca-cert.pem"))
            .output()
            .unwrap();
        assert!(verified.status.success(), "{}", said(&verified));
    }
    let root =
        |cluster: &str| std::fs::read(machine.path("state/certificates").join(cluster).join("root-cert.pem")).unwrap();
    assert_eq!(root("primary"), root("secondary"));
}

#[test]
fn after_a_step_that_failed_it_goes_on_from_there() {
    let machine = Machine::new();
    let failed = machine.command("up.sh").env("FAIL", "istioctl install").output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        said(&failed).contains("istio-ingressgateway could not be installed in primary (see target/kind/"),
        "{}",
        said(&failed)
    );
    let first = machine.calls();
    assert!(first.iter().any(|call| call.is("kind", "create")) && !first.iter().any(|call| call.applies("Deployment")));

    let output = machine.up();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let second = machine.calls();
    assert!(!second.iter().any(|call| call.is("kind", "create") || call.is("kubectl", "create secret")));
    assert_eq!(second.iter().filter(|call| call.is("istioctl", "install")).count(), 4);
}

#[test]
fn without_an_engine_that_answers_it_says_so_in_one_sentence() {
    let machine = Machine::new();
    let output = machine.command("up.sh").env("ENGINE", "down").env_remove("DOCKER_HOST").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        said(&output),
        "The kind clusters need a container engine that runs, and none answers here: start docker or podman and run this again.\n"
    );
    assert!(machine.calls().iter().all(|call| call.line == "docker info"));
    assert!(!machine.path("state").exists());
}

#[test]
fn everything_that_a_machine_lacks_is_said_at_once() {
    let machine = Machine::new();
    std::fs::remove_file(machine.path("bin/istioctl")).unwrap();
    let output = machine.command("preflight.sh").env("INOTIFY", "128").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    for lack in [
        "- istioctl 1.28.3 (",
        "- fs.inotify.max_user_watches of 524288, and it is 128: sudo sysctl ",
        "- fs.inotify.max_user_instances of 512",
    ] {
        assert!(said.contains(lack), "no {lack:?} in {said}");
    }
    assert!(said.ends_with("Then run this again.\n"), "{said}");
}

#[test]
fn a_drill_gives_back_what_it_took_however_it_ends() {
    let machine = Machine::new();
    machine.has_bookinfo();
    let replicas = |calls: Vec<Call>| -> Vec<String> {
        calls.iter().filter_map(|call| call.line.split("--replicas=").nth(1)).map(str::to_owned).collect()
    };
    let ended = machine.command("drill.sh").arg("stop-productpage").output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", said(&ended));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "ready\n");
    assert_eq!(replicas(machine.calls()), ["0", "1"]);

    let broken = machine
        .command("drill.sh")
        .arg("istiod-down")
        .env("FAIL", "kubectl get pods")
        .env("MERIDIAN_KIND_PATIENCE", "2")
        .output()
        .unwrap();
    assert_eq!(broken.status.code(), Some(1));
    assert_eq!(replicas(machine.calls()), ["0", "1"]);

    let mut command = machine.command("drill.sh");
    let child = command.args(["east-west-down", "primary"]).stdin(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !std::fs::read_to_string(machine.path("log")).unwrap_or_default().contains("--replicas=0") {
        assert!(Instant::now() < deadline, "the drill never began");
        std::thread::sleep(Duration::from_millis(50));
    }
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(replicas(machine.calls()), ["0", "1"], "{}", said(&output));
}

#[test]
fn a_partition_drops_what_passes_between_the_nodes_and_then_nothing() {
    let machine = Machine::new();
    machine.has_bookinfo();
    let output = machine.command("drill.sh").arg("partition").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let rules: Vec<String> =
        machine.calls().iter().filter_map(|call| call.line.split("iptables ").nth(1)).map(str::to_owned).collect();
    let rules: Vec<String> = rules.into_iter().filter(|rule| !rule.starts_with("-C")).collect();
    let (dropped, restored) = rules.split_at(8);
    let mirrored: Vec<String> = dropped.iter().map(|rule| rule.replacen("-I", "-D", 1)).collect();
    assert_eq!(restored, mirrored);
    // The node, and the gateway, whose address is another.
    for address in ["172.18.0.2", "172.18.255.50"] {
        for chain in ["INPUT -s", "OUTPUT -d", "FORWARD -s", "FORWARD -d"] {
            assert!(dropped.contains(&format!("-I {chain} {address} -j DROP")), "{dropped:?}");
        }
    }
}

#[test]
fn a_drill_that_is_none_names_those_there_are() {
    let output = Machine::new().command("drill.sh").arg("../up").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("give one of another-module east-west-down filter-gone ingress-pod istiod-down partition stop-productpage subsets-missing as NAME."));
}

#[test]
fn the_end_removes_the_clusters_that_are_there_and_what_was_generated() {
    let machine = Machine::new();
    assert_eq!(machine.command("clusters.sh").output().unwrap().status.code(), Some(0));
    machine.calls();
    for expected in [2, 0] {
        let output = machine.command("down.sh").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert_eq!(machine.calls().iter().filter(|call| call.is("kind", "delete")).count(), expected);
        assert!(!machine.path("state").exists());
    }
}

#[test]
fn every_script_is_short_stops_at_the_first_error_and_is_clean() {
    let drills = std::fs::read_dir(Path::new(FOLDER).join("drills")).unwrap();
    let scripts: Vec<PathBuf> = std::fs::read_dir(FOLDER)
        .unwrap()
        .chain(drills)
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "sh"))
        .collect();
    assert!(scripts.len() >= 20);
    for script in &scripts {
        let text = std::fs::read_to_string(script).unwrap();
        let is_part = script.parent().is_some_and(|folder| folder.ends_with("drills"));
        assert!(text.lines().count() < 120, "{}", script.display());
        assert!(is_part || text.contains("set -euo pipefail\n"), "{}", script.display());
    }
    // Where it is not installed, `make lint` says so.
    let root = Path::new(FOLDER).ancestors().nth(2).unwrap();
    if let Ok(linted) = Command::new("shellcheck").arg("--external-sources").args(&scripts).current_dir(root).output() {
        assert!(linted.status.success(), "{}", said(&linted));
    }
}
