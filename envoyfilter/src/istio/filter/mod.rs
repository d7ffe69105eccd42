//! The filter, and what Envoy has to do before it, as `EnvoyFilter`s.
//!
//! Three places, three resources, so that each can be applied and taken back alone:
//! - `edge`: a gateway takes out of a request what only the mesh may say, before any filter and the first route match
//!   (`early_header_mutation_extensions`), and lets the router count its attempts. Needed by the routes, with or without the filter.
//!   Where the policy keeps the tag from clients, the gateway takes it out of answers here as well, by a filter in front of all others,
//!   which is the last to see a response: by the route it would be gone before the module could check it.
//! - `filter`: the module, in the gateways and in the sidecars of the namespaces that are named. First in the chain, so that it is the
//!   last to see a response, when Istio's own filters have read what the peer says about itself.
//! - `tag`: the serving side says who it is. Natively it is one header with a fixed value, which costs nothing; with the filter
//!   (`role: inbound`) it is the same folder for every cluster, for meshes whose tools insist on that.
//!
//! A sidecar's calls take out the mesh's own headers but not the `trusted` ones, which an application passes on from the gateway.
//!
//! The module comes through ECDS (`config_discovery`), never inline: a proxy then starts without it, a bad one is refused alone and not
//! with its listener, and all types that may arrive are allowed: the agent replaces a module it cannot fetch by an RBAC filter. Where the
//! policy allows it, the plugin stands inside a matcher that keeps requests for other hosts out of the VM ([`concern`]). Istio carries
//! that: what stands in `EXTENSION_CONFIG` it takes for any message that it knows (`pkg/config/xds/filter_types.gen.go`), and the agent
//! rewrites only what is a Wasm filter at the top and passes on everything else (`tryUnmarshal`, `pkg/wasm/convert.go`). Inside a matcher
//! it would not see a module that is still to be fetched, so that way is for files alone.

mod concern;
mod module;
mod patch;
pub(super) mod tag;

pub use module::{Module, Source};
pub use tag::Tag;

use super::with_role;
use crate::envoy::ExtensionWithMatcher;
use crate::render;
use meridian_core::Policy;
use patch::{Context, envoy_filter, last_envoy_filter};
use serde_json::{Map, Value, json};

/// What the resources are made with.
pub(super) struct Filter<'a> {
    pub(super) document: &'a Value,
    pub(super) policy: &'a Policy,
    /// Where the gateways run.
    pub(super) namespace: &'a str,
    /// The labels of the gateways.
    pub(super) selector: &'a Map<String, Value>,
    pub(super) source: Option<&'a Source>,
    /// Where the filter stands in the gateways' chains.
    pub(super) position: Position,
}

/// Where the filter stands in a gateway's chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// Before Istio's own filters.
    #[default]
    First,
    /// After the filters that say who the client is, so that a rule can trust a header that they write (`outputClaimToHeaders`). A policy
    /// that asks for claims is always here.
    AfterAuthentication,
}

impl Filter<'_> {
    /// What a gateway does to a request before anything reads it.
    pub(super) fn edge(&self) -> Value {
        let patches = self.edge_patches(Context::Gateway, &render::stripped(self.policy));
        envoy_filter("meridian-edge", self.namespace, Some(self.selector), patches)
    }

    /// What a gateway keeps from its clients; `None` where that is nothing.
    pub(super) fn private(&self) -> Option<Value> {
        let patches = vec![patch::hide(Context::Gateway, &[&self.policy.headers().served_by])];
        let resource = || last_envoy_filter("meridian-private-tag", self.namespace, Some(self.selector), patches);
        self.policy.tag_is_private().then(resource)
    }

    /// The same for the calls of a namespace's sidecars.
    pub(super) fn outbound_edge(&self, namespace: &str) -> Value {
        let patches = self.edge_patches(Context::Outbound, &render::internal(self.policy));
        envoy_filter("meridian-edge", namespace, None, patches)
    }

    fn edge_patches(&self, context: Context, stripped: &[String]) -> Vec<Value> {
        let mut patches = vec![patch::strip(context, stripped), patch::count_attempts(context)];
        if render::fences_a_path(self.policy) {
            patches.push(patch::normalize(context));
        }
        if let Some(header) = render::forwarded_never(self.policy) {
            patches.push(patch::keep(context, header));
        }
        patches
    }

    /// The filter in the gateways.
    pub(super) fn gateway(&self) -> Option<Value> {
        self.plugin("meridian", self.namespace, Some(self.selector), Context::Gateway)
    }

    /// The filter for the calls of a namespace's sidecars.
    pub(super) fn outbound(&self, namespace: &str) -> Option<Value> {
        self.plugin("meridian", namespace, None, Context::Outbound)
    }

    /// The filter for the answers of a namespace's sidecars.
    pub(super) fn inbound(&self, namespace: &str) -> Option<Value> {
        self.plugin("meridian-tag", namespace, None, Context::Inbound)
    }

    fn plugin(
        &self,
        name: &str,
        namespace: &str,
        selector: Option<&Map<String, Value>>,
        context: Context,
    ) -> Option<Value> {
        let document = with_role(self.document, context.role());
        // Who calls from inside the mesh is known by its certificate, and no filter of a sidecar writes claims.
        let position = match context {
            Context::Gateway if render::reads_claims(self.policy) => Position::AfterAuthentication,
            Context::Gateway => self.position,
            Context::Outbound | Context::Inbound => Position::First,
        };
        match self.source? {
            Source::File(module) => {
                // ECDS is one space of names for all of a proxy's filters.
                let unique = format!("{namespace}/{name}.{}", context.role());
                let wasm = wasm(&unique, module, &document);
                let config = match concern::predicate(self.policy, context) {
                    Some(concerned) => {
                        let config = ExtensionWithMatcher::only_where(concerned, unique.as_str(), wasm);
                        serde_json::to_value(config).unwrap_or_default()
                    }
                    None => wasm,
                };
                let patches =
                    vec![patch::extension(context, &unique, &config), patch::insert(context, &unique, position)];
                Some(envoy_filter(name, namespace, selector, patches))
            }
            Source::Oci(reference) => {
                let mut spec = json!({
                    "url": format!("oci://{reference}"),
                    "pluginName": format!("{name}.{}", context.role()),
                    "failStrategy": "FAIL_OPEN",
                    "match": [{"mode": context.mode()}],
                    "pluginConfig": document,
                });
                if let (Position::AfterAuthentication, Some(spec)) = (position, spec.as_object_mut()) {
                    spec.insert("phase".to_owned(), json!("STATS"));
                }
                if let (Some(selector), Some(spec)) = (selector, spec.as_object_mut()) {
                    spec.insert("selector".to_owned(), json!({"matchLabels": selector}));
                }
                Some(json!({
                    "apiVersion": "extensions.istio.io/v1alpha1",
                    "kind": "WasmPlugin",
                    "metadata": {"name": format!("{name}-{}", context.role()), "namespace": namespace},
                    "spec": spec,
                }))
            }
        }
    }
}

/// The plugin as on a static Envoy, allowed to call what it imports and nothing else, with a configuration that people can read.
fn wasm(root_id: &str, module: &Module, document: &Value) -> Value {
    let mut config = serde_json::to_value(render::plugin(root_id, &module.path(), document)).unwrap_or_default();
    let pretty = serde_json::to_string_pretty(document).unwrap_or_default();
    if let Some(value) = config.pointer_mut("/configuration/value") {
        *value = json!(pretty);
    }
    if let Some(config) = config.as_object_mut() {
        let allowed: Map<String, Value> = module.capabilities().iter().map(|name| (name.clone(), json!({}))).collect();
        config.insert("capability_restriction_config".to_owned(), json!({"allowed_capabilities": allowed}));
    }
    json!({"@type": patch::WASM, "config": config})
}

#[cfg(test)]
mod tests;
