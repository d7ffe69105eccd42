//! `envoy.config.listener.v3`: where connections come in.

use super::filters::{HttpConnectionManager, TcpProxy};
use super::{Address, Any};
use serde::Serialize;

/// `envoy.config.listener.v3.Listener`.
#[derive(Clone, Debug, Serialize)]
pub struct Listener {
    /// Unique in this Envoy.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// What it does with a connection.
    pub filter_chains: Vec<FilterChain>,
    /// How many connections may wait to be accepted; the machine's own limit otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_backlog_size: Option<u32>,
}

impl Listener {
    /// A listener named `name` at `address` with one chain of one network filter.
    pub fn new(name: impl Into<String>, address: impl Into<Address>, filter: Filter) -> Self {
        let filter_chains = vec![FilterChain { filters: vec![filter] }];
        Self { name: name.into(), address: address.into(), filter_chains, tcp_backlog_size: None }
    }
}

/// `envoy.config.listener.v3.FilterChain`.
#[derive(Clone, Debug, Serialize)]
pub struct FilterChain {
    /// Network filters, in order.
    pub filters: Vec<Filter>,
}

/// `envoy.config.listener.v3.Filter`: one network filter.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Filter {
    /// `envoy.filters.network.http_connection_manager`.
    Http {
        /// Istio and Envoy find the filter by this name.
        name: &'static str,
        /// The connection manager.
        typed_config: Box<Any<HttpConnectionManager>>,
    },
    /// `envoy.filters.network.tcp_proxy`.
    Tcp {
        /// Istio and Envoy find the filter by this name.
        name: &'static str,
        /// The proxy.
        typed_config: Any<TcpProxy>,
    },
}

impl From<HttpConnectionManager> for Filter {
    fn from(manager: HttpConnectionManager) -> Self {
        Self::Http {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: Box::new(Any::new(
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                manager,
            )),
        }
    }
}

impl From<TcpProxy> for Filter {
    fn from(proxy: TcpProxy) -> Self {
        Self::Tcp {
            name: "envoy.filters.network.tcp_proxy",
            typed_config: Any::new("type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", proxy),
        }
    }
}
