//! Each folder applied as one: `kubectl apply -k`.

use super::files::Files;
use crate::install::OURS;
use serde_json::{Value, json};

/// The parts of a cluster's folder, in the order of the rollout.
const PARTS: [&str; 7] = ["guard", "subsets", "edge", "routes", "filter", "tag", "lock"];

/// Adds the kustomizations of a cluster's folder.
pub(super) fn add(files: &mut Files, cluster: &str) {
    let mut parts = Vec::new();
    for part in PARTS {
        let folder = format!("{cluster}/{part}");
        let names = files.names_in(&folder);
        if !names.is_empty() {
            parts.push(part);
            files.add(format!("{folder}/kustomization.yaml"), "", &kustomization(&names));
        }
    }
    let about = "Everything at once. The parts stand in the order of the rollout; each can be applied alone.";
    files.add(format!("{cluster}/kustomization.yaml"), about, &kustomization(&parts));
}

/// Patches for workloads that are declared elsewhere.
pub(super) fn component(patches: &[Value]) -> Value {
    json!({"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "patches": patches})
}

fn kustomization(resources: &[impl AsRef<str>]) -> Value {
    let resources: Vec<&str> = resources.iter().map(AsRef::as_ref).collect();
    // As the command does it: what is applied by hand is ours as well, and the command finds nothing to keep for a way back.
    let ours = json!([{"pairs": {OURS: "true"}}]);
    json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources, "labels": ours})
}
