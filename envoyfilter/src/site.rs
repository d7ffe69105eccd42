//! The world a static Envoy lives in: what Kubernetes and istiod know in a mesh, written down for an Envoy without them.
//!
//! ```yaml
//! node: {id: edge-1, cluster: primary, region: us-sanjose-1}
//! listen: 0.0.0.0:8080
//! admin: 127.0.0.1:9901
//! module: /etc/envoy/meridian.wasm          # absent: the native table alone
//! endpoints:
//! - {service: productpage, region: us-sanjose-1, address: 10.0.0.1:9080, workload: productpage-v1;bookinfo;productpage;v1;primary}
//! - {service: productpage, region: us-chicago-1, address: 10.1.0.9:15443, workload: ;;;;secondary}
//! ```

use anyhow::{Context, Result};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where an Envoy runs and what it can reach.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Who this Envoy is.
    pub node: Node,
    /// Where it takes requests.
    pub listen: SocketAddr,
    /// Its admin interface; keep it on loopback.
    pub admin: SocketAddr,
    /// The filter's module; absent: the filter is left out, and the native table does what it can alone.
    #[serde(default)]
    pub module: Option<PathBuf>,
    /// Where the services are.
    pub endpoints: Vec<Endpoint>,
}

/// `envoy.config.core.v3.Node`, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Unique in the mesh.
    pub id: String,
    /// Istio's `CLUSTER_ID`.
    pub cluster: String,
    /// The locality's region, if known.
    #[serde(default)]
    pub region: Option<String>,
}

/// One address of a service in a region: a pod, or the east-west gateway of another cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// A service of the policy.
    pub service: String,
    /// A region of the policy.
    pub region: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// `istio.workload`, as istiod sends it: `name;namespace;canonical-name;canonical-revision;cluster`.
    pub workload: String,
}

impl Site {
    /// Reads the site file at `path`.
    ///
    /// # Errors
    /// If it cannot be read or is not a site.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read; check the path and its permissions", path.display()))?;
        let tree = crate::yaml::Tree::parse(&text)
            .map_err(|error| anyhow::anyhow!("{}:{}: {}", path.display(), error.at.line, error.message))?;
        serde_json::from_value(tree.value).with_context(|| format!("{} is not a site file", path.display()))
    }
}
