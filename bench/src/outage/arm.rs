//! What is compared, and how each is started in front of a mesh.

use std::net::SocketAddr;

use anyhow::Result;
use clap::ValueEnum;
use integration::envoy::{Envoy, EnvoyVersion};
use integration::mesh::{Ingress, Mesh};
use integration::net::Subnet;

use super::peer;

/// Each has a VM, or a Lua state, of its own.
const WORKERS: u32 = 2;

/// One way to route by region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arm {
    /// A header match that picks a subset.
    Subsets,
    /// Locality failover with outlier detection and retries.
    Locality,
    /// A Lua filter.
    Lua,
    /// What Meridian renders, the filter missing.
    Native,
    /// Meridian.
    Meridian,
}

impl Arm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Subsets, Self::Locality, Self::Lua, Self::Native, Self::Meridian];

    /// What it is called in a table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Subsets => "header match on subsets",
            Self::Locality => "locality failover",
            Self::Lua => "Lua filter",
            Self::Native => "Meridian's table alone",
            Self::Meridian => "Meridian",
        }
    }

    /// What it is, as a sentence or two.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Subsets => {
                "`match.headers` of a VirtualService picks a subset, one for each region, as Istio documents it. A subset is a cluster of \
                 its own, and Istio has no failover between clusters."
            }
            Self::Locality => {
                "`localityLbSetting.failover` with `outlierDetection` and `retries.retryRemoteLocalities`, as Istio renders them: the \
                 ingress's own region at priority 0, the other at priority 1, retries move on after two tries. The header is not looked at."
            }
            Self::Lua => {
                "The subsets, and a Lua filter that picks among them: header, fence, a count of failures for each region, ejection after \
                 five in a row for three seconds times the number of times, on each worker for itself (`bench/src/outage/regions.lua`)."
            }
            Self::Native => {
                "The native table and the plans that Meridian renders, without the module: Envoy's own retries and ejection."
            }
            Self::Meridian => "The same with the module.",
        }
    }

    /// Starts it in front of the mesh's cluster `primary`.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(self, mesh: &Mesh, version: &EnvoyVersion) -> Result<Edge> {
        let peer = match self {
            Self::Native | Self::Meridian => {
                let ingress = mesh.ingress("primary").policy(peer::POLICY).filter(self == Self::Meridian);
                let ingress = ingress.workers(WORKERS).envoy(version.clone()).start().await?;
                return Ok(Edge { address: ingress.address(), kept: Kept::Ingress(ingress) });
            }
            Self::Subsets => peer::subsets,
            Self::Locality => peer::locality,
            Self::Lua => peer::lua,
        };
        let subnet = Subnet::claim()?;
        let site = peer::Site::new(mesh, subnet.address()?)?;
        let (binary, bootstrap) = (version.binary().await?, peer(&site));
        let envoy = Envoy::launch("peer", &binary, &bootstrap, site.admin, WORKERS, mesh.folder())?;
        envoy.ready().await?;
        Ok(Edge { address: site.listen, kept: Kept::Peer { envoy, _subnet: subnet } })
    }
}

/// An ingress that is running; dropping it ends it.
#[derive(Debug)]
pub struct Edge {
    address: SocketAddr,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Ingress(Ingress),
    Peer { envoy: Envoy, _subnet: Subnet },
}

impl Edge {
    /// Where it takes requests.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The Envoy.
    #[must_use]
    pub fn envoy(&self) -> &Envoy {
        match &self.kept {
            Kept::Ingress(ingress) => ingress.envoy(),
            Kept::Peer { envoy, .. } => envoy,
        }
    }
}
