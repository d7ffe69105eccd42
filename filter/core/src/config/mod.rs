//! From a document to a policy: parse, don't validate.
//!
//! One document serves the filter (as JSON in the plugin configuration), the command line and the tests. It is read once, every error
//! is collected with the path where it stands and what to write instead, and a [`Policy`] exists only if there is none. Keys that
//! nobody knows are refused for people, who mistyped them; the filter, which may be older than the document, is asked to warn instead,
//! unless the document lists the key under `critical`. Keys that the design knows and this version does not are refused everywhere:
//! ignoring half a policy in silence would be worse than not starting.

mod builder;
mod drills;
mod explain;
mod fingerprint;
mod headers;
mod near;
mod outlier;
mod problem;
mod reader;
mod regions;
mod rules;
mod services;
mod shadow;
mod time;

pub use problem::{Problem, Severity};

use crate::ids::RegionId;
use crate::policy::{OnMismatch, Policy, Role, Stage, Table};
use builder::Builder;
use fingerprint::fingerprint;
use reader::Reader;
use serde_json::Value;

/// What to do with keys that are not in the schema at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownKeys {
    /// Refuse them: for people.
    Refuse,
    /// Warn, unless `critical` lists them: for a filter that may be older or newer than the document.
    Warn,
}

/// What this Envoy knows about where it runs; used where the document names no `local`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalHints<'a> {
    /// The node metadata's `CLUSTER_ID`.
    pub cluster_id: Option<&'a str>,
    /// The node locality's region.
    pub locality_region: Option<&'a str>,
    /// The node metadata's `NAMESPACE`: for a sidecar, the one where a service's first label is name enough.
    pub namespace: Option<&'a str>,
}

const TOP: &[&str] = &[
    "apiVersion",
    "role",
    "local",
    "regionHeader",
    "regions",
    "fences",
    "services",
    "rules",
    "outlierDetection",
    "activeHealthCheck",
    "warmup",
    "table",
    "stage",
    "tag",
    "critical",
    "drills",
    "headers",
    "explain",
    "verify",
    "shadow",
];
const ROLES: &[(&str, Role)] = &[("gateway", Role::Gateway), ("outbound", Role::Outbound), ("inbound", Role::Inbound)];
const STAGES: &[(&str, Stage)] = &[("observe", Stage::Observe), ("native", Stage::Native), ("enforce", Stage::Enforce)];
const ON_MISMATCH: &[(&str, OnMismatch)] = &[("count", OnMismatch::Count), ("block", OnMismatch::Block)];

/// Compiles a document. The policy is there exactly if no problem is an error.
///
/// # Errors
/// Every problem of the document, each with its path; warnings come with the policy as well.
pub fn compile(
    document: &Value,
    unknown: UnknownKeys,
    hints: &LocalHints<'_>,
) -> Result<(Policy, Vec<Problem>), Vec<Problem>> {
    let reader = Reader::new(unknown, critical(document));
    let policy = build(&reader, document, hints);
    let problems = reader.into_problems();
    let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
    match policy {
        Some(policy) if !failed => Ok((policy, problems)),
        _ => Err(problems),
    }
}

/// Keys the document wants refused wherever they are not understood.
fn critical(document: &Value) -> Vec<String> {
    let listed = document.get("critical").and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn build(reader: &Reader, document: &Value, hints: &LocalHints<'_>) -> Option<Policy> {
    let root = reader.root(document).object(TOP)?;
    match root.required("apiVersion").and_then(|node| node.text()) {
        Some("meridian/v1") | None => {}
        Some(other) => {
            root.error("apiVersion", format!("`{other}` is not a version this build reads"), "`meridian/v1`")
        }
    }
    for item in root.get("critical").and_then(|node| node.list()).unwrap_or_default() {
        let _ = item.text();
    }
    let role = root.required("role").and_then(|node| node.choice(ROLES));
    let table = root.get("table").and_then(|node| node.choice(&[("full", Table::Full), ("plans", Table::Plans)]));
    let tag = root.get("tag").and_then(|node| node.object(&["public"]));
    let public = tag.and_then(|tag| tag.get("public")).and_then(|node| node.boolean());
    let stage = root.get("stage").and_then(|node| node.choice(STAGES)).unwrap_or_default();
    let verify = root.get("verify").and_then(|node| node.object(&["onMismatch"]));
    let on_mismatch = verify.and_then(|verify| verify.get("onMismatch")?.choice(ON_MISMATCH));
    let mut builder = Builder::default();
    builder.headers = headers::read(&root);
    let header = match root.get("regionHeader") {
        Some(node) => headers::others(&node, &builder.headers),
        None => Some("region".to_owned()),
    };
    regions::read(&root, &mut builder);
    let local = local(&root, &builder, hints);
    regions::read_fences(&root, &mut builder);
    services::read(&root, &mut builder);
    let shadow_rules = shadow::read(&root, &builder, local, stage);
    rules::read(&root, &mut builder, local);
    let drills = drills::read(&root, &mut builder);
    // What is not rendered leads no probe anywhere.
    let probed = if stage == Stage::Observe { Vec::new() } else { builder.probed() };
    let health = outlier::read(&root, probed);
    let explain = explain::read(&root);

    let mut settings = builder::Settings {
        role: role?,
        namespace: hints.namespace.map(str::to_owned),
        table: table.unwrap_or_default(),
        local,
        region_header: header?,
        tag_is_private: public == Some(false),
        health,
        drills,
        stage,
        on_mismatch: on_mismatch.unwrap_or_default(),
        shadow: None,
        explain,
        revision: fingerprint(document),
    };
    if let Some(rules) = shadow_rules {
        settings.shadow = rules.finish(&root, settings.clone());
    }
    builder.finish(&root, settings)
}

/// The region this Envoy runs in: as the document says, else by cluster id, else by locality, else unknown.
fn local(root: &reader::Object<'_>, builder: &Builder, hints: &LocalHints<'_>) -> Option<RegionId> {
    if let Some(node) = root.get("local") {
        return builder.region(&node);
    }
    let by_cluster = hints.cluster_id.and_then(|cluster| {
        builder.regions.iter().position(|region| region.clusters.iter().any(|name| name == cluster))
    });
    let by_locality =
        hints.locality_region.and_then(|name| builder.regions.iter().position(|region| region.name == name));
    by_cluster.or(by_locality).and_then(RegionId::at)
}

#[cfg(test)]
mod tests;
