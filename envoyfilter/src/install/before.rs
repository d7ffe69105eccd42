//! What stood there before us, kept in the cluster.
//!
//! A route that we render from a user's own has the user's name, so putting ours in takes theirs out, and "the reverse" is not to
//! delete it. Whatever has not our label when we first touch it is therefore kept beside it in a ConfigMap, from which anybody with
//! this command can put it back, on any machine. A second installation finds our label and keeps nothing: the first is the truth.

use super::documents::{Document, OURS, items, list, text, title};
use super::journal::Stop;
use super::kubectl::Kubectl;
use serde_json::{Value, json};

/// Where what belongs to no namespace is kept.
const CLUSTER_WIDE: &str = "istio-system";
const KEY: &str = "resource.json";

/// Keeps those of `documents` that the cluster has and that are not ours; their titles.
pub(super) fn keep(cluster: &Kubectl, documents: &[&Document], dry_run: bool) -> Result<Vec<String>, Stop> {
    let theirs: Vec<Value> = present(cluster, documents)?.into_iter().filter(|resource| !is_ours(resource)).collect();
    let kept: Vec<Value> = theirs.iter().map(keeper).collect();
    if !kept.is_empty() && !dry_run {
        let said = cluster.apply(&list(&kept), false, false)?;
        if !said.ok() {
            let what = format!("what is there could not be kept for a way back: {}", said.why());
            return Err(Stop::failed_in(
                cluster.context(),
                what,
                "allow the creation of ConfigMaps there and run this again",
            ));
        }
    }
    Ok(theirs.iter().map(title).collect())
}

/// The resources of `documents` that the cluster has.
pub(super) fn present(cluster: &Kubectl, documents: &[&Document]) -> Result<Vec<Value>, Stop> {
    read(cluster, &list(documents.iter().map(|document| document.value())))
}

/// What was kept for `documents`.
pub(super) fn kept(cluster: &Kubectl, documents: &[&Document]) -> Result<Vec<Value>, Stop> {
    let keepers: Vec<Value> = documents.iter().map(|document| keeper(document.value())).collect();
    let found = read(cluster, &list(&keepers))?;
    let resource = |keeper: &Value| serde_json::from_str(keeper.get("data")?.get(KEY)?.as_str()?).ok();
    Ok(found.iter().filter_map(resource).collect())
}

/// Forgets what was kept of `resources`, which are back.
pub(super) fn forget(cluster: &Kubectl, resources: &[Value]) -> Result<(), Stop> {
    let keepers: Vec<Value> = resources.iter().map(keeper).collect();
    let said = cluster.run(&["delete", "--ignore-not-found", "-f", "-"], Some(&list(&keepers)))?;
    if said.ok() {
        return Ok(());
    }
    let what = format!("what was kept could not be removed: {}", said.why());
    Err(Stop::failed_in(cluster.context(), what, "everything is as it was; run this again to tidy up"))
}

/// Whether a resource in a cluster is one of ours.
pub(super) fn is_ours(resource: &Value) -> bool {
    resource.pointer("/metadata/labels").and_then(|labels| labels.get(OURS)).is_some()
}

fn read(cluster: &Kubectl, resources: &str) -> Result<Vec<Value>, Stop> {
    let said = cluster.get(resources)?;
    let found = items(&said.stdout).filter(|_| said.ok());
    found.ok_or_else(|| {
        let what = format!("what is there cannot be read: {}", said.why());
        Stop::failed_in(
            cluster.context(),
            what,
            "check that the cluster answers and that Istio is installed there, and run this again",
        )
    })
}

/// The ConfigMap that keeps a resource, without what the cluster itself wrote.
fn keeper(resource: &Value) -> Value {
    let mut bare = resource.clone();
    if let Some(bare) = bare.as_object_mut() {
        bare.remove("status");
        if let Some(metadata) = bare.get_mut("metadata").and_then(Value::as_object_mut) {
            for written in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
                metadata.remove(written);
            }
        }
    }
    let kind = text(resource, "/kind").unwrap_or_default().to_lowercase();
    let name = text(resource, "/metadata/name").unwrap_or_default();
    let namespace = text(resource, "/metadata/namespace").unwrap_or_else(|| CLUSTER_WIDE.to_owned());
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": format!("before-meridian.{kind}.{name}"), "namespace": namespace, "labels": {OURS: "before"}},
        "data": {KEY: bare.to_string()},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_can_be_put_back_whatever_the_cluster_has_become() {
        let metadata = json!({"name": "a", "namespace": "b", "uid": "1", "resourceVersion": "7", "generation": 2, "labels": {"x": "y"}});
        let resource = json!({"kind": "VirtualService", "metadata": metadata, "spec": {"hosts": ["*"]}, "status": {}});
        let keeper = keeper(&resource);
        assert_eq!(keeper["metadata"]["name"], "before-meridian.virtualservice.a");
        let kept: Value = serde_json::from_str(keeper["data"][KEY].as_str().unwrap()).unwrap();
        let bare = json!({"name": "a", "namespace": "b", "labels": {"x": "y"}});
        assert_eq!(kept, json!({"kind": "VirtualService", "metadata": bare, "spec": {"hosts": ["*"]}}));
    }
}
