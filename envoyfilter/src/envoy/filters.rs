//! Network and HTTP filters: `envoy.extensions.filters.*`.

use super::{Any, Duration, RouteConfiguration};
use serde::Serialize;

/// `HttpConnectionManager`.
#[derive(Clone, Debug, Serialize)]
pub struct HttpConnectionManager {
    /// First part of its statistics' names.
    pub stat_prefix: String,
    /// The native table.
    pub route_config: RouteConfiguration,
    /// HTTP filters in order; the router is last.
    pub http_filters: Vec<HttpFilter>,
    /// Runs before every HTTP filter and before the first route match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub early_header_mutation_extensions: Vec<EarlyHeaderMutation>,
    /// Whether the client's address is the connection's; an edge proxy says yes.
    pub use_remote_address: bool,
    /// Resolve `.` and `..` in paths before anything matches on them.
    pub normalize_path: bool,
    /// `%2f` and `%5c` are `/` and `\\`, before anything matches on the path: `UNESCAPE_AND_FORWARD`, or Envoy's default of leaving them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_with_escaped_slashes_action: Option<&'static str>,
    /// `//` is `/`, before anything matches on the path.
    pub merge_slashes: bool,
    /// `example.com.` is `example.com`, before anything matches on the host.
    pub strip_trailing_host_dot: bool,
    /// What a connection may be upgraded to; nothing unless it is here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub upgrade_configs: Vec<UpgradeConfig>,
    /// How long a stream may be idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_idle_timeout: Option<Duration>,
}

/// `HttpConnectionManager.UpgradeConfig`.
#[derive(Clone, Debug, Serialize)]
pub struct UpgradeConfig {
    upgrade_type: &'static str,
}

impl UpgradeConfig {
    /// WebSockets, as Istio's gateways take them.
    pub fn web_socket() -> Self {
        Self { upgrade_type: "websocket" }
    }
}

/// One entry of `http_filters`.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum HttpFilter {
    /// `envoy.filters.http.wasm`.
    Wasm {
        /// The filter's name in this chain.
        name: String,
        /// The plugin.
        typed_config: Box<Any<Wasm>>,
    },
    /// `envoy.filters.http.header_mutation`.
    HeaderMutation {
        /// The filter's name in this chain.
        name: &'static str,
        /// What it changes.
        typed_config: Any<HeaderMutationFilter>,
    },
    /// `envoy.filters.http.router`.
    Router {
        /// The filter's name in this chain.
        name: &'static str,
        /// The router.
        typed_config: Any<Router>,
    },
}

impl HttpFilter {
    /// The router with its defaults.
    pub fn router() -> Self {
        Self::Router {
            name: "envoy.filters.http.router",
            typed_config: Any::new("type.googleapis.com/envoy.extensions.filters.http.router.v3.Router", Router {}),
        }
    }

    /// Takes `headers` out of every response. Filters see a response in reverse order, so the first in the chain is the last to.
    pub fn remove_from_responses(headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let response_mutations = headers.into_iter().map(|header| HeaderMutation { remove: header.into() }).collect();
        Self::HeaderMutation {
            name: "envoy.filters.http.header_mutation",
            typed_config: Any::new(
                "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
                HeaderMutationFilter { mutations: Mutations { response_mutations } },
            ),
        }
    }

    /// A Wasm plugin; the filter takes the plugin's name.
    pub fn wasm(plugin: WasmPlugin) -> Self {
        Self::Wasm {
            name: plugin.name.clone(),
            typed_config: Box::new(Any::new(
                "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                Wasm { config: plugin },
            )),
        }
    }
}

/// `envoy.extensions.filters.http.header_mutation.v3.HeaderMutation`.
#[derive(Clone, Debug, Serialize)]
pub struct HeaderMutationFilter {
    mutations: Mutations,
}

#[derive(Clone, Debug, Serialize)]
struct Mutations {
    response_mutations: Vec<HeaderMutation>,
}

/// `envoy.extensions.filters.http.router.v3.Router`.
#[derive(Clone, Debug, Serialize)]
pub struct Router {}

/// `envoy.extensions.filters.http.wasm.v3.Wasm`.
#[derive(Clone, Debug, Serialize)]
pub struct Wasm {
    /// The plugin.
    pub config: WasmPlugin,
}

/// `envoy.extensions.wasm.v3.PluginConfig`.
#[derive(Clone, Debug, Serialize)]
pub struct WasmPlugin {
    /// Unique among the plugins of a VM.
    pub name: String,
    /// Which root context of the module.
    pub root_id: String,
    /// The VM that runs it.
    pub vm_config: WasmVm,
    /// What the filter parses when it is configured.
    pub configuration: Any<StringValue>,
    /// What happens to traffic when the VM has died. Envoy honours the older boolean for streams in flight as well, which
    /// `failure_policy` leaves with a 503 (`proxy-wasm-cpp-host`, `src/context.cc`).
    pub fail_open: bool,
}

/// `google.protobuf.StringValue`.
#[derive(Clone, Debug, Serialize)]
pub struct StringValue {
    value: String,
}

impl StringValue {
    /// A plugin configuration that is `value`, a JSON document.
    pub fn any(value: String) -> Any<Self> {
        Any::new("type.googleapis.com/google.protobuf.StringValue", Self { value })
    }
}

/// `envoy.extensions.wasm.v3.VmConfig`.
#[derive(Clone, Debug, Serialize)]
pub struct WasmVm {
    /// VMs with one id share their data across workers and across configurations.
    pub vm_id: String,
    /// `envoy.wasm.runtime.v8`.
    pub runtime: &'static str,
    /// The module.
    pub code: WasmCode,
}

/// `envoy.config.core.v3.AsyncDataSource`, of kind `local`.
#[derive(Clone, Debug, Serialize)]
pub struct WasmCode {
    /// A file on this machine.
    pub local: WasmCodeLocal,
}

/// `envoy.config.core.v3.DataSource`, of kind `filename`.
#[derive(Clone, Debug, Serialize)]
pub struct WasmCodeLocal {
    /// The module's path.
    pub filename: String,
}

/// An entry of `early_header_mutation_extensions`
/// (`envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation`).
#[derive(Clone, Debug, Serialize)]
pub struct EarlyHeaderMutation {
    name: &'static str,
    typed_config: Any<HeaderMutations>,
}

#[derive(Clone, Debug, Serialize)]
struct HeaderMutations {
    mutations: Vec<HeaderMutation>,
}

/// `envoy.config.common.mutation_rules.v3.HeaderMutation`, of kind `remove`.
#[derive(Clone, Debug, Serialize)]
pub struct HeaderMutation {
    /// The header to take out.
    pub remove: String,
}

impl EarlyHeaderMutation {
    /// Takes `headers` out of every request before anything can read them.
    pub fn remove(headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mutations = headers.into_iter().map(|header| HeaderMutation { remove: header.into() }).collect();
        Self {
            name: "envoy.http.early_header_mutation.header_mutation",
            typed_config: Any::new(
                "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                HeaderMutations { mutations },
            ),
        }
    }
}

/// `envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`.
#[derive(Clone, Debug, Serialize)]
pub struct TcpProxy {
    /// First part of its statistics' names.
    pub stat_prefix: String,
    /// Where connections go.
    pub cluster: String,
}
