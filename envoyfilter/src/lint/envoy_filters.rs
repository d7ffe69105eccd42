//! EnvoyFilters: that the edge strips what no client may bring or see, and that nothing routes around the table.

use super::Findings;
use super::codes::{MER008, MER014, MER022};
use super::mesh::{Mesh, inside, text};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn check(mesh: &Mesh<'_>, findings: &mut Findings<'_>) {
    let (mut stripped, mut hidden) = (BTreeSet::new(), BTreeSet::new());
    let mut place = None;
    for resource in mesh.of("EnvoyFilter") {
        for (index, patch) in resource.list("/spec/configPatches").iter().enumerate() {
            let path = format!("spec.configPatches[{index}].patch.value");
            let value = inside(patch, "/patch/value");
            if let Some(found) = value.and_then(|value| find(value, &["cluster_header", "clusterHeader"], &path)) {
                let message = "a header chooses the cluster a request goes to".to_owned();
                findings.note(&MER014, (resource, &found), message, MER014.instead);
            }
            let context = inside(patch, "/match/context").and_then(Value::as_str).unwrap_or("ANY");
            let Some(value) = value.filter(|_| ["GATEWAY", "ANY"].contains(&context)) else { continue };
            if let Some(early) = get(value, &["early_header_mutation_extensions", "earlyHeaderMutationExtensions"]) {
                removed(early, &mut stripped);
                place = Some((*resource, path));
            }
            if let Some(late) = get(value, &["response_mutations", "responseMutations"]) {
                removed(late, &mut hidden);
            }
        }
    }
    if let Some(name) = mesh.facts.hidden.as_ref().filter(|name| mesh.at_the_edge && !hidden.contains(*name)) {
        findings.note_policy(&MER022, "tag.public", format!("nothing takes {name} out of answers"), MER022.instead);
    }
    let missing: Vec<&str> =
        mesh.facts.stripped.iter().map(String::as_str).filter(|name| !stripped.contains(*name)).collect();
    if !mesh.at_the_edge || missing.is_empty() {
        return;
    }
    let message = format!("nothing strips {}", missing.join(", "));
    match &place {
        Some((resource, path)) => findings.note(&MER008, (resource, path), message, MER008.instead),
        None => findings.note_policy(&MER008, "role", message, MER008.instead),
    }
}

/// Every header that mutations remove.
fn removed(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| removed(item, found)),
        Value::Object(map) => {
            found.extend(text(value, "/remove").map(str::to_ascii_lowercase));
            map.values().for_each(|item| removed(item, found));
        }
        _ => {}
    }
}

/// The value of one of these keys, wherever it stands.
pub(super) fn get<'v>(value: &'v Value, keys: &[&str]) -> Option<&'v Value> {
    match value {
        Value::Array(items) => items.iter().find_map(|item| get(item, keys)),
        Value::Object(map) => {
            keys.iter().find_map(|key| map.get(*key)).or_else(|| map.values().find_map(|item| get(item, keys)))
        }
        _ => None,
    }
}

/// The path of one of these keys, wherever it stands.
fn find(value: &Value, keys: &[&str], path: &str) -> Option<String> {
    match value {
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| find(item, keys, &format!("{path}[{index}]")))
        }
        Value::Object(map) => map.iter().find_map(|(key, item)| {
            let path = format!("{path}.{key}");
            if keys.contains(&key.as_str()) { Some(path) } else { find(item, keys, &path) }
        }),
        _ => None,
    }
}
