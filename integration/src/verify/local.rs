//! The mesh of this machine: real Envoys and applications that read files, with no control plane.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Result, ensure};

use super::balancer::Balancer;
use super::target::Watch;
use super::{Deed, LOCAL, POLICY, REMOTE, Target, Verdict, WATCH, alerts};
use crate::bookinfo::Service;
use crate::mesh::{Cluster, Ingress, Mesh};

const NO_CONTROL_PLANE: &str = "Envoys read files here, and Istio's control plane cannot be built without Go";

/// What Envoy calls the requests that a listener has taken.
const REQUESTS: &str = ".downstream_rq_total";

/// A mesh, and the ingresses that it has: two with the filter, for when one of them is lost, and one without it for when that is.
#[derive(Debug)]
pub struct LocalTarget {
    mesh: Mesh,
    with_filter: Ingress,
    replica: Ingress,
    balancer: Balancer,
    without_filter: Ingress,
    filter_is_gone: AtomicBool,
    /// What the replica had served when it was lost.
    replica_served: AtomicU64,
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
        let replica = mesh.ingress(LOCAL.cluster).policy(policy).start().await?;
        let balancer = Balancer::before(vec![replica.address(), with_filter.address()]).await?;
        let without_filter = mesh.ingress(LOCAL.cluster).policy(policy).filter(false).start().await?;
        Ok(Self {
            mesh,
            with_filter,
            replica,
            balancer,
            without_filter,
            filter_is_gone: AtomicBool::new(false),
            replica_served: AtomicU64::new(0),
        })
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

    fn any_ingress(&self) -> SocketAddr {
        self.balancer.address()
    }

    fn watch(&self) -> Watch {
        WATCH
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
            Deed::StopIstiod
            | Deed::ChangeModule
            | Deed::RemoveSubsets
            | Deed::KillFilter
            | Deed::MisconfigureFilter
            | Deed::MisplaceModule
            | Deed::NeverLoadFilter => Some(NO_CONTROL_PLANE),
            _ => None,
        }
    }

    async fn hurt(&self, deed: Deed) -> Result<()> {
        match deed {
            Deed::StopLocalService => self.local()?.service(Service::Productpage).kill(),
            Deed::StopRemoteService => self.remote()?.service(Service::Productpage).kill(),
            Deed::StopGateway => self.remote()?.east_west().stop().await?,
            // All clocks there stand: connections open, and nobody answers, as behind a cable that is cut.
            Deed::Partition => self.remote()?.freeze(),
            Deed::StopIngress => {
                let stats = self.replica.envoy().stats("http.").await?;
                let requests = stats.iter().filter(|(name, _)| name.ends_with(REQUESTS) && !name.contains("admin"));
                self.replica_served.store(requests.map(|(_, count)| count).sum(), Ordering::Relaxed);
                self.replica.envoy().process().kill();
            }
            Deed::RemoveFilter => self.filter_is_gone.store(true, Ordering::Relaxed),
            _ => {}
        }
        Ok(())
    }

    async fn mend(&self, deed: Deed) -> Result<()> {
        match deed {
            Deed::StopLocalService => self.local()?.service(Service::Productpage).start().await?,
            Deed::StopRemoteService => self.remote()?.service(Service::Productpage).start().await?,
            Deed::StopGateway => self.remote()?.east_west().start().await?,
            Deed::Partition => self.remote()?.thaw(),
            Deed::StopIngress => self.replica.envoy().start().await?,
            Deed::RemoveFilter => self.filter_is_gone.store(false, Ordering::Relaxed),
            _ => {}
        }
        Ok(())
    }

    async fn also(&self, deed: Deed) -> Result<String> {
        if deed != Deed::StopIngress {
            return Ok(String::new());
        }
        let served = self.replica_served.load(Ordering::Relaxed);
        ensure!(served > 0, "the gateway that was lost had served nobody");
        Ok(format!("; the one that was killed had served {served}"))
    }

    async fn alerts(&self) -> Result<Verdict> {
        alerts::drill().await
    }

    async fn zones(&self) -> Result<Verdict> {
        Ok(Verdict::not_asked(NO_CONTROL_PLANE))
    }
}
