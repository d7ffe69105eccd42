//! Where pods run, and which fences their labels put them in.

use super::Findings;
use super::codes::{MER009, MER010, MER011, MER012, MER016, MER018};
use super::facts::PlanFacts;
use super::manifests::Resource;
use super::mesh::{Mesh, inside, text};
use crate::istio::FENCE_PREFIX;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

const REGION: &str = "topology.kubernetes.io/region";
const WORKLOADS: [&str; 5] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"];

pub(super) fn check(mesh: &Mesh<'_>, findings: &mut Findings<'_>) {
    let nodes = nodes(mesh, findings);
    let wanted = wanted(mesh);
    for pod in mesh.of("Pod") {
        Pod { mesh, resource: pod, labels: "metadata.labels", spec: pod.get("/spec"), nodes: &nodes }
            .check(&wanted, findings);
    }
    for workload in WORKLOADS.iter().flat_map(|kind| mesh.of(kind)) {
        let (labels, spec) = ("spec.template.metadata.labels", workload.get("/spec/template/spec"));
        Pod { mesh, resource: workload, labels, spec, nodes: &nodes }.check(&wanted, findings);
    }
    namespaces(mesh, findings);
}

/// The region of every node that names one.
fn nodes<'a>(mesh: &Mesh<'a>, findings: &mut Findings<'_>) -> HashMap<&'a str, &'a str> {
    let mut regions = HashMap::new();
    for node in mesh.of("Node") {
        let Some(region) = node.label(REGION) else {
            let message = format!("the node has no label `{REGION}`");
            findings.note(&MER011, (node, "metadata.labels"), message, MER011.instead);
            continue;
        };
        if !mesh.facts.regions.contains(region) {
            let message = format!("the policy has no region `{region}`");
            findings.note(&MER012, (node, &format!("metadata.labels.{REGION}")), message, MER012.instead);
        }
        regions.insert(node.name.as_str(), region);
    }
    regions
}

/// What the pods of a Service must carry: its namespace, its selector, and the fences it is behind.
struct Wanted<'a> {
    namespace: &'a str,
    selector: &'a Value,
    fences: BTreeSet<&'a str>,
}

fn wanted<'a>(mesh: &Mesh<'a>) -> Vec<Wanted<'a>> {
    let wanted = |service: &&'a Resource| {
        let host = format!("{}.{}.svc.cluster.local", service.name, service.namespace);
        let plans = mesh.facts.services.get(&host)?.plans.values();
        let fences = plans.filter_map(|plan| match plan {
            PlanFacts::Fenced(fence) => Some(fence.as_str()),
            PlanFacts::Open | PlanFacts::Only(_) => None,
        });
        let (namespace, selector) = (service.namespace.as_str(), service.get("/spec/selector")?);
        Some(Wanted { namespace, selector, fences: fences.collect() })
    };
    mesh.of("Service").iter().filter_map(wanted).filter(|wanted| !wanted.fences.is_empty()).collect()
}

/// A pod, or the template of one.
struct Pod<'a> {
    mesh: &'a Mesh<'a>,
    resource: &'a Resource,
    /// Where its labels stand.
    labels: &'static str,
    spec: Option<&'a Value>,
    nodes: &'a HashMap<&'a str, &'a str>,
}

impl<'a> Pod<'a> {
    fn check(&self, wanted: &[Wanted<'_>], findings: &mut Findings<'_>) {
        let region = self.region();
        let labels = self.labels();
        for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
            let Some(fence) = key.strip_prefix(FENCE_PREFIX) else { continue };
            let path = format!("{}.{key}", self.labels);
            match (self.mesh.facts.fences.get(fence), region) {
                (None, _) => {
                    let message = format!("the policy has no fence `{fence}`");
                    findings.note(&MER018, (self.resource, &path), message, MER018.instead);
                }
                (Some(_), _) if value.as_str() != Some("true") => {
                    let message = "the value is not \"true\", so the label means nothing".to_owned();
                    findings.note(&MER018, (self.resource, &path), message, format!("{key}: \"true\""));
                }
                (Some(regions), Some(region)) if !regions.iter().any(|inside| inside == region) => {
                    let message = format!("it runs in {region}, which is outside of the fence `{fence}`");
                    findings.note(&MER009, (self.resource, &path), message, MER009.instead);
                }
                (Some(_), _) => {}
            }
        }
        let Some(region) = region else { return };
        for wanted in wanted.iter().filter(|wanted| self.is_selected(wanted)) {
            for fence in &wanted.fences {
                let inside = self.mesh.facts.fences.get(*fence).is_some_and(|all| all.iter().any(|at| at == region));
                let label = format!("{FENCE_PREFIX}{fence}");
                if inside && labels.and_then(|labels| labels.get(&label)).is_none() {
                    let message = format!("it runs in {region}, inside the fence `{fence}`, and lacks its label");
                    let instead = format!("{label}: \"true\"");
                    findings.note(&MER010, (self.resource, self.labels), message, instead);
                }
            }
        }
    }

    fn labels(&self) -> Option<&'a Value> {
        self.resource.get(&format!("/{}", self.labels.replace('.', "/")))
    }

    /// Where it runs, as far as manifests tell: its node, what it asks for of a node, its own label, or the cluster it is for.
    fn region(&self) -> Option<&'a str> {
        let spec = self.spec;
        let node = spec.and_then(|spec| text(spec, "/nodeName")).and_then(|node| self.nodes.get(node).copied());
        let selected = || spec?.get("nodeSelector")?.get(REGION)?.as_str();
        let labelled = || self.labels()?.get(REGION)?.as_str();
        node.or_else(selected).or_else(|| spec.and_then(required_region)).or_else(labelled).or(self.mesh.region)
    }

    fn is_selected(&self, wanted: &Wanted<'_>) -> bool {
        let selector = wanted.selector.as_object();
        wanted.namespace == self.resource.namespace
            && selector.is_some_and(|selector| {
                !selector.is_empty()
                    && selector
                        .iter()
                        .all(|(key, value)| self.labels().and_then(|labels| labels.get(key)) == Some(value))
            })
    }
}

/// The one region that node affinity requires.
fn required_region(spec: &Value) -> Option<&str> {
    let path = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let [term] = inside(spec, path)?.as_array()?.as_slice() else { return None };
    let expressions = term.get("matchExpressions")?.as_array()?;
    let region = expressions
        .iter()
        .find(|entry| text(entry, "/key") == Some(REGION) && text(entry, "/operator") == Some("In"))?;
    let [one] = region.get("values")?.as_array()?.as_slice() else { return None };
    one.as_str()
}

/// That the pods of every service have a sidecar.
fn namespaces(mesh: &Mesh<'_>, findings: &mut Findings<'_>) {
    let used: BTreeSet<&str> = mesh
        .facts
        .services
        .keys()
        .filter_map(|host| host.strip_suffix(".svc.cluster.local")?.rsplit_once('.').map(|(_, namespace)| namespace))
        .collect();
    for namespace in mesh.of("Namespace").iter().filter(|namespace| used.contains(namespace.name.as_str())) {
        let injected =
            namespace.label("istio-injection") == Some("enabled") || namespace.label("istio.io/rev").is_some();
        let ambient = namespace.label("istio.io/dataplane-mode") == Some("ambient");
        let message = match (ambient, injected) {
            (true, _) => "it is in ambient mode",
            (false, false) => "no label asks for sidecars",
            (false, true) => continue,
        };
        findings.note(&MER016, (namespace, "metadata.labels"), message.to_owned(), MER016.instead);
    }
}
