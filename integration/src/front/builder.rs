//! How an ingress alone comes up.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use meridian::policy_file::PolicyFile;
use meridian::render;
use meridian::site::{Endpoint, Node, Site};
use serde_json::{Value, json};

use super::live::Live;
use super::{Front, Server};
use crate::envoy::{Envoy, EnvoyVersion};
use crate::net::{Subnet, port};
use crate::paths::{self, RunFolder};

/// What an ingress is to be; it begins in the cluster `primary`, with one worker, the newest Envoy and HTTP/1.1 to its servers.
#[derive(Clone, Debug)]
pub struct FrontBuilder {
    policy: String,
    endpoints: Vec<Endpoint>,
    version: Option<EnvoyVersion>,
    workers: u32,
    http2: bool,
    health_check: Option<String>,
    informational: bool,
    ejects: bool,
    replaceable: bool,
}

impl FrontBuilder {
    pub(super) fn new(policy: &str) -> Self {
        Self {
            policy: policy.to_owned(),
            endpoints: Vec::new(),
            version: None,
            workers: 1,
            http2: false,
            health_check: None,
            informational: false,
            ejects: true,
            replaceable: false,
        }
    }

    /// A server of a service in a region, which has one cluster.
    #[must_use]
    pub fn server(mut self, service: &str, region: &str, cluster: &str, server: &Server) -> Self {
        let (service, region) = (service.to_owned(), region.to_owned());
        self.endpoints.push(Endpoint {
            service,
            region,
            address: server.address(),
            workload: format!(";;;;{cluster}"),
        });
        self
    }

    /// Another Envoy.
    #[must_use]
    pub fn envoy(self, version: EnvoyVersion) -> Self {
        Self { version: Some(version), ..self }
    }

    /// How many workers; each has a VM of its own.
    #[must_use]
    pub fn workers(self, workers: u32) -> Self {
        Self { workers, ..self }
    }

    /// Speaks HTTP/2 to its servers, as istiod has it for a port named `grpc`.
    #[must_use]
    pub fn http2(self) -> Self {
        Self { http2: true, ..self }
    }

    /// Envoy itself asks every server this path twice a second, and uses none that does not answer 200.
    #[must_use]
    pub fn health_check(self, path: &str) -> Self {
        Self { health_check: Some(path.to_owned()), ..self }
    }

    /// Takes out Envoy's own ejection of hosts, so that the filter's is alone.
    #[must_use]
    pub fn without_ejection_of_hosts(self) -> Self {
        Self { ejects: false, ..self }
    }

    /// Lets answers through that only announce another one, 100 and 103, which Envoy else keeps to itself.
    #[must_use]
    pub fn informational(self) -> Self {
        Self { informational: true, ..self }
    }

    /// Its policy can be replaced while it runs: [`Front::replace`]. What it replaces is drained for a second.
    #[must_use]
    pub fn replaceable(self) -> Self {
        Self { replaceable: true, ..self }
    }

    /// Starts it and waits until it takes traffic.
    ///
    /// # Errors
    /// When the policy is wrong, the module is missing or Envoy does not come up.
    pub async fn start(self) -> Result<Front> {
        let (subnet, folder) = (Subnet::claim()?, RunFolder::create()?);
        let ip = subnet.address()?;
        let (address, admin) = (SocketAddr::from((ip, port::INGRESS)), SocketAddr::from((ip, port::ADMIN)));
        let node = Node { id: format!("router~{ip}~front"), cluster: "primary".to_owned(), region: None };
        let module = Some(paths::module()?);
        let site = Site { node, listen: address, admin, module, endpoints: self.endpoints.clone() };
        let mut bootstrap = self.bootstrap(&self.policy, &site)?;
        let version = self.version.clone().map_or_else(EnvoyVersion::newest, Ok)?;
        let (workers, binary) = (self.workers.to_string(), version.binary().await?);
        let mut arguments = vec!["--concurrency", &workers];
        let live =
            self.replaceable.then(|| Live { file: folder.path().join("listeners.json"), builder: self.clone(), site });
        if let Some(live) = &live {
            arguments.extend(["--drain-time-s", "1"]);
            live.detach(&mut bootstrap)?;
        }
        let envoy = Envoy::launch_with("front", &binary, &bootstrap, admin, &arguments, folder.path())?;
        envoy.ready().await?;
        Ok(Front { address, envoy, live, _subnet: subnet, _folder: folder })
    }

    /// Everything that Envoy is told for a policy.
    pub(super) fn bootstrap(&self, policy: &str, site: &Site) -> Result<Value> {
        let file = PolicyFile::parse("policy", policy, &render::hints(site))?;
        let mut bootstrap = serde_json::to_value(render::bootstrap(&file, site)?)?;
        let clusters = bootstrap.pointer_mut("/static_resources/clusters").and_then(Value::as_array_mut);
        for cluster in clusters.context("The bootstrap has no clusters.")? {
            self.adapt(cluster);
        }
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let manager = bootstrap.pointer_mut(manager).and_then(Value::as_object_mut);
        let manager = manager.context("The bootstrap has no connection manager.")?;
        manager.insert("proxy_100_continue".to_owned(), Value::from(self.informational));
        Ok(bootstrap)
    }

    /// What the control plane adds to a cluster and Meridian does not ask for.
    fn adapt(&self, cluster: &mut Value) {
        let Some(members) = cluster.as_object_mut() else { return };
        if self.http2 {
            let protocol = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }});
            members.insert("typed_extension_protocol_options".to_owned(), protocol);
        }
        if !self.ejects {
            members.remove("outlier_detection");
        }
        if let Some(path) = &self.health_check {
            let check = json!([{
                "timeout": "1s", "interval": "0.5s", "no_traffic_interval": "0.5s",
                "unhealthy_threshold": 1, "healthy_threshold": 1, "http_health_check": {"path": path},
            }]);
            members.insert("health_checks".to_owned(), check);
        }
    }
}
