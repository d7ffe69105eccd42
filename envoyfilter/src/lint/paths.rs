//! How the mesh spells paths before it matches them.
//!
//! Istio normalizes paths by one setting of the mesh, `pathNormalization.normalization`, and its default (`BASE`) leaves `//` and `%2f`
//! as they are. The setting stands in an IstioOperator, in the values of an installation, in the ConfigMap that istiod reads, or in a file
//! of its own. An EnvoyFilter can set the same in Envoy's words.

use super::envoy_filters;
use super::manifests::Resource;
use super::mesh::{Mesh, inside, text};
use crate::yaml::Tree;
use serde_json::Value;

/// What is done to a path, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Normalization {
    None,
    /// Dots and backslashes (RFC 3986).
    Base,
    /// And slashes that follow each other.
    Merge,
    /// And escaped slashes.
    Decode,
}

/// Where a setting stands, or would.
pub(super) struct Place<'a> {
    pub(super) resource: &'a Resource,
    pub(super) path: String,
}

impl Normalization {
    fn named(name: &str) -> Self {
        match name {
            "NONE" => Self::None,
            "MERGE_SLASHES" => Self::Merge,
            "DECODE_AND_MERGE_SLASHES" => Self::Decode,
            _ => Self::Base,
        }
    }

    /// Spellings that are left as they are.
    pub(super) fn lets_through(self) -> &'static str {
        match self {
            Self::None => "`/x/../`, `//` and `%2f` stay as they are",
            Self::Base => "`//` and `%2f` stay as they are",
            Self::Merge => "`%2f` stays as it is",
            Self::Decode => "every spelling of a slash is one slash",
        }
    }
}

/// Every setting among the manifests of a cluster.
pub(super) fn settings<'a>(mesh: &Mesh<'a>) -> Vec<(Place<'a>, Normalization)> {
    let mut found = Vec::new();
    let places = [
        ("IstioOperator", "/spec/meshConfig"),
        ("IstioOperator", "/spec/values/meshConfig"),
        ("Istio", "/spec/values/meshConfig"),
        ("MeshConfig", "/meshConfig"),
    ];
    for (kind, at) in places {
        for resource in mesh.of(kind) {
            if let Some(config) = resource.get(at) {
                let path = format!("{}.pathNormalization.normalization", at.trim_start_matches('/').replace('/', "."));
                found.push((Place { resource, path }, level(config)));
            }
        }
    }
    for resource in mesh.of("ConfigMap") {
        let of_istiod = resource.name == "istio" || resource.name.starts_with("istio-");
        let Some(config) = resource.get("/data/mesh").and_then(Value::as_str).filter(|_| of_istiod) else { continue };
        if let Ok(config) = Tree::parse(config) {
            found.push((Place { resource, path: "data.mesh".to_owned() }, level(&config.value)));
        }
    }
    // What an EnvoyFilter sets comes after, and wins.
    if mesh.of("EnvoyFilter").iter().any(|filter| decodes(filter)) {
        found.iter_mut().for_each(|(_, level)| *level = Normalization::Decode);
        if let (true, Some(resource)) = (found.is_empty(), mesh.of("EnvoyFilter").iter().find(|filter| decodes(filter)))
        {
            found.push((Place { resource, path: "spec".to_owned() }, Normalization::Decode));
        }
    }
    found
}

fn level(config: &Value) -> Normalization {
    text(config, "/pathNormalization/normalization").map_or(Normalization::Base, Normalization::named)
}

/// Whether a patch for gateways makes every spelling of a slash one slash, or refuses them.
fn decodes(filter: &Resource) -> bool {
    filter.list("/spec/configPatches").iter().any(|patch| {
        let context = text(patch, "/match/context").unwrap_or("ANY");
        let value = inside(patch, "/patch/value").filter(|_| ["GATEWAY", "ANY"].contains(&context));
        let set = |names: &[&str]| value.and_then(|value| envoy_filters::get(value, names));
        let action = set(&["path_with_escaped_slashes_action", "pathWithEscapedSlashesAction"]).and_then(Value::as_str);
        let merges = set(&["merge_slashes", "mergeSlashes"]).and_then(Value::as_bool) == Some(true);
        merges && action.is_some_and(|action| !["KEEP_UNCHANGED", "IMPLEMENTATION_SPECIFIC_DEFAULT"].contains(&action))
    })
}
