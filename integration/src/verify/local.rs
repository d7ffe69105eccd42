//! The mesh of this machine: real Envoys and applications, no control plane.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use super::{Deed, LOCAL, POLICY, REMOTE, Target};
use crate::bookinfo::Service;
use crate::mesh::{Cluster, Ingress, Mesh};

const NO_CONTROL_PLANE: &str = "there is no control plane: Envoys read files";

/// A mesh, and the two ingresses that it has: with the filter, and without it for when that is what is lost.
#[derive(Debug)]
pub struct LocalTarget {
    mesh: Mesh,
    with_filter: Ingress,
    without_filter: Ingress,
    filter_is_gone: AtomicBool,
}

impl LocalTarget {
    /// Starts all of it.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start() -> Result<Self> {
        Self::over(Mesh::builder().start().await?, POLICY).await
    }

    /// The same over a mesh that runs, with another policy.
    ///
    /// # Errors
    /// When the ingresses do not come up.
    pub async fn over(mesh: Mesh, policy: &str) -> Result<Self> {
        let with_filter = mesh.ingress(LOCAL.cluster).policy(policy).start().await?;
        let without_filter = mesh.ingress(LOCAL.cluster).policy(policy).filter(false).start().await?;
        Ok(Self { mesh, with_filter, without_filter, filter_is_gone: AtomicBool::new(false) })
    }

    fn local(&self) -> Result<&Cluster> {
        self.mesh.cluster(LOCAL.cluster)
    }

    fn remote(&self) -> Result<&Cluster> {
        self.mesh.cluster(REMOTE.cluster)
    }
}

impl Target for LocalTarget {
    fn name(&self) -> String {
        format!("the mesh of this machine, Envoy {}", self.mesh.version().as_str())
    }

    fn ingress(&self) -> SocketAddr {
        let gone = self.filter_is_gone.load(Ordering::Relaxed);
        if gone { self.without_filter.address() } else { self.with_filter.address() }
    }

    fn cluster_on(&self, page: &str) -> Option<String> {
        let (_, footer) = page.split_once("in cluster <b>")?;
        footer.split_once("</b>").map(|(cluster, _)| cluster.to_owned())
    }

    async fn served(&self) -> Result<BTreeMap<String, u64>> {
        let served = self.mesh.served();
        Ok([LOCAL, REMOTE]
            .map(|place| (place.cluster.to_owned(), served.at(place.cluster, Service::Productpage)))
            .into())
    }

    fn cannot(&self, deed: Deed) -> Option<&'static str> {
        match deed {
            Deed::StopIstiod | Deed::RemoveSubsets => Some(NO_CONTROL_PLANE),
            Deed::StopIngress => Some("an ingress here is one process, and nothing balances between two"),
            Deed::ChangeModule => Some("a module is changed by the control plane, and there is none"),
            Deed::StopLocalService
            | Deed::StopRemoteService
            | Deed::StopGateway
            | Deed::Partition
            | Deed::RemoveFilter => None,
        }
    }

    async fn hurt(&self, deed: Deed) -> Result<()> {
        match deed {
            Deed::StopLocalService => self.local()?.service(Service::Productpage).kill(),
            Deed::StopRemoteService => self.remote()?.service(Service::Productpage).kill(),
            Deed::StopGateway => self.remote()?.east_west().stop().await?,
            // All clocks there stand: connections open, and nobody answers, as behind a cable that is cut.
            Deed::Partition => self.remote()?.freeze(),
            Deed::RemoveFilter => self.filter_is_gone.store(true, Ordering::Relaxed),
            Deed::StopIstiod | Deed::StopIngress | Deed::ChangeModule | Deed::RemoveSubsets => {}
        }
        Ok(())
    }

    async fn mend(&self, deed: Deed) -> Result<()> {
        match deed {
            Deed::StopLocalService => self.local()?.service(Service::Productpage).start().await?,
            Deed::StopRemoteService => self.remote()?.service(Service::Productpage).start().await?,
            Deed::StopGateway => self.remote()?.east_west().start().await?,
            Deed::Partition => self.remote()?.thaw(),
            Deed::RemoveFilter => self.filter_is_gone.store(false, Ordering::Relaxed),
            Deed::StopIstiod | Deed::StopIngress | Deed::ChangeModule | Deed::RemoveSubsets => {}
        }
        Ok(())
    }
}
