//! What the proxies themselves say: the one answer that a control plane cannot give for them.

use super::documents::{Document, Documents, WASM, items, text};
use super::journal::Stop;
use super::kubectl::{Kubectl, Said};
use super::stage::Stage;
use serde_json::Value;

/// Where an `EnvoyFilter` selects pods of every namespace.
const ROOT_NAMESPACE: &str = "istio-system";

/// A pod with a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    namespace: String,
    name: String,
}

/// Pods by their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selector {
    /// Only there; everywhere otherwise.
    pub(super) namespace: Option<String>,
    /// `name=value,name=value`.
    pub(super) labels: String,
}

impl Pod {
    /// Runs a program beside its proxy.
    pub(super) fn exec(&self, cluster: &Kubectl, program: &[&str]) -> Result<Said, Stop> {
        let at = ["exec", "-n", &self.namespace, &self.name, "-c", "istio-proxy", "--"];
        cluster.run(&[&at, program].concat(), None)
    }

    /// Asks its proxy's administration.
    pub(super) fn ask(&self, cluster: &Kubectl, path: &str) -> Result<Said, Stop> {
        self.exec(cluster, &["pilot-agent", "request", "GET", path])
    }

    /// What it is called, for people.
    pub(super) fn title(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl Selector {
    /// The pods that run.
    pub(super) fn pods(&self, cluster: &Kubectl) -> Result<Vec<Pod>, Stop> {
        let namespace = self.namespace.as_deref().map_or(vec!["--all-namespaces"], |namespace| vec!["-n", namespace]);
        let running = ["-l", &self.labels, "--field-selector=status.phase=Running", "-o", "json"];
        let said = cluster.run(&[&["get", "pods"], namespace.as_slice(), &running].concat(), None)?;
        let Some(pods) = items(&said.stdout).filter(|_| said.ok()) else {
            let what = format!("the pods {} cannot be listed: {}", self.labels, said.why());
            return Err(Stop::failed_in(cluster.context(), what, "allow listing pods there and run this again"));
        };
        let pod = |pod: &Value| {
            Some(Pod { namespace: text(pod, "/metadata/namespace")?, name: text(pod, "/metadata/name")? })
        };
        Ok(pods.iter().filter_map(pod).collect())
    }
}

/// Where a module is to run, and from which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// The pods.
    pub(super) selector: Selector,
    /// The path in their proxies; none if the proxy fetches it itself.
    pub(super) file: Option<String>,
}

/// Every place where the manifests put the module.
pub(super) fn hosts(documents: &Documents) -> Vec<Host> {
    let mut hosts: Vec<Host> = documents.of(Stage::Filter).into_iter().filter_map(host).collect();
    hosts.dedup();
    hosts
}

fn host(document: &Document) -> Option<Host> {
    let spec = document.value().get("spec")?;
    let labels = spec.pointer("/workloadSelector/labels")?.as_object()?;
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    if !spec.to_string().contains(WASM) {
        return None;
    }
    let namespace = document.namespace().filter(|namespace| *namespace != ROOT_NAMESPACE).map(str::to_owned);
    Some(Host { selector: Selector { namespace, labels: labels.join(",") }, file: module_file(spec) })
}

/// The first `filename` in a tree that names a module.
fn module_file(tree: &Value) -> Option<String> {
    match tree {
        Value::Object(members) => {
            let here = members.get("filename").and_then(Value::as_str).filter(|name| name.ends_with(".wasm"));
            here.map(str::to_owned).or_else(|| members.values().find_map(module_file))
        }
        Value::Array(items) => items.iter().find_map(module_file),
        _ => None,
    }
}

/// What an east-west gateway must know of the subsets: a part of the name of an Envoy cluster for each.
pub(super) fn subset_names(documents: &Documents) -> Vec<String> {
    let mut names = Vec::new();
    for document in documents.of(Stage::Subsets) {
        let (Some(host), Some(subsets)) =
            (text(document.value(), "/spec/host"), document.value().pointer("/spec/subsets").and_then(Value::as_array))
        else {
            continue;
        };
        let namespace = document.namespace().unwrap_or("default");
        let host = if host.contains('.') { host } else { format!("{host}.{namespace}.svc.cluster.local") };
        // The gateway passes on what ends so, and nothing else.
        if host.ends_with(".local") {
            let known = subsets.iter().filter_map(|subset| text(subset, "/name"));
            names.extend(known.map(|subset| format!("_.{subset}_.{host}")));
        }
    }
    names
}
