//! A gateway that gets new configurations while it serves.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each file of tests uses its own part of this, and what cannot go on has failed"
)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use integration::bookinfo::Service;
use integration::client::{Request, Response};
use integration::envoy::{Envoy, EnvoyVersion};
use integration::mesh::{Mesh, Tag, Workload};
use integration::net::Subnet;
use integration::paths;
use meridian::envoy::{Bootstrap, ConfigSource, DynamicResources};
use meridian::policy_file::PolicyFile;
use meridian::render;
use meridian::site::{Endpoint, Node, Site};
use serde_json::{Value, json};

use crate::support::{CHICAGO, HOST, SANJOSE, tag_of, until};

/// A policy whose Chicago has an alias.
pub(crate) fn policy(alias: &str) -> String {
    format!(
        "
apiVersion: meridian/v1
explain: {{public: true}}
role: gateway
regions:
- {{name: {SANJOSE}, clusters: [primary], displayName: {}}}
- {{name: {CHICAGO}, clusters: [secondary], displayName: {}, aliases: [{alias}]}}
services:
- name: productpage
  hosts: [{HOST}]
  destination: {{host: productpage.bookinfo.svc.cluster.local, port: 9080}}
rules:
- {{name: everyone, timeout: 5s, rescue: {{attempts: 2, perTryTimeout: 1s}}}}
outlierDetection: {{interval: 500ms, baseEjectionTime: 60s}}
",
        tag_of(SANJOSE),
        tag_of(CHICAGO),
    )
}

/// Where an ingress in front of `mesh` would be; without a mesh, somewhere.
pub(crate) fn site(mesh: Option<&Mesh>, subnet: &Subnet, filter: bool) -> Result<Site> {
    let ip = subnet.address()?;
    let endpoint = |region: &str, address: SocketAddr, workload: &str| Endpoint {
        service: "productpage".to_owned(),
        region: region.to_owned(),
        address,
        workload: workload.to_owned(),
    };
    let mut endpoints = Vec::new();
    if let Some(mesh) = mesh {
        let home = mesh.cluster("primary")?.pod("productpage-v1")?.inbound();
        let away = mesh.cluster("secondary")?.east_west_address(Service::Productpage);
        endpoints.push(endpoint(SANJOSE, home, "productpage-v1;bookinfo;productpage;v1;primary"));
        endpoints.push(endpoint(CHICAGO, away, ";;;;secondary"));
    }
    Ok(Site {
        node: Node { id: format!("router~{ip}"), cluster: "primary".to_owned(), region: Some(SANJOSE.to_owned()) },
        listen: SocketAddr::from((ip, 8080)),
        admin: SocketAddr::from((ip, 15000)),
        module: filter.then(paths::module).transpose()?,
        endpoints,
    })
}

/// The bootstrap for a policy that is right.
pub(crate) fn bootstrap(policy: &str, site: &Site) -> Result<Bootstrap> {
    render::bootstrap(&PolicyFile::parse("policy", policy, &render::hints(site))?, site)
}

pub(crate) async fn small(version: &EnvoyVersion) -> Mesh {
    let mesh = Mesh::builder().workloads(Workload::productpage()).tag(Tag::Native).envoy(version.clone());
    mesh.start().await.unwrap()
}

/// What a request that asks for `region` gets.
pub(crate) async fn answer(address: SocketAddr, region: &str) -> Response {
    Request::get("/status/200").host(HOST).header("region", region).send(address).await.unwrap()
}

/// An Envoy that reads its listener from a file, again whenever the file is replaced.
pub(crate) struct Live {
    pub(crate) mesh: Mesh,
    pub(crate) envoy: Envoy,
    pub(crate) site: Site,
    pub(crate) file: PathBuf,
    _subnet: Subnet,
}

impl Live {
    pub(crate) async fn start(version: &EnvoyVersion) -> Self {
        Self::with(version, &policy("chicago")).await
    }

    pub(crate) async fn with(version: &EnvoyVersion, policy: &str) -> Self {
        let (mesh, subnet) = (small(version).await, Subnet::claim().unwrap());
        let (site, file) = (site(Some(&mesh), &subnet, true).unwrap(), mesh.folder().join("listeners.json"));
        let mut bootstrap = bootstrap(policy, &site).unwrap();
        bootstrap.static_resources.listeners.clear();
        let lds_config = ConfigSource::file(file.display().to_string());
        bootstrap.dynamic_resources = Some(DynamicResources { lds_config });
        replace(&file, &listener(policy, &site));
        let binary = version.binary().await.unwrap();
        let envoy = Envoy::launch("live", &binary, &bootstrap, site.admin, 2, mesh.folder()).unwrap();
        envoy.ready().await.unwrap();
        Self { mesh, envoy, site, file, _subnet: subnet }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.site.listen
    }

    pub(crate) async fn counted(&self, counter: &str) -> u64 {
        self.envoy.counter(&format!("listener_manager.lds.{counter}")).await.unwrap()
    }

    /// Gives it another listener, and waits until it has taken it or refused it.
    pub(crate) async fn update(&self, listener: &Value) {
        let before = self.counted("update_attempt").await;
        replace(&self.file, listener);
        until("it has looked at the new listener", async || {
            let done = self.counted("update_success").await + self.counted("update_rejected").await;
            Ok(self.counted("update_attempt").await > before && done > before)
        })
        .await
        .unwrap();
    }
}

pub(crate) fn listener(policy: &str, site: &Site) -> Value {
    serde_json::to_value(bootstrap(policy, site).unwrap().static_resources.listeners.remove(0)).unwrap()
}

/// As Kubernetes and every careful writer does: nobody sees half a file.
pub(crate) fn replace(file: &Path, listener: &Value) {
    let mut resource = listener.clone();
    resource["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
    let new = file.with_extension("new");
    std::fs::write(&new, json!({"resources": [resource]}).to_string()).unwrap();
    std::fs::rename(new, file).unwrap();
}
