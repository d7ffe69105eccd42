//! From a policy to what a mesh admin applies.
//!
//! Istio carries the static policy by itself: a plan is a subset of a `DestinationRule`, the table is a `VirtualService`, a fence is a
//! label on pods. The filter comes on top through `EnvoyFilter`s, and everything holds without it. What is written is one folder per
//! cluster, because two things differ between clusters: the region a request goes to that asks for none, and the tag. A folder is
//! whole: `kubectl apply -k` of one of its parts is a step of the rollout.
//!
//! | folder | holds | step |
//! |---|---|---|
//! | `subsets` | `DestinationRule`s | first, in **every** cluster: an east-west gateway knows a subset only from its own istiod |
//! | `routes` | `VirtualService`s | when the subsets are everywhere |
//!
//! Every name and number comes from the same compiled policy that the filter decides with.

mod complaint;
mod destination_rule;
mod files;
mod hosts;
mod http_route;
mod kustomize;
mod matching;
mod needs;
mod subset;
mod table;
#[cfg(test)]
mod testing;
mod virtual_service;
mod yaml;

pub use files::Files;

use crate::limits::PLANS_PER_SERVICE;
use crate::policy_file::PolicyFile;
use anyhow::{Result, bail};
use complaint::{Complaints, Place};
use destination_rule::Subsets;
use meridian_core::{LocalHints, Policy, UnknownKeys, compile};
use needs::Needs;
use serde_json::Value;
use virtual_service::Tables;

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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clusters: Vec::new(),
            gateways: Vec::new(),
            root_namespace: "istio-system".to_owned(),
            one_network: false,
        }
    }
}

/// Renders a policy for each of its clusters.
///
/// # Errors
/// Everything that Istio could not carry, each with its place.
pub fn render(file: &PolicyFile, options: &Options) -> Result<Files> {
    let complaints = Complaints::default();
    let mut files = Files::new(file.policy.revision());
    for cluster in clusters(&file.policy, options)? {
        let policy = compiled_for(file, cluster)?;
        Cluster { policy: &policy, name: cluster, options, complaints: &complaints }.render(&mut files);
    }
    complaints.into_result()?;
    Ok(files)
}

/// One cluster's folder.
struct Cluster<'a> {
    policy: &'a Policy,
    name: &'a str,
    options: &'a Options,
    complaints: &'a Complaints,
}

impl Cluster<'_> {
    fn render(&self, files: &mut Files) {
        let mut needs = Needs::default();
        self.routes(files, &mut needs);
        self.subsets(files, &needs);
        kustomize::add(files, self.name);
    }

    fn routes(&self, files: &mut Files, needs: &mut Needs) {
        let tables = Tables { policy: self.policy, gateways: &self.options.gateways, complaints: self.complaints };
        let mut taken = Vec::new();
        for group in hosts::groups(self.policy, |_| true) {
            let Some(service) = self.policy.service(group.service) else { continue };
            let name = virtual_service::name(&group, service, &taken);
            let namespace = virtual_service::namespace(&service.destination.host, &self.options.root_namespace);
            if let Some(resource) = tables.plain(&group, &name, namespace, needs) {
                files.add(self.path("routes", &resource), &about_routes(self.name), &resource);
            }
            taken.push(name);
        }
    }

    fn subsets(&self, files: &mut Files, needs: &Needs) {
        let subsets =
            Subsets { policy: self.policy, one_network: self.options.one_network, complaints: self.complaints };
        for (host, needs) in needs.hosts() {
            let Some(service) = self.policy.services().iter().find(|service| service.destination.host == host) else {
                continue;
            };
            let at = Place::new(format!("service `{}`", service.name));
            if needs.len() > PLANS_PER_SERVICE {
                let wrong = format!("needs {} subsets; the limit is {PLANS_PER_SERVICE}", needs.len());
                self.complaints.note(&at, wrong, "use fences that hold fewer regions, or fewer versions at a time");
            }
            let namespace = virtual_service::namespace(host, &self.options.root_namespace);
            let resource = subsets.plain(&service.name, namespace, host, needs);
            files.add(self.path("subsets", &resource), ABOUT_SUBSETS, &resource);
        }
    }

    /// `<cluster>/<folder>/<kind>.<namespace>.<name>.yaml`
    fn path(&self, folder: &str, resource: &Value) -> String {
        let text = |path: &str| resource.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let kind = text("/kind").to_ascii_lowercase();
        let namespace = text("/metadata/namespace");
        let dot = if namespace.is_empty() { "" } else { "." };
        format!("{}/{folder}/{kind}.{namespace}{dot}{}.yaml", self.name, text("/metadata/name"))
    }
}

const ABOUT_SUBSETS: &str = "One subset per plan. Labels are the fence, failoverPriority is the preference.";

fn about_routes(cluster: &str) -> String {
    format!("The native table, for the proxies of cluster {cluster}.")
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
