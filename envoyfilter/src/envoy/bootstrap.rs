//! `envoy.config.bootstrap.v3`: a whole Envoy in one document.

use super::{Address, Cluster, Listener, Locality};
use serde::Serialize;
use std::net::SocketAddr;

/// `envoy.config.bootstrap.v3.Bootstrap`.
#[derive(Clone, Debug, Serialize)]
pub struct Bootstrap {
    /// Who this Envoy is: what the filter reads as `xds.node`.
    pub node: Node,
    /// The admin interface.
    pub admin: Admin,
    /// What is known at start.
    pub static_resources: StaticResources,
    /// What is read, and read again, from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_resources: Option<DynamicResources>,
    /// How tags are taken out of the names of statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats_config: Option<StatsConfig>,
}

/// `envoy.config.metrics.v3.StatsConfig`.
#[derive(Clone, Debug, Serialize)]
pub struct StatsConfig {
    /// Tried on every name, after Envoy's own.
    pub stats_tags: Vec<TagSpecifier>,
}

/// `envoy.config.metrics.v3.TagSpecifier`, of kind `regex`.
#[derive(Clone, Debug, Serialize)]
pub struct TagSpecifier {
    /// The label.
    pub tag_name: String,
    /// The first group is cut out of the name, the second is the value.
    pub regex: String,
}

/// `envoy.config.core.v3.Node`.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    /// Unique among the Envoys of a mesh.
    pub id: String,
    /// Envoy's service cluster; Istio's `<app>.<namespace>`.
    pub cluster: String,
    /// Where this Envoy runs.
    pub locality: Locality,
    /// Istio's node metadata; `CLUSTER_ID` is what Meridian reads.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// `envoy.config.bootstrap.v3.Admin`.
#[derive(Clone, Debug, Serialize)]
pub struct Admin {
    /// Where the admin interface listens; keep it on loopback.
    pub address: Address,
}

/// `envoy.config.bootstrap.v3.Bootstrap.StaticResources`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StaticResources {
    /// Listeners fixed at start.
    pub listeners: Vec<Listener>,
    /// Clusters fixed at start.
    pub clusters: Vec<Cluster>,
}

/// `envoy.config.bootstrap.v3.Bootstrap.DynamicResources`, from files.
#[derive(Clone, Debug, Serialize)]
pub struct DynamicResources {
    /// Listeners, read from a file of resources (`{"resources": [...]}`) and read again whenever it is replaced by a rename.
    pub lds_config: ConfigSource,
}

/// `envoy.config.core.v3.ConfigSource`, of kind `path_config_source`.
#[derive(Clone, Debug, Serialize)]
pub struct ConfigSource {
    /// The file.
    pub path_config_source: PathConfigSource,
    resource_api_version: &'static str,
}

impl ConfigSource {
    /// Resources in the file at `path`.
    pub fn file(path: impl Into<String>) -> Self {
        Self { path_config_source: PathConfigSource { path: path.into() }, resource_api_version: "V3" }
    }
}

/// `envoy.config.core.v3.PathConfigSource`.
#[derive(Clone, Debug, Serialize)]
pub struct PathConfigSource {
    /// The file's path.
    pub path: String,
}

impl Admin {
    /// An admin interface at `address`.
    pub fn at(address: SocketAddr) -> Self {
        Self { address: address.into() }
    }
}
