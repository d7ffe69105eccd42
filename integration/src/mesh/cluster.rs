//! A cluster of the mesh: its pods and its east-west gateway, and what can be done to all of it.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use super::layout::ClusterLayout;
use super::spec::ClusterSpec;
use super::{Group, Pod};
use crate::bookinfo::Service;
use crate::envoy::Envoy;

/// A cluster that is running.
#[derive(Debug)]
pub struct Cluster {
    pub(super) layout: ClusterLayout,
    pub(super) east_west: Envoy,
    pub(super) pods: Vec<Pod>,
}

impl Cluster {
    /// What it was made from.
    #[must_use]
    pub fn spec(&self) -> &ClusterSpec {
        &self.layout.spec
    }

    /// Its east-west gateway.
    #[must_use]
    pub fn east_west(&self) -> &Envoy {
        &self.east_west
    }

    /// Where other clusters reach one of its services.
    #[must_use]
    pub fn east_west_address(&self, service: Service) -> SocketAddr {
        self.layout.east_west_of(service)
    }

    /// All its pods.
    #[must_use]
    pub fn pods(&self) -> Group<'_> {
        Group::new(self.pods.iter().collect())
    }

    /// The pods of one of its services.
    #[must_use]
    pub fn service(&self, service: Service) -> Group<'_> {
        Group::new(self.pods.iter().filter(|pod| pod.workload().service == service).collect())
    }

    /// One pod by its workload, e.g. `reviews-v2`.
    ///
    /// # Errors
    /// When it has none of that name.
    pub fn pod(&self, workload: &str) -> Result<&Pod> {
        let found = self.pods.iter().find(|pod| pod.workload().to_string() == workload);
        found.with_context(|| format!("The cluster {} has no workload {workload}.", self.spec().name))
    }

    /// Takes away all of it at once.
    pub fn kill(&self) {
        self.east_west.process().kill();
        self.pods().kill();
    }

    /// Brings all of it back.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn start(&self) -> Result<()> {
        self.east_west.process().launch()?;
        self.pods().start().await?;
        self.east_west.ready().await
    }

    /// Stops all its clocks.
    pub fn freeze(&self) {
        self.east_west.process().freeze();
        self.pods().freeze();
    }

    /// Lets them run again.
    pub fn thaw(&self) {
        self.pods().thaw();
        self.east_west.process().thaw();
    }

    /// How many requests have reached the applications of a service here.
    #[must_use]
    pub fn served(&self, service: Service) -> u64 {
        self.service(service).pods().iter().map(|pod| pod.served()).sum()
    }
}
