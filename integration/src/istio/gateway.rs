//! A gateway: a stock Envoy that knows nothing but where its control plane is.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Result;

use super::bootstrap::{self, Protocol};
use super::{ControlPlane, Programs, Recording};
use crate::client::{Request, Response};
use crate::envoy::{Envoy, EnvoyVersion};
use crate::net::port;

/// What a gateway is to be; [`Gateway::builder`] begins with the oldest Envoy, the line inside Istio, and one worker.
#[derive(Debug)]
pub struct GatewayBuilder<'p> {
    plane: &'p ControlPlane,
    ip: Ipv4Addr,
    version: Option<EnvoyVersion>,
    workers: u32,
    protocol: Protocol,
}

impl GatewayBuilder<'_> {
    /// Another Envoy.
    #[must_use]
    pub fn envoy(self, version: EnvoyVersion) -> Self {
        Self { version: Some(version), ..self }
    }

    /// How many workers.
    #[must_use]
    pub fn workers(self, workers: u32) -> Self {
        Self { workers, ..self }
    }

    /// Asks for the whole state each time, as Istio's agent did before 1.22 and does on request.
    #[must_use]
    pub fn state_of_the_world(self) -> Self {
        Self { protocol: Protocol::StateOfTheWorld, ..self }
    }

    /// Starts it and waits until Envoy is live and its listener is there. Its files are `NAME.*` in `logs`.
    ///
    /// # Errors
    /// When it does not come up: what Envoy refuses is in its log.
    pub async fn start(self, name: &str, logs: &Path) -> Result<Gateway> {
        let version = self.version.map_or_else(EnvoyVersion::oldest, Ok)?;
        let (binary, admin) = (version.binary().await?, SocketAddr::from((self.ip, port::ADMIN)));
        let bootstrap = bootstrap::gateway(self.plane.cluster(), self.ip, admin, self.plane.ads(), self.protocol);
        let envoy = Envoy::launch(name, &binary, &bootstrap, admin, self.workers, logs)?;
        let gateway = Gateway { envoy, ip: self.ip, version };
        gateway.ready().await?;
        Ok(gateway)
    }
}

/// A gateway that is running; dropping it ends it.
#[derive(Debug)]
pub struct Gateway {
    envoy: Envoy,
    ip: Ipv4Addr,
    version: EnvoyVersion,
}

impl Gateway {
    /// Begins one at the address of its pod.
    #[must_use]
    pub fn builder(plane: &ControlPlane, ip: Ipv4Addr) -> GatewayBuilder<'_> {
        GatewayBuilder { plane, ip, version: None, workers: 1, protocol: Protocol::default() }
    }

    /// What a control plane tells a gateway of one of its clusters, without one that runs.
    ///
    /// # Errors
    /// When the control plane does not answer.
    pub async fn record(programs: &Programs, plane: &ControlPlane, ip: Ipv4Addr) -> Result<Recording> {
        Recording::of(programs, plane.ads(), &bootstrap::node(plane.cluster(), ip)).await
    }

    /// Where it takes requests: the address that the Gateway resource binds.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((self.ip, port::INGRESS))
    }

    /// Which Envoy it is.
    #[must_use]
    pub fn version(&self) -> &EnvoyVersion {
        &self.version
    }

    /// The Envoy.
    #[must_use]
    pub fn envoy(&self) -> &Envoy {
        &self.envoy
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When there is no complete answer.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        request.send(self.address()).await
    }

    /// How many updates of each kind it refused since it runs: listeners, clusters, routes. None is what is wanted, for Envoy goes on
    /// with what it had and tells nobody.
    ///
    /// # Errors
    /// When its admin does not answer.
    pub async fn refused_updates(&self) -> Result<u64> {
        let stats = self.envoy.stats("").await?;
        let rejected = stats.iter().filter(|(name, _)| name.ends_with(".update_rejected"));
        Ok(rejected.map(|(_, count)| count).sum())
    }

    async fn ready(&self) -> Result<()> {
        self.envoy.ready().await?;
        let listens = async || Request::get("/").send(self.address()).await.is_ok();
        self.envoy.process().ready(std::time::Duration::from_secs(20), listens).await
    }
}
