//! What is deployed with: every file parses and names files that are there, and who installs may do what is asked for and no more.

// What the tests share may fail them as they may themselves.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "render_istio/manifests.rs"]
#[allow(dead_code, reason = "only a part is used here")]
mod manifests;

use manifests::{documents, list, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const OVERLAYS: [&str; 2] = ["kind", "oke"];
const CLUSTERS: [&str; 2] = ["primary", "secondary"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// The folder as a user has it after rendering.
fn rendered() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in files(&source()).iter().filter(|file| !file.components().any(|part| part.as_os_str() == "rendered")) {
        let to = copy.path().join(file.strip_prefix(source()).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(file, to).unwrap();
    }
    let module = copy.path().join("m.wasm");
    fs::write(&module, b"\0asm\x01\0\0\0\x07\x11\x01\x0dproxy_on_tick\x00\x05").unwrap();
    for overlay in OVERLAYS {
        let mut render = Command::new(source().join("overlays").join(overlay).join("render.sh"));
        render.arg(copy.path().join("overlays").join(overlay).join("rendered"));
        let output = render.env("MERIDIAN", env!("CARGO_BIN_EXE_meridian")).env("MERIDIAN_MODULE", &module).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{overlay}: {}", String::from_utf8_lossy(&output.stderr));
    }
    copy
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Everything a kustomization holds, with what it names.
fn built(folder: &Path) -> Vec<Value> {
    let file = folder.join("kustomization.yaml");
    let text_of = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let [kustomization] = documents(&text_of).try_into().unwrap();
    let mut all = Vec::new();
    for name in list(&kustomization["resources"]).iter().map(text) {
        let path = folder.join(name);
        if path.is_dir() {
            all.extend(built(&path));
        } else {
            assert!(!name.contains(".."), "{}: kubectl takes no file from elsewhere: {name}", file.display());
            let resource = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            all.extend(documents(&resource));
        }
    }
    all
}

/// What an overlay is for one cluster.
fn overlay(root: &Path, overlay: &str, cluster: &str) -> Vec<Value> {
    built(&root.join("overlays").join(overlay).join(cluster))
}

#[test]
fn every_file_parses_and_names_files_that_are_there() {
    let folder = rendered();
    let yaml = |file: &&PathBuf| file.extension().is_some_and(|end| end == "yaml");
    let all = files(folder.path());
    for file in all.iter().filter(yaml) {
        for document in documents(&fs::read_to_string(file).unwrap()) {
            assert!(document["kind"].is_string() && document["apiVersion"].is_string(), "{}", file.display());
        }
    }
    // No file is left out of every kustomization.
    for kustomization in all.iter().filter(|file| file.ends_with("kustomization.yaml")) {
        let folder = kustomization.parent().unwrap();
        let said = fs::read_to_string(kustomization).unwrap();
        for file in files(folder).iter().filter(yaml).filter(|file| file.parent() == Some(folder)) {
            let name = file.file_name().unwrap().to_str().unwrap();
            let meant =
                said.contains(&format!("- {name}\n")) || ["kustomization.yaml", "mesh-config.yaml"].contains(&name);
            assert!(meant, "{} is in no kustomization", file.display());
        }
    }
}

#[test]
fn a_cluster_gets_each_resource_once_and_all_of_what_was_rendered() {
    let folder = rendered();
    for overlay_name in OVERLAYS {
        for cluster in CLUSTERS {
            let resources = overlay(folder.path(), overlay_name, cluster);
            let name = |resource: &Value| {
                let part = |pointer: &str| resource.pointer(pointer).map_or("", text).to_owned();
                [part("/kind"), part("/metadata/namespace"), part("/metadata/name")]
            };
            let names: BTreeSet<_> = resources.iter().map(name).collect();
            assert_eq!(names.len(), resources.len(), "{overlay_name}/{cluster}: {names:?}");
            for kind in ["DestinationRule", "VirtualService", "EnvoyFilter", "ServiceAccount", "ClusterRoleBinding"] {
                assert!(names.iter().any(|name| name[0] == kind), "{overlay_name}/{cluster} has no {kind}");
            }
            let loads = if overlay_name == "kind" { "ConfigMap" } else { "WasmPlugin" };
            assert!(names.iter().any(|name| name[0] == loads), "{overlay_name}/{cluster} has no {loads}");
        }
    }
}

const FURTHER: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: lock, namespace: bookinfo}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: fence}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: fence}
";

/// A verb on a resource of a group, in a namespace or in the whole cluster.
type Right = (String, String, Option<String>);

/// What the command asks of a cluster before it begins: it is answered yes to everything, and then not at all.
fn asked(manifests: &Path, direction: &str) -> BTreeSet<Right> {
    let folder = tempfile::tempdir().unwrap();
    let (kubectl, log) = (folder.path().join("kubectl"), folder.path().join("log"));
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n*get-contexts*) printf 'primary\\nsecondary\\n' ;;\n*can-i*) echo \"$*\" >>'{}'; echo yes ;;\n*) exit 1 ;;\nesac\n",
        log.display()
    );
    fs::write(&kubectl, script).unwrap();
    fs::set_permissions(&kubectl, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
    command.arg(direction).arg("--manifests").arg(manifests).args(["--context", "primary", "--context", "secondary"]);
    command.env("PATH", path).output().unwrap();
    let log = fs::read_to_string(log).expect("it asks for permissions");
    let right = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "can-i").unwrap();
        let part = words.iter().find_map(|word| word.strip_prefix("--subresource="));
        let resource = part.map_or_else(|| words[at + 2].to_owned(), |part| format!("{}/{part}", words[at + 2]));
        let namespace = words.iter().position(|word| *word == "-n").map(|at| words[at + 1].to_owned());
        (words[at + 1].to_owned(), resource, namespace)
    };
    log.lines().map(right).collect()
}

/// What the roles of an overlay grant.
fn granted(resources: &[Value]) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for binding in resources.iter().filter(|resource| text(&resource["kind"]).ends_with("RoleBinding")) {
        let namespace = binding["metadata"]["namespace"].as_str().map(str::to_owned);
        let role = resources
            .iter()
            .find(|role| role["kind"] == "ClusterRole" && role["metadata"]["name"] == binding["roleRef"]["name"]);
        for rule in list(&role.expect("the role is there")["rules"]) {
            for (group, resource) in list(&rule["apiGroups"])
                .iter()
                .flat_map(|group| list(&rule["resources"]).iter().map(move |resource| (group, resource)))
            {
                let dot = if text(group).is_empty() { "" } else { "." };
                let resource = format!("{}{dot}{}", text(resource), text(group));
                rights.extend(
                    list(&rule["verbs"])
                        .iter()
                        .map(|verb| (text(verb).to_owned(), resource.clone(), namespace.clone())),
                );
            }
        }
    }
    rights
}

#[test]
fn who_installs_may_do_what_is_asked_for_and_no_more() {
    let folder = rendered();
    let (mut all_asked, mut all_granted) = (BTreeSet::new(), BTreeSet::new());
    for name in OVERLAYS {
        let manifests = folder.path().join("overlays").join(name).join("rendered");
        // Neither policy has a fence of several regions, or shuts a service out, for which there would be these.
        for cluster in CLUSTERS {
            fs::write(manifests.join(cluster).join("further.yaml"), FURTHER).unwrap();
            // These are for the workloads' own manifests.
            for component in ["labels", "mount"] {
                drop(fs::remove_dir_all(manifests.join(cluster).join(component)));
            }
        }
        let mut asked_here = asked(&manifests, "install");
        asked_here.extend(asked(&manifests, "rollback"));
        let granted_here = granted(&overlay(folder.path(), name, "primary"));
        let missing: Vec<_> = asked_here.difference(&granted_here).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
        all_asked.extend(asked_here.into_iter().map(|(verb, resource, _)| (verb, resource)));
        all_granted.extend(granted_here.into_iter().map(|(verb, resource, _)| (verb, resource)));
    }
    let unasked: Vec<_> = all_granted.difference(&all_asked).collect();
    assert!(unasked.is_empty(), "{unasked:?}");
    assert!(all_granted.iter().all(|(verb, resource)| verb != "*" && !resource.contains('*')));
}

#[test]
fn an_image_is_one_layer_with_the_file_that_istio_looks_for() {
    let text = fs::read_to_string(source().join("Dockerfile")).unwrap();
    let steps: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(steps, ["FROM scratch", "COPY meridian.wasm /plugin.wasm"]);
}
