//! `meridian install` and `meridian rollback` against clusters that are folders: what they ask of kubectl, in which order, and what is
//! left when it fails. A stand-in for `kubectl` comes first in `PATH`; it answers as an API server would, and writes down every call.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what the tests share may fail them as they may themselves"
)]

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const BOTH: [&str; 4] = ["--context", "a", "--context", "b"];

/// Two clusters and a folder of manifests.
struct World {
    folder: tempfile::TempDir,
}

/// One call of kubectl.
#[derive(Debug)]
struct Call {
    context: String,
    verb: String,
    arguments: Vec<String>,
    kinds: Vec<String>,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(world.path("manifests")).unwrap();
        std::fs::create_dir(world.path("bin")).unwrap();
        let kubectl = world.path("bin/kubectl");
        std::fs::write(&kubectl, include_str!("stand_ins/kubectl.sh")).unwrap();
        std::fs::write(world.path("bin/kubectl.py"), include_str!("stand_ins/kubectl.py")).unwrap();
        std::fs::set_permissions(&kubectl, PermissionsExt::from_mode(0o755)).unwrap();
        // In an order of names that is not the order of installing.
        world.manifest("0-filter.yaml", FILTER);
        world.manifest("1-routes.yaml", ROUTES);
        world.manifest("2-subsets.yaml", SUBSETS);
        let pods = json!({"istio=eastwestgateway": ["east-west"], "istio=ingressgateway": ["ingress"]});
        std::fs::write(world.path("pods.json"), pods.to_string()).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn manifest(&self, name: &str, text: &str) {
        std::fs::write(self.path("manifests").join(name), text).unwrap();
    }

    fn bare(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("STAND_IN", self.folder.path()).env("CONTEXTS", "a b");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).arg(verb);
        command
    }

    fn command(&self, verb: &str, more: &[&str]) -> Command {
        let mut command = self.bare(verb);
        let patience = if more.contains(&"--timeout") { &[][..] } else { &["--timeout", "2"] };
        command.args(patience).args(["--settle", "0", "--manifests"]).arg(self.path("manifests")).args(more);
        command
    }

    fn run(&self, verb: &str, more: &[&str]) -> Output {
        self.command(verb, more).output().unwrap()
    }

    fn calls(&self) -> Vec<Call> {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        log.lines().map(|line| Call::read(&serde_json::from_str(line).unwrap())).collect()
    }

    /// `context verb kinds` of every call that changes something.
    fn changes(&self) -> Vec<String> {
        let changing = |call: &Call| ["apply", "delete", "replace", "create"].contains(&call.verb.as_str());
        let calls = self.calls().into_iter().filter(changing);
        calls.map(|call| format!("{} {} {}", call.context, call.verb, call.kinds.join("+"))).collect()
    }

    /// What a cluster has.
    fn has(&self, context: &str) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.path(context)) else { return Vec::new() };
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn resource(&self, context: &str, name: &str) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.path(context).join(name)).unwrap()).unwrap()
    }

    fn put(&self, context: &str, name: &str, resource: &Value) {
        std::fs::create_dir_all(self.path(context)).unwrap();
        std::fs::write(self.path(context).join(name), resource.to_string()).unwrap();
    }
}

impl Call {
    fn read(line: &Value) -> Self {
        let arguments: Vec<String> =
            line["arguments"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect();
        let named = arguments.first().is_some_and(|word| word == "--context");
        let given: Value = serde_json::from_str(line["input"].as_str().unwrap()).unwrap_or_default();
        let items = given["items"].as_array().cloned().unwrap_or_else(|| vec![given]);
        Self {
            context: if named { arguments[1].clone() } else { String::new() },
            verb: arguments.get(if named { 3 } else { 0 }).cloned().unwrap_or_default(),
            kinds: items.iter().filter_map(|item| item["kind"].as_str()).map(str::to_owned).collect(),
            arguments,
        }
    }
}

const KUSTOMIZATION: &str = "{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, resources: [one.yaml]}";
const EDGE: &str = "
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: meridian-edge, namespace: istio-system}
spec: {workloadSelector: {labels: {istio: ingressgateway}}, configPatches: [{patch: {value: {remove: x-region-route}}}]}
";
const SUBSETS: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: productpage, namespace: bookinfo}
spec:
  host: productpage.bookinfo.svc.cluster.local
  subsets: [{name: prefer-us-chicago-1}, {name: only-us-chicago-1}]
";
const ROUTES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bookinfo, namespace: bookinfo}
spec: {hosts: [bookinfo.example.com], http: [{name: ours}]}
";
const FILTER: &str = "# rendered
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: meridian, namespace: istio-system}
spec:
  workloadSelector: {labels: {istio: ingressgateway}}
  configPatches:
  - patch:
      value:
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
          config: {vm_config: {code: {local: {filename: /etc/meridian/meridian-0a1b.wasm}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: meridian-module, namespace: istio-system}
binaryData: {meridian-0a1b.wasm: AGFzbQEAAAA=}
";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

#[test]
fn subsets_go_everywhere_before_a_route_and_routes_before_the_filter() {
    let world = World::new();
    let output = world.run("install", &BOTH);
    assert_eq!(code(&output), 0, "{}", said(&output));
    let expected = ["DestinationRule", "VirtualService", "ConfigMap", "EnvoyFilter"];
    let expected: Vec<_> = expected.iter().flat_map(|kind| ["a", "b"].map(|c| format!("{c} apply {kind}"))).collect();
    assert_eq!(world.changes(), expected);
    let calls = world.calls();
    let at = |verb: &str, kind: &str, context: &str| {
        calls.iter().position(|call| call.verb == verb && call.context == context && call.kinds == [kind]).unwrap()
    };
    let asked = |context: &str| {
        calls.iter().position(|call| call.context == context && call.arguments.ends_with(&["clusters".into()])).unwrap()
    };
    for context in ["a", "b"] {
        let gateway = asked(context);
        assert!(at("apply", "DestinationRule", "b") < gateway && gateway < at("apply", "VirtualService", "a"));
    }
}

#[test]
fn what_a_client_may_not_bring_is_taken_out_before_a_route_trusts_it() {
    let world = World::new();
    world.manifest("9-edge.yaml", EDGE);
    assert_eq!(code(&world.run("install", &["--context", "a"])), 0);
    let filters = ["a apply EnvoyFilter", "a apply VirtualService", "a apply ConfigMap", "a apply EnvoyFilter"];
    assert_eq!(world.changes()[1..], filters);
    std::fs::remove_file(world.path("log")).unwrap();
    assert_eq!(code(&world.run("rollback", &["--context", "a"])), 0);
    let filters = ["a delete EnvoyFilter", "a delete ConfigMap", "a delete VirtualService", "a delete EnvoyFilter"];
    assert_eq!(world.changes()[..4], filters);
}

#[test]
fn every_call_about_a_cluster_names_it_and_what_is_applied_is_ours() {
    let world = World::new();
    world.run("install", &BOTH);
    for call in world.calls() {
        assert!(!call.context.is_empty() || call.arguments[0] == "config", "{call:?}");
        if call.verb == "apply" {
            assert!(call.arguments.contains(&"--server-side".into()), "{call:?}");
            assert!(call.arguments.contains(&"--field-manager=meridian".into()), "{call:?}");
        }
    }
    let label = &world.resource("a", "VirtualService.bookinfo.bookinfo.json")["metadata"]["labels"];
    assert_eq!(label["install.meridian/managed"], "true");
}

#[test]
fn a_line_is_printed_for_each_step_and_cluster() {
    let output = World::new().run("install", &BOTH);
    let lines: Vec<_> = said(&output).lines().map(|line| line.split(':').next().unwrap().to_owned()).collect();
    let steps = ["preflight", "subsets", "wait", "routes", "module", "wait", "filter", "verify"];
    let expected: Vec<_> = steps.iter().flat_map(|step| ["a", "b"].map(|c| format!("{step:<9} {c}"))).collect();
    assert_eq!(lines, [expected, vec!["done".into()]].concat());
}

#[test]
fn a_second_installation_finds_the_same_and_keeps_nothing() {
    let world = World::new();
    world.run("install", &BOTH);
    let (first, before) = (world.changes(), world.has("a"));
    assert_eq!(code(&world.run("install", &BOTH)), 0);
    assert_eq!(world.changes(), [first.clone(), first].concat());
    assert_eq!(world.has("a"), before);
}

#[test]
fn a_dry_run_asks_the_clusters_and_changes_nothing() {
    let world = World::new();
    let output = world.run("install", &[&BOTH[..], &["--dry-run"]].concat());
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(world.calls().iter().filter(|call| call.verb == "apply").count() == 8);
    for call in world.calls().iter().filter(|call| call.verb == "apply") {
        assert!(call.arguments.contains(&"--dry-run=server".into()), "{call:?}");
    }
    assert_eq!((world.has("a"), world.has("b")), (vec![], vec![]));
    let said = said(&output);
    for planned in [
        "subsets   b: would apply 1: DestinationRule bookinfo/productpage\n",
        "wait      a: would wait until it has all 1, and each pod istio=eastwestgateway\n",
        "wait      a: would wait for /etc/meridian/meridian-0a1b.wasm in each pod istio=ingressgateway\n",
        "nothing was changed\n",
    ] {
        assert!(said.contains(planned), "no {planned:?} in {said}");
    }
}

#[test]
fn a_step_that_fails_says_where_what_to_do_and_what_is_done_and_the_next_run_goes_on() {
    let world = World::new();
    let output = world.command("install", &BOTH).env("FAIL", "b apply VirtualService").output().unwrap();
    assert_eq!(code(&output), 1);
    let said = said(&output);
    assert!(said.contains("routes failed in b: Error from server: the stand-in was told to fail\nto do: "), "{said}");
    assert!(said.contains("already done: subsets (a, b), routes (a)\n"), "{said}");
    assert!(!world.has("a").iter().any(|name| name.starts_with("EnvoyFilter")), "the filter came without its routes");
    assert_eq!(code(&world.run("install", &BOTH)), 0);
    assert_eq!(world.has("a"), world.has("b"));
}

#[test]
fn no_route_follows_while_an_east_west_gateway_does_not_know_its_subset() {
    let world = World::new();
    let output = world.command("install", &BOTH).env("FORGETFUL", "b").output().unwrap();
    assert_eq!(code(&output), 1);
    let said = said(&output);
    let expected = "wait failed in b: istio-system/east-west does not know _.only-us-chicago-1_.productpage.bookinfo.svc.cluster.local, after 2 s";
    assert!(said.contains(expected), "{said}");
    assert!(world.changes().iter().all(|change| change.ends_with("DestinationRule")));
}

#[test]
fn what_somebody_else_has_set_is_replaced_only_when_asked_and_comes_back() {
    let world = World::new();
    let name = "VirtualService.bookinfo.bookinfo.json";
    let metadata = json!({"name": "bookinfo", "namespace": "bookinfo"});
    let theirs = json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": {"http": "theirs"}});
    world.put("a", name, &theirs);

    let refused = world.run("install", &BOTH);
    assert_eq!(code(&refused), 1);
    assert!(said(&refused).contains("run this again with --take-over"), "{}", said(&refused));
    assert_eq!(world.resource("a", name), theirs);

    let taking = [&BOTH[..], &["--take-over"]].concat();
    for _ in 0..2 {
        let taken = world.run("install", &taking);
        assert_eq!(code(&taken), 0, "{}", said(&taken));
    }
    assert_ne!(world.resource("a", name), theirs);

    for _ in 0..2 {
        let back = world.run("rollback", &BOTH);
        assert_eq!(code(&back), 0, "{}", said(&back));
        assert_eq!(world.has("a"), [name], "{}", said(&back));
        assert_eq!(world.resource("a", name), theirs);
        assert_eq!(world.has("b"), Vec::<String>::new());
    }
}

#[test]
fn a_rollback_is_the_reverse() {
    let world = World::new();
    world.run("install", &BOTH);
    std::fs::remove_file(world.path("log")).unwrap();
    let output = world.run("rollback", &BOTH);
    assert_eq!(code(&output), 0, "{}", said(&output));
    let expected = ["EnvoyFilter", "ConfigMap", "VirtualService", "DestinationRule"];
    let expected: Vec<_> = expected.iter().flat_map(|kind| ["a", "b"].map(|c| format!("{c} delete {kind}"))).collect();
    assert_eq!(world.changes(), expected);
}

#[test]
fn a_dry_rollback_says_what_it_would_remove_and_removes_nothing() {
    let world = World::new();
    world.run("install", &BOTH);
    let before = world.has("a");
    let output = world.run("rollback", &[&BOTH[..], &["--dry-run"]].concat());
    assert!(
        said(&output).contains("routes    a: would remove VirtualService bookinfo/bookinfo\n"),
        "{}",
        said(&output)
    );
    assert_eq!(world.has("a"), before);
}

#[test]
fn what_cannot_be_finished_is_not_begun() {
    let world = World::new();
    let unknown = world.run("install", &["--context", "a", "--context", "c"]);
    assert_eq!(code(&unknown), 1);
    let text = said(&unknown);
    assert!(
        text.contains("preflight failed in c: kubectl has no such context\nto do: give one of those it has: a, b\n"),
        "{text}"
    );
    let blind = world.command("install", &BOTH).env("DENY", "a create pods/exec").output().unwrap();
    let text = said(&blind);
    assert!(
        text.contains("preflight failed in a: you may not create pods/exec in the namespace istio-system\n"),
        "{text}"
    );
    let denied =
        world.command("install", &BOTH).env("DENY", "b patch envoyfilters.networking.istio.io").output().unwrap();
    assert_eq!(code(&denied), 1);
    let text = said(&denied);
    let expected =
        "preflight failed in b: you may not patch envoyfilters.networking.istio.io in the namespace istio-system\n";
    assert!(text.contains(expected) && text.contains("nothing has been changed\n"), "{text}");
    assert_eq!(world.changes(), Vec::<String>::new());
}

#[test]
fn without_kubectl_that_is_all_it_says() {
    let world = World::new();
    let output = world.command("install", &BOTH).env("PATH", world.path("manifests")).output().unwrap();
    assert_eq!(code(&output), 1);
    let expected = "preflight failed: kubectl is not installed\nto do: install kubectl and run this again\nnothing has been changed\n";
    assert_eq!(said(&output), expected);
}

#[test]
fn manifests_that_are_none_and_kinds_without_a_place_are_wrong_input() {
    let world = World::new();
    world.manifest("3-other.yaml", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}}");
    let output = world.run("install", &BOTH);
    assert_eq!(code(&output), 2);
    assert!(said(&output).contains("Deployment x has no place in the order of an installation"), "{}", said(&output));
    let twice = world.run("install", &["--context", "a", "--context", "a"]);
    assert_eq!(code(&twice), 2, "{}", said(&twice));
    std::fs::remove_dir_all(world.path("manifests")).unwrap();
    let missing = world.run("install", &BOTH);
    assert_eq!(code(&missing), 2);
    assert!(said(&missing).contains("give the folder that `meridian render istio` wrote"), "{}", said(&missing));
}

#[test]
fn each_cluster_gets_the_folder_of_its_name_as_the_renderer_writes_it() {
    let world = World::new();
    for (cluster, region) in [("primary", "us-sanjose-1"), ("secondary", "us-chicago-1")] {
        let folder = world.path("rendered").join(cluster);
        for (part, text) in
            [("subsets", SUBSETS), ("routes", &ROUTES.replace("name: ours", &format!("name: {region}")))]
        {
            std::fs::create_dir_all(folder.join(part)).unwrap();
            std::fs::write(folder.join(part).join("one.yaml"), text).unwrap();
            std::fs::write(folder.join(part).join("kustomization.yaml"), KUSTOMIZATION).unwrap();
        }
    }
    let rendered = world.path("rendered");
    let install = |places: &[&str]| {
        let mut command = world.bare("install");
        command
            .arg("--manifests")
            .arg(&rendered)
            .args(places.iter().flat_map(|place| ["--context", place]))
            .output()
            .unwrap()
    };
    let unnamed = install(&["a", "b"]);
    assert_eq!(code(&unnamed), 2);
    assert!(
        said(&unnamed)
            .contains("has no folder a, but primary, secondary; say which is which, e.g. --context primary=a")
    );
    let named = install(&["primary=a", "secondary=b"]);
    assert_eq!(code(&named), 0, "{}", said(&named));
    let name =
        |context| world.resource(context, "VirtualService.bookinfo.bookinfo.json")["spec"]["http"][0]["name"].clone();
    assert_eq!((name("a"), name("b")), (json!("us-sanjose-1"), json!("us-chicago-1")));
}

#[test]
fn machines_get_the_steps_and_the_failure_as_json() {
    let world = World::new();
    let arguments = [&BOTH[..], &["--output", "json"]].concat();
    let output = world.command("install", &arguments).env("FAIL", "b apply VirtualService").output().unwrap();
    assert_eq!(code(&output), 1);
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert_eq!(answer["failure"]["step"], "routes");
    assert_eq!(answer["failure"]["context"], "b");
    let steps = answer["steps"].as_array().unwrap();
    let done: Vec<_> = steps.iter().filter(|step| step["changed"] == true).map(|step| step["step"].clone()).collect();
    assert_eq!(done, ["subsets", "subsets", "routes"]);
}

#[test]
fn the_file_of_an_earlier_module_stays_until_no_proxy_runs_it() {
    let world = World::new();
    world.run("install", &["--context", "a"]);
    let newer = FILTER.replace("0a1b", "2c3d");
    world.manifest("0-filter.yaml", &newer);
    let files = || {
        let module = world.resource("a", "ConfigMap.istio-system.meridian-module.json");
        module["binaryData"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    let install = |runs: &str| world.command("install", &["--context", "a"]).env("RUNS", runs).output().unwrap();
    for _ in 0..2 {
        let early = install("/etc/meridian/meridian-0a1b.wasm");
        let expected = "tidy failed in a: istio-system/ingress still runs meridian-0a1b.wasm, after 2 s";
        assert!(said(&early).contains(expected), "{}", said(&early));
        assert_eq!(files(), ["meridian-0a1b.wasm", "meridian-2c3d.wasm"]);
    }
    let done = install("/etc/meridian/meridian-2c3d.wasm");
    assert_eq!(code(&done), 0, "{}", said(&done));
    assert_eq!(files(), ["meridian-2c3d.wasm"]);
}

#[test]
fn ctrl_c_ends_it_between_two_steps() {
    let world = World::new();
    let mut command = world.command("install", &[&BOTH[..], &["--timeout", "60"]].concat()[..]);
    // It would wait for a minute.
    let child = command.env("FORGETFUL", "a").spawn().unwrap();
    until(|| world.changes().len() == 2);
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 130, "{}", said(&output));
    let said = said(&output);
    assert!(said.contains("stopped between two steps, as asked\nalready done: subsets (a, b)\n"), "{said}");
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "it never came to be");
        std::thread::sleep(Duration::from_millis(50));
    }
}
