//! An ingress in front of servers that a test plays itself.
//!
//! A [mesh](crate::mesh) is for what regions do: they are lost, they freeze, they come back. What a single server does on the wire (a
//! gRPC status in the trailers, an upgrade, an answer that takes minutes, a reset in the middle of it) no application of the mesh can do,
//! and none should learn it. So here the Envoy is real and rendered from a policy as a user's would be, and each endpoint behind it is a
//! [`Server`] of the test, which counts what reached it.

mod builder;
mod grpc;
mod live;
mod server;

use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::client::{Request, Response};
use crate::envoy::Envoy;
use crate::net::Subnet;
use crate::paths::RunFolder;
use live::Live;

pub use builder::FrontBuilder;
pub use grpc::{GrpcAnswer, GrpcClient, grpc};
pub use server::{Exchange, Server, http1};

/// An ingress that is running; dropping it ends it.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    envoy: Envoy,
    live: Option<Live>,
    _subnet: Subnet,
    _folder: RunFolder,
}

impl Front {
    /// Begins one with this policy, as a user writes it.
    #[must_use]
    pub fn builder(policy: &str) -> FrontBuilder {
        FrontBuilder::new(policy)
    }

    /// Where it takes requests.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The Envoy.
    #[must_use]
    pub fn envoy(&self) -> &Envoy {
        &self.envoy
    }

    /// Gives it another policy, which it takes in a moment. It must have been built as [`replaceable`](FrontBuilder::replaceable).
    ///
    /// # Errors
    /// When the policy is wrong, or it was not built so.
    pub fn replace(&self, policy: &str) -> Result<()> {
        self.live.as_ref().context("Its policy is part of its bootstrap: build it as replaceable.")?.replace(policy)
    }

    /// Sends a request on a connection of its own.
    ///
    /// # Errors
    /// When no complete response comes in time.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        request.send(self.address).await
    }

    /// How often the filter has said so of a region in its log, e.g. `ejected`.
    #[must_use]
    pub fn said(&self, word: &str, region: &str) -> usize {
        let about = format!(" region={region}");
        let line = format!(": {word} service=");
        self.envoy.log().lines().filter(|text| text.contains(&line) && text.contains(&about)).count()
    }
}
