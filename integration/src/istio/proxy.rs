//! A proxy: a stock Envoy that knows nothing but who it is and where its control plane is.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::net::TcpStream;

use super::bootstrap::{self, Asks};
use super::identity::{Identity, Role};
use crate::client::{Request, Response};
use crate::envoy::{Envoy, EnvoyVersion};
use crate::net::port;

const LISTENS_WITHIN: Duration = Duration::from_secs(20);

/// A proxy that is running; dropping it ends it.
#[derive(Debug)]
pub struct Proxy {
    envoy: Envoy,
    identity: Identity,
    version: EnvoyVersion,
}

impl Proxy {
    /// Starts it and waits until Envoy is live and its listener is there. Its files are `NAME.*` in `logs`.
    pub(super) async fn start(
        name: &str,
        identity: Identity,
        asks: Asks,
        (version, workers): (EnvoyVersion, u32),
        logs: &Path,
    ) -> Result<Self> {
        let (binary, admin) = (version.binary().await?, SocketAddr::from((identity.pod.ip, port::ADMIN)));
        let bootstrap = bootstrap::of(&identity, admin, asks);
        let proxy = Self { envoy: Envoy::launch(name, &binary, &bootstrap, admin, workers, logs)?, identity, version };
        proxy.ready().await?;
        Ok(proxy)
    }

    /// Where it takes requests.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.identity.address()
    }

    /// What it is there for.
    #[must_use]
    pub fn role(&self) -> Role {
        self.identity.role
    }

    /// The address of its pod.
    #[must_use]
    pub fn ip(&self) -> Ipv4Addr {
        self.identity.pod.ip
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
        self.sum(".update_rejected").await
    }

    /// The sum of its counters whose names end so.
    ///
    /// # Errors
    /// When its admin does not answer.
    pub async fn sum(&self, end: &str) -> Result<u64> {
        let stats = self.envoy.stats("").await?;
        Ok(stats.iter().filter(|(name, _)| name.ends_with(end)).map(|(_, count)| count).sum())
    }

    /// Starts it again after it was lost, and waits until it listens.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn revive(&self) -> Result<()> {
        self.envoy.process().launch()?;
        self.ready().await
    }

    async fn ready(&self) -> Result<()> {
        self.envoy.ready().await?;
        let listens = async || TcpStream::connect(self.address()).await.is_ok();
        self.envoy.process().ready(LISTENS_WITHIN, listens).await
    }
}
