//! From a policy to what a mesh admin applies.
//!
//! Istio carries the static policy by itself: a plan is a subset of a `DestinationRule`, the table is a `VirtualService`, a fence is a
//! label on pods. The filter comes on top through `EnvoyFilter`s, and everything holds without it. What is written is one folder per
//! cluster, because two things differ between clusters: the region a request goes to that asks for none, and the tag. A folder is
//! whole: `kubectl apply -k` of one of its parts is a step of the rollout.
//!
//! | folder | holds | step |
//! |---|---|---|
//! | `labels` | a Kustomize component: the fences' labels, for the workloads' own manifests | first: a fence without pods serves nobody |
//! | `guard` | a `ValidatingAdmissionPolicy`: no such label outside its fence | with the labels |
//! | `subsets` | `DestinationRule`s | then, in **every** cluster: an east-west gateway knows a subset only from its own istiod |
//! | `edge` | `EnvoyFilter`s: what a client may not bring is taken out | before the routes, which trust what is left |
//! | `routes` | `VirtualService`s | when the subsets are everywhere |
//! | `mount` | a Kustomize component: the module's volume, for gateways and sidecars | before the filter |
//! | `filter` | the module and the `EnvoyFilter`s that load it, or `WasmPlugin`s | when the routes are there |
//! | `tag` | `EnvoyFilter`s: answers say which cluster served them | any time |
//! | `lock` | `AuthorizationPolicy`s: pods outside every fence of their service answer nobody | last |
//!
//! Clusters that share one control plane (primary-remote) share one table as well: apply the primary's folder, and set `local` in the
//! policy or a rule's `distribute`, because a `VirtualService` cannot tell its proxies' clusters apart.
//!
//! A policy with `stage: observe` is the filter alone, and no other folder: what was there before goes on as it did.
//!
//! Every name and number comes from the same compiled policy that the filter decides with.

mod claims;
mod cluster;
mod complaint;
mod delivery;
mod destination_rule;
mod files;
mod filter;
mod given;
mod guard;
mod hosts;
mod http_route;
mod kustomize;
mod matching;
mod mesh_config;
mod needs;
mod subset;
mod table;
#[cfg(test)]
mod testing;
mod virtual_service;
mod yaml;

pub use files::Files;
pub use filter::{Module, Position, Source, Tag};
pub use given::Sources;
pub(crate) use subset::FENCE_PREFIX;

use crate::policy_file::PolicyFile;
use anyhow::{Result, bail};
use cluster::Cluster;
use complaint::{Complaints, Place};
use meridian_core::{LocalHints, Policy, UnknownKeys, compile};
use serde_json::{Map, Value, json};

/// What the policy does not say about the mesh.
#[derive(Clone, Debug)]
pub struct Options {
    /// The clusters to render for; empty: all of the policy's.
    pub clusters: Vec<String>,
    /// The gateways that answer for public hosts, as `namespace/name`.
    pub gateways: Vec<String>,
    /// Istio's root namespace.
    pub root_namespace: String,
    /// Every pod reaches every other one without a gateway.
    pub one_network: bool,
    /// What the user has already.
    pub given: Option<Sources>,
    /// The labels of the gateways' pods.
    pub gateway_selector: Map<String, Value>,
    /// Where the gateways' pods run.
    pub gateway_namespace: String,
    /// Where proxies get the module; none: the native table alone.
    pub module: Option<Source>,
    /// Where it stands in the gateways' chains.
    pub position: Position,
    /// Namespaces whose sidecars decide for the calls of their applications.
    pub outbound: Vec<String>,
    /// Who tags answers.
    pub tag: Tag,
    /// The label that tells a service's workloads, by the first part of its host.
    pub workload_label: String,
    /// Clusters with the trust domain of their workloads.
    pub trust_domains: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clusters: Vec::new(),
            gateways: Vec::new(),
            root_namespace: "istio-system".to_owned(),
            one_network: false,
            given: None,
            gateway_selector: Map::from_iter([("istio".to_owned(), json!("ingressgateway"))]),
            gateway_namespace: "istio-system".to_owned(),
            module: None,
            position: Position::default(),
            outbound: Vec::new(),
            tag: Tag::default(),
            workload_label: "app".to_owned(),
            trust_domains: Vec::new(),
        }
    }
}

/// Renders a policy for each of its clusters.
///
/// # Errors
/// Everything that Istio could not carry, each with its place.
pub fn render(file: &PolicyFile, options: &Options) -> Result<Files> {
    let complaints = Complaints::default();
    check_rescues(file, &complaints);
    let mut files = Files::new(file.policy.revision());
    for cluster in clusters(&file.policy, options)? {
        let policy = compiled_for(file, cluster)?;
        let cluster =
            Cluster { policy: &policy, document: &file.document, name: cluster, options, complaints: &complaints };
        cluster.render(&mut files);
    }
    complaints.into_result()?;
    Ok(files)
}

/// A rescue has to have the tries to leave a region. Istio's `retryRemoteLocalities` moves on every second try (Envoy's
/// `previous_priorities` with an `update_frequency` of 2): the first try and one more stay where they began.
fn check_rescues(file: &PolicyFile, complaints: &Complaints) {
    let rules = file.document.get("rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for rule in file.policy.rules() {
        let mut scopes = rule.scopes().filter_map(|id| file.policy.scope(id));
        let leaves = scopes.any(|scope| scope.order().len() > 1);
        if !leaves || rule.rescue.as_ref().is_none_or(|rescue| rescue.attempts != 1) {
            continue;
        }
        let index = rules.iter().position(|known| known.get("name").and_then(Value::as_str) == Some(&rule.name));
        let at = index.map_or_else(
            || Place::new(format!("rule `{}`", rule.name)),
            |index| Place::new("policy").key("rules").item(index),
        );
        complaints.note(
            &at.key("rescue").key("attempts"),
            "1 is too few: Istio leaves the region with the second retry, so no request would be rescued",
            "write 2 or more",
        );
    }
}

/// The clusters to render for, which are part of names, labels and paths from here on.
fn clusters<'a>(policy: &'a Policy, options: &'a Options) -> Result<Vec<&'a str>> {
    let known: Vec<&str> = policy.regions().iter().flat_map(|region| &region.clusters).map(String::as_str).collect();
    for cluster in &known {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        let (first, last) = (cluster.bytes().next(), cluster.bytes().next_back());
        if cluster.len() > 63 || !cluster.bytes().all(inner) || !ends(first) || !ends(last) {
            bail!(
                "regions: the cluster `{cluster}` cannot be the value of a label; use its CLUSTER_ID as Istio has it"
            );
        }
    }
    for cluster in &options.clusters {
        if !known.contains(&cluster.as_str()) {
            bail!("the policy has no cluster `{cluster}`; it has {}", known.join(", "));
        }
    }
    if let Some((cluster, _)) = options.trust_domains.iter().find(|(cluster, _)| !known.contains(&cluster.as_str())) {
        bail!("a trust domain is given for the cluster `{cluster}`; the policy has {}", known.join(", "));
    }
    if let Some(Source::File(module)) = &options.module
        && !delivery::fits(module)
    {
        bail!("the module is larger than a ConfigMap takes (1 MiB); push it to a registry and use `--oci`");
    }
    Ok(if options.clusters.is_empty() { known } else { options.clusters.iter().map(String::as_str).collect() })
}

/// The policy as the proxies of a cluster see it, sidecars with their names of the registry included.
fn compiled_for(file: &PolicyFile, cluster: &str) -> Result<Policy> {
    let document = with_role(&file.document, "outbound");
    let hints = LocalHints { cluster_id: Some(cluster), ..LocalHints::default() };
    match compile(&document, UnknownKeys::Refuse, &hints) {
        Ok((policy, _)) => Ok(policy),
        Err(problems) => {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            bail!("the policy does not hold for the sidecars of cluster `{cluster}`: {}", lines.join("; "))
        }
    }
}

/// The document for another place in the mesh.
fn with_role(document: &Value, role: &str) -> Value {
    let mut document = document.clone();
    if let Some(map) = document.as_object_mut() {
        map.insert("role".to_owned(), Value::String(role.to_owned()));
    }
    document
}
