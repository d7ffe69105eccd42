//! Patches of an `EnvoyFilter`, each for one thing.

use super::Position;
use crate::envoy::{EXTENSION_WITH_MATCHER, EarlyHeaderMutation, HttpFilter};
use serde_json::{Map, Value, json};

pub(super) const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
const ROUTER: &str = "envoy.filters.http.router";
const MANAGER: &str = "envoy.filters.network.http_connection_manager";
const MANAGER_TYPE: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// Which of a proxy's listeners and routes a patch is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    Gateway,
    Outbound,
    Inbound,
}

impl Context {
    /// In an `EnvoyFilter`.
    fn name(self) -> &'static str {
        match self {
            Self::Gateway => "GATEWAY",
            Self::Outbound => "SIDECAR_OUTBOUND",
            Self::Inbound => "SIDECAR_INBOUND",
        }
    }

    /// In a `WasmPlugin`, which counts a gateway as a client.
    pub(super) fn mode(self) -> &'static str {
        match self {
            Self::Gateway | Self::Outbound => "CLIENT",
            Self::Inbound => "SERVER",
        }
    }

    /// In the policy.
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
        }
    }
}

/// The resource. The priority is explicit, or the order among resources would hang on when each was created.
pub(super) fn envoy_filter(
    name: &str,
    namespace: &str,
    selector: Option<&Map<String, Value>>,
    patches: Vec<Value>,
) -> Value {
    prioritized(10, name, namespace, selector, patches)
}

/// A resource whose patches come after those of all others, so that what it inserts first is first.
pub(super) fn last_envoy_filter(
    name: &str,
    namespace: &str,
    selector: Option<&Map<String, Value>>,
    patches: Vec<Value>,
) -> Value {
    prioritized(20, name, namespace, selector, patches)
}

fn prioritized(
    priority: u32,
    name: &str,
    namespace: &str,
    selector: Option<&Map<String, Value>>,
    patches: Vec<Value>,
) -> Value {
    let mut spec = json!({"priority": priority, "configPatches": patches});
    if let (Some(selector), Some(spec)) = (selector, spec.as_object_mut()) {
        spec.insert("workloadSelector".to_owned(), json!({"labels": selector}));
    }
    json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    })
}

/// Makes the plugin known under a name.
pub(super) fn extension(context: Context, name: &str, typed_config: &Value) -> Value {
    json!({
        "applyTo": "EXTENSION_CONFIG",
        "match": {"context": context.name()},
        "patch": {"operation": "ADD", "value": {"name": name, "typed_config": typed_config}},
    })
}

/// Puts the plugin of that name into the chain. Until it is there, and if it never is, an RBAC filter without rules stands in for
/// it, which lets everything pass: the native table needs no help. A plugin with a matcher around it is listed where there may be one,
/// and not only where there is one: the list is the listener's, and while an old listener drains, a plugin of a type that it did not
/// list would be refused for the new one as well.
pub(super) fn insert(context: Context, name: &str, position: Position) -> Value {
    let (operation, neighbour) = match position {
        Position::First => ("INSERT_FIRST", json!({"name": MANAGER})),
        // The router is in every chain, so this never fails to find its place.
        Position::AfterAuthentication => ("INSERT_BEFORE", json!({"name": MANAGER, "subFilter": {"name": ROUTER}})),
    };
    let type_urls = match context {
        Context::Gateway | Context::Outbound => vec![WASM, RBAC, EXTENSION_WITH_MATCHER],
        Context::Inbound => vec![WASM, RBAC],
    };
    json!({
        "applyTo": "HTTP_FILTER",
        "match": {"context": context.name(), "listener": {"filterChain": {"filter": neighbour}}},
        "patch": {
            "operation": operation,
            "value": {
                "name": name,
                "config_discovery": {
                    "config_source": {"ads": {}, "initial_fetch_timeout": "10s", "resource_api_version": "V3"},
                    "default_config": {"@type": RBAC},
                    "type_urls": type_urls,
                },
            },
        },
    })
}

/// Takes headers out of every response after every other filter has read them.
pub(super) fn hide(context: Context, headers: &[&str]) -> Value {
    json!({
        "applyTo": "HTTP_FILTER",
        "match": {"context": context.name(), "listener": {"filterChain": {"filter": {"name": MANAGER}}}},
        "patch": {
            "operation": "INSERT_FIRST",
            "value": HttpFilter::remove_from_responses(headers.iter().copied()),
        },
    })
}

/// Takes headers out of every request before anything reads them.
pub(super) fn strip(context: Context, headers: &[String]) -> Value {
    let mutation = serde_json::to_value(EarlyHeaderMutation::remove(headers)).unwrap_or_default();
    manager(context, &json!({"@type": MANAGER_TYPE, "early_header_mutation_extensions": [mutation]}))
}

/// Sets what the connection manager does with every request.
fn manager(context: Context, typed_config: &Value) -> Value {
    json!({
        "applyTo": "NETWORK_FILTER",
        "match": {"context": context.name(), "listener": {"filterChain": {"filter": {"name": MANAGER}}}},
        "patch": {"operation": "MERGE", "value": {"name": MANAGER, "typed_config": typed_config}},
    })
}

/// Makes every spelling of a slash one slash before anything reads the path, where a rule fences by path: Istio's default leaves `//` and
/// `%2f` as they are, and a service behind it may not.
pub(super) fn normalize(context: Context) -> Value {
    let typed_config = json!({
        "@type": MANAGER_TYPE,
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
    });
    manager(context, &typed_config)
}

/// Lets responses say how many tries they took; the filter reads the dear facts only when it was more than one.
pub(super) fn count_attempts(context: Context) -> Value {
    json!({
        "applyTo": "VIRTUAL_HOST",
        "match": {"context": context.name()},
        "patch": {"operation": "MERGE", "value": {"include_attempt_count_in_response": true}},
    })
}

/// Takes a header out of every request on its way to an upstream, when the filters have read it.
pub(super) fn keep(context: Context, header: &str) -> Value {
    json!({
        "applyTo": "ROUTE_CONFIGURATION",
        "match": {"context": context.name()},
        "patch": {"operation": "MERGE", "value": {"request_headers_to_remove": [header]}},
    })
}

/// Sets a header of every response, in place of what was there.
pub(super) fn answer(context: Context, header: Value) -> Value {
    json!({
        "applyTo": "ROUTE_CONFIGURATION",
        "match": {"context": context.name()},
        "patch": {"operation": "MERGE", "value": {"response_headers_to_add": [header]}},
    })
}
