//! The part of Envoy's configuration that Meridian writes, as types.
//!
//! Each struct mirrors one message of Envoy's API by name and field (proto3 JSON with the original field names), and holds only the
//! fields that are used here. A type per message is worth its lines: a field that Envoy does not know cannot be written, an
//! alternative of a `oneof` is an enum and cannot be set twice, and every caller (the renderer, the harness) reads like Envoy's own
//! reference. What the types cannot promise (ranges, names that must exist) is proven by `envoy --mode validate` in the tests.

mod bootstrap;
mod cluster;
mod filters;
mod listener;
mod matching;
mod route;

pub use bootstrap::{
    Admin, Bootstrap, ConfigSource, DynamicResources, Node, PathConfigSource, StaticResources, StatsConfig,
    TagSpecifier,
};
pub use cluster::{
    CircuitBreakers, Cluster, ClusterLoadAssignment, CommonLbConfig, DiscoveryType, Endpoint, LbEndpoint,
    LocalityLbEndpoints, Metadata, OutlierDetection, RetryBudget, Thresholds,
};
pub use filters::{
    EarlyHeaderMutation, HeaderMutation, HeaderMutationFilter, HttpConnectionManager, HttpFilter, Router, StringValue,
    TcpProxy, UpgradeConfig, Wasm, WasmCode, WasmCodeLocal, WasmPlugin, WasmVm,
};
pub use listener::{Filter, FilterChain, Listener};
pub use matching::{EXTENSION_WITH_MATCHER, ExtensionWithMatcher, Predicate, PredicateList, SinglePredicate};
pub use route::{
    ClusterSpecifier, ClusterWeight, HeaderMatch, HeaderMatcher, HeaderValueOption, MetadataMatcher,
    PreviousPriorities, RetryHostPredicate, RetryPolicy, RetryPriority, Route, RouteAction, RouteConfiguration,
    RouteMatch, StringMatch, StringMatcher, VirtualHost,
};

use serde::{Serialize, Serializer};
use std::net::SocketAddr;
use std::time::Duration as StdDuration;

/// `google.protobuf.Any`: a message with its type beside it.
#[derive(Clone, Debug, Serialize)]
pub struct Any<T> {
    #[serde(rename = "@type")]
    type_url: &'static str,
    #[serde(flatten)]
    message: T,
}

impl<T> Any<T> {
    /// Wraps `message`, whose full protobuf name is `type_url` after `type.googleapis.com/`.
    pub fn new(type_url: &'static str, message: T) -> Self {
        Self { type_url, message }
    }
}

/// `google.protobuf.Duration`, written as seconds with up to nine decimals (`1.5s`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub StdDuration);

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        if nanos == 0 {
            serializer.collect_str(&format_args!("{seconds}s"))
        } else {
            serializer.collect_str(&format_args!("{seconds}.{nanos:09}s"))
        }
    }
}

/// `envoy.config.core.v3.Address`, always a socket address here.
#[derive(Clone, Debug, Serialize)]
pub struct Address {
    socket_address: SocketAddress,
}

/// `envoy.config.core.v3.SocketAddress`.
#[derive(Clone, Debug, Serialize)]
struct SocketAddress {
    address: String,
    port_value: u16,
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self { socket_address: SocketAddress { address: address.ip().to_string(), port_value: address.port() } }
    }
}

/// `envoy.config.core.v3.Locality`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Locality {
    /// E.g. `us-sanjose-1`.
    pub region: String,
    /// The zone inside the region; empty when there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub zone: String,
}
