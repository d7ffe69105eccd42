//! From a policy to the configuration that enforces it.
//!
//! The native table is made from the same compiled policy the filter decides with, so that the two can only disagree where health does.
//! Everything is typed ([`crate::envoy`]); nothing here formats YAML.

mod clusters;
mod stats;
pub mod table;

use crate::envoy::{
    Admin, Bootstrap, EarlyHeaderMutation, HttpConnectionManager, HttpFilter, Listener, Locality, Node,
    RouteConfiguration, StaticResources, StringValue, UpgradeConfig, WasmCode, WasmCodeLocal, WasmPlugin, WasmVm,
};
use crate::policy_file::PolicyFile;
use crate::site::Site;
use anyhow::{Result, bail};
use meridian_core::{LocalHints, Policy, Role, Rule};
use serde_json::Value;

/// Renders a whole static Envoy with the gateway role from the text of a policy file.
///
/// # Errors
/// Every error of the policy, or an endpoint of the site that names no service or region of it.
pub fn gateway(policy: &str, site: &Site) -> Result<Bootstrap> {
    let hints = hints(site);
    bootstrap(&PolicyFile::parse("policy", policy, &hints)?, site)
}

/// What a site tells about where its Envoy runs.
#[must_use]
pub fn hints(site: &Site) -> LocalHints<'_> {
    LocalHints { cluster_id: Some(&site.node.cluster), locality_region: site.node.region.as_deref(), namespace: None }
}

/// Renders a whole static Envoy from a policy file that was compiled with [`hints`] of the same site.
///
/// # Errors
/// An endpoint of the site that names no service or region of the policy, or a policy for another role than a gateway's.
pub fn bootstrap(file: &PolicyFile, site: &Site) -> Result<Bootstrap> {
    if file.policy.role() != Role::Gateway {
        bail!("role: a whole Envoy can be written for `gateway` only; a sidecar's own configuration keeps its routes");
    }
    check_endpoints(&file.policy, site)?;
    Ok(Bootstrap {
        node: node(site),
        admin: Admin::at(site.admin),
        static_resources: StaticResources {
            listeners: vec![listener(file, site)],
            clusters: clusters::clusters(&file.policy, site),
        },
        dynamic_resources: None,
        stats_config: stats::config(),
    })
}

/// Renders the listener: the native table, and the filter in front of it if the site has its module.
#[must_use]
pub fn listener(file: &PolicyFile, site: &Site) -> Listener {
    let policy = &file.policy;
    let (stripped, mut http_filters) = (stripped(policy), Vec::new());
    if policy.hides_tag() {
        // Not by the route, which would take it away before the filter could check it.
        http_filters.push(HttpFilter::remove_from_responses([&policy.headers().served_by]));
    }
    if let Some(module) = &site.module {
        http_filters.push(HttpFilter::wasm(plugin("meridian", &module.display().to_string(), &file.document)));
    }
    http_filters.push(HttpFilter::router());
    let manager = HttpConnectionManager {
        stat_prefix: "ingress".to_owned(),
        route_config: RouteConfiguration {
            name: "ingress".to_owned(),
            virtual_hosts: table::virtual_hosts(policy),
            ignore_port_in_host_matching: true,
            request_headers_to_remove: forwarded_never(policy).into_iter().map(str::to_owned).collect(),
        },
        http_filters,
        early_header_mutation_extensions: (!stripped.is_empty())
            .then(|| EarlyHeaderMutation::remove(stripped))
            .into_iter()
            .collect(),
        use_remote_address: true,
        normalize_path: true,
        path_with_escaped_slashes_action: fences_a_path(policy).then_some("UNESCAPE_AND_FORWARD"),
        merge_slashes: true,
        // The same name in DNS. A browser sends it as it was typed, and with `*` among the hosts it would be taken for another host's.
        strip_trailing_host_dot: true,
        upgrade_configs: vec![UpgradeConfig::web_socket()],
        stream_idle_timeout: None,
    };
    Listener::new("ingress", site.listen, manager.into())
}

/// The filter as a plugin: `document` is its configuration, `module` a file on the Envoy's machine. `root_id` tells it from the other
/// plugins of this module in the same Envoy, which share a VM.
#[must_use]
pub fn plugin(root_id: &str, module: &str, document: &Value) -> WasmPlugin {
    WasmPlugin {
        name: "meridian".to_owned(),
        root_id: root_id.to_owned(),
        vm_config: WasmVm {
            vm_id: "meridian".to_owned(),
            runtime: "envoy.wasm.runtime.v8",
            code: WasmCode { local: WasmCodeLocal { filename: module.to_owned() } },
        },
        configuration: StringValue::any(document.to_string()),
        // The native table is the fence, so traffic goes on without the filter.
        fail_open: true,
    }
}

/// Whether a fence depends on the path, so that another spelling of the path must not be another path. Elsewhere an escaped slash is the
/// application's business.
pub(crate) fn fences_a_path(policy: &Policy) -> bool {
    let by_path = |rule: &Rule| !["", "/"].contains(&rule.matches.path_prefix.as_str());
    policy.rules().iter().any(|rule| rule.fenced) && policy.rules().iter().any(by_path)
}

/// Whether some rule asks for what a token says, so that the filter has to stand behind whoever checks it.
pub(crate) fn reads_claims(policy: &Policy) -> bool {
    let shadow = policy.shadow().map(Policy::rules).unwrap_or_default();
    policy.rules().iter().chain(shadow).any(|rule| !rule.matches.claims.is_empty())
}

/// Headers of the mesh's own that no client may bring. A key for the explanation is read by the filter, so it passes here and is taken
/// out on the way to the upstream ([`forwarded_never`]).
pub(crate) fn internal(policy: &Policy) -> Vec<String> {
    let passes = forwarded_never(policy);
    policy.headers().all().map(str::to_owned).into_iter().filter(|name| Some(name.as_str()) != passes).collect()
}

/// The header of requests that the filter may read and no upstream may see, if there is one.
pub(crate) fn forwarded_never(policy: &Policy) -> Option<&str> {
    policy.explain().key.as_ref().map(|_| policy.headers().explain.as_str())
}

/// What a client may not bring: the mesh's own headers, and those that rules trust. Nothing where the policy is only observed.
pub(crate) fn stripped(policy: &Policy) -> Vec<String> {
    if !policy.acts_natively() {
        return Vec::new();
    }
    let rules = policy.virtual_hosts().iter().flat_map(|host| host.rules.iter()).filter_map(|id| policy.rule(*id));
    let trusted = rules.flat_map(|rule| &rule.matches.headers).filter(|header| header.trusted);
    let mut names = internal(policy);
    for header in trusted {
        if !names.contains(&header.name) {
            names.push(header.name.clone());
        }
    }
    names
}

fn node(site: &Site) -> Node {
    let region = site.node.region.clone().unwrap_or_default();
    Node {
        id: site.node.id.clone(),
        cluster: "meridian".to_owned(),
        locality: Locality { region, zone: String::new() },
        metadata: [("CLUSTER_ID".to_owned(), Value::String(site.node.cluster.clone()))].into_iter().collect(),
    }
}

fn check_endpoints(policy: &Policy, site: &Site) -> Result<()> {
    for (index, endpoint) in site.endpoints.iter().enumerate() {
        if policy.service_named(&endpoint.service).is_none() {
            bail!("endpoints[{index}].service: the policy has no service `{}`", endpoint.service);
        }
        if policy.region_named(&endpoint.region).is_none() {
            bail!("endpoints[{index}].region: the policy has no region `{}`", endpoint.region);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
