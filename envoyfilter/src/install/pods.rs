//! What the proxies themselves say: the one answer that a control plane cannot give for them.

use super::documents::{Document, Documents, WASM, items, text};
use super::journal::Stop;
use super::kubectl::{Kubectl, Said};
use super::stage::Stage;
use serde_json::Value;

/// The container of a proxy.
const PROXY: &str = "istio-proxy";

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
    /// `name=value,name=value`; empty for every pod with a proxy.
    pub(super) labels: String,
}

impl Pod {
    /// Runs a program beside its proxy.
    pub(super) fn exec(&self, cluster: &Kubectl, program: &[&str]) -> Result<Said, Stop> {
        let at = ["exec", "-n", &self.namespace, &self.name, "-c", PROXY, "--"];
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
    /// Reads `namespace/labels` or labels alone. The value of a label has no slash, but its name may have one, before a `=`.
    pub(super) fn read(text: &str) -> Self {
        match text.split_once('/').filter(|(namespace, _)| !namespace.contains('.') && !namespace.contains('=')) {
            Some((namespace, labels)) => Self { namespace: Some(namespace.to_owned()), labels: labels.to_owned() },
            None => Self { namespace: None, labels: text.to_owned() },
        }
    }

    /// The pods that run and have a proxy.
    pub(super) fn pods(&self, cluster: &Kubectl) -> Result<Vec<Pod>, Stop> {
        let namespace = self.namespace.as_deref().map_or(vec!["--all-namespaces"], |namespace| vec!["-n", namespace]);
        let running = ["-l", &self.labels, "--field-selector=status.phase=Running", "-o", "json"];
        let said = cluster.run(&[&["get", "pods"], namespace.as_slice(), &running].concat(), None)?;
        let Some(pods) = items(&said.stdout).filter(|_| said.ok()) else {
            let what = format!("the pods {} cannot be listed: {}", self.labels, said.why());
            return Err(Stop::failed_in(cluster.context(), what, "allow listing pods there and run this again"));
        };
        let proxies = pods.iter().filter(|pod| has_proxy(pod));
        let pod = |pod: &Value| {
            Some(Pod { namespace: text(pod, "/metadata/namespace")?, name: text(pod, "/metadata/name")? })
        };
        Ok(proxies.filter_map(pod).collect())
    }
}

/// Whether a pod has a proxy, which may be among the containers that are started first.
fn has_proxy(pod: &Value) -> bool {
    let lists =
        ["/spec/containers", "/spec/initContainers"].into_iter().filter_map(|list| pod.pointer(list)?.as_array());
    lists.flatten().any(|container| container.get("name").is_some_and(|name| name == PROXY))
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
    let selector = loads(document).filter(|proxies| !proxies.labels.is_empty())?;
    Some(Host { selector, file: module_file(document.value()) })
}

/// Every proxy that the manifests make load the module from a file: those of gateways, and of whole namespaces.
pub(super) fn proxies(documents: &Documents) -> Vec<Selector> {
    documents.of(Stage::Filter).into_iter().filter_map(loads).collect()
}

/// The proxies that a filter puts the module into. They are in its own namespace: in Istio's root namespace it would mean others too, but
/// it is rendered where its gateways run, and who asks beyond that needs to be allowed to in the whole cluster.
fn loads(document: &Document) -> Option<Selector> {
    let spec = document.value().get("spec").filter(|spec| spec.to_string().contains(WASM))?;
    let labels = spec.pointer("/workloadSelector/labels").and_then(Value::as_object).into_iter().flatten();
    let labels: Vec<String> =
        labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    Some(Selector { namespace: document.namespace().map(str::to_owned), labels: labels.join(",") })
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
