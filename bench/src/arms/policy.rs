//! The policies of the arms, from `bench/policies`.

use anyhow::{Context, Result};
use meridian::policy_file::PolicyFile;
use meridian_core::LocalHints;
use serde_json::{Value, json};

use super::{Name, Region};
use crate::document;

const MINIMAL: &str = include_str!("../../policies/minimal.yaml");
const EVERYTHING: &str = include_str!("../../policies/everything.yaml");
/// Longer than any run, so that a region that is lost stays lost.
const FOR_GOOD: &str = "86400s";

/// What is asked for in a policy of many regions: another spelling of the second.
pub(super) const ASKED: &str = "alias-1";

/// The last of so many hosts.
pub(super) fn last_host(hosts: u16) -> String {
    format!("host-{}.example.com", hosts.saturating_sub(1))
}

/// A policy with so many regions and hosts, whose first two regions are those of the upstreams.
pub(super) fn of_size(regions: u16, hosts: u16) -> Result<Value> {
    let mut document = document(regions.into(), hosts.into());
    for (number, region) in [Region::West, Region::East].into_iter().enumerate() {
        let place = document.pointer_mut(&format!("/regions/{number}/displayName"));
        *place.context("There are fewer regions than upstreams.")? = Value::from(region.tag());
    }
    document.as_object_mut().context("The policy is not a document.")?.insert("table".to_owned(), Value::from("plans"));
    Ok(document)
}

/// The policy of an arm, as JSON, which is YAML as well; its clusters have `id` in their names.
pub(super) fn policy(name: Name, lost: bool, id: &str) -> Result<String> {
    let everything = matches!(
        name,
        Name::Everything | Name::Unshadowed | Name::Blocking | Name::Plans | Name::Table | Name::Without(_)
    );
    let text = if everything { EVERYTHING } else { MINIMAL };
    let mut document = PolicyFile::parse(id, text, &LocalHints::default())?.document;
    for service in document.get_mut("services").and_then(Value::as_array_mut).into_iter().flatten() {
        let host = format!("{}.{id}.svc.cluster.local", service["name"].as_str().unwrap_or_default());
        *service.pointer_mut("/destination/host").context("A service has no destination.")? = Value::from(host);
    }
    let members = document.as_object_mut().context("The policy is not a document.")?;
    match name {
        Name::Plans => drop(members.insert("table".to_owned(), Value::from("plans"))),
        Name::Blocking => drop(members.insert("verify".to_owned(), json!({"onMismatch": "block"}))),
        Name::Unshadowed => drop(members.remove("shadow")),
        _ => {}
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
