//! The policies of the arms, from `bench/policies`.

use anyhow::{Context, Result};
use meridian::policy_file::PolicyFile;
use meridian_core::LocalHints;
use serde_json::{Value, json};

use super::Name;

const MINIMAL: &str = include_str!("../../policies/minimal.yaml");
const EVERYTHING: &str = include_str!("../../policies/everything.yaml");
/// Longer than any run, so that a region that is lost stays lost.
const FOR_GOOD: &str = "86400s";

/// The policy of an arm, as JSON, which is YAML as well; its clusters have `id` in their names.
pub(super) fn policy(name: Name, lost: bool, id: &str) -> Result<String> {
    let text = if matches!(name, Name::Everything | Name::Plans | Name::Table) { EVERYTHING } else { MINIMAL };
    let mut document = PolicyFile::parse(id, text, &LocalHints::default())?.document;
    for service in document.get_mut("services").and_then(Value::as_array_mut).into_iter().flatten() {
        let host = format!("{}.{id}.svc.cluster.local", service["name"].as_str().unwrap_or_default());
        *service.pointer_mut("/destination/host").context("A service has no destination.")? = Value::from(host);
    }
    let members = document.as_object_mut().context("The policy is not a document.")?;
    if name == Name::Plans {
        members.insert("table".to_owned(), Value::from("plans"));
    }
    if lost {
        let health = members.entry("outlierDetection").or_insert_with(|| json!({}));
        let health = health.as_object_mut().context("`outlierDetection` is not an object.")?;
        for key in ["baseEjectionTime", "maxEjectionTime"] {
            health.insert(key.to_owned(), Value::from(FOR_GOOD));
        }
    }
    Ok(document.to_string())
}
