//! What the demo needs of a mesh, and nothing more: two clusters, an ingress for each policy, one service to lose.
//!
//! Both ingresses stand in front of the same pods, so that the two plays of the outage differ in the policy alone.

use anyhow::Result;

use super::narrator::Narrator;
use super::options::Options;
use super::policy::Policy;
use crate::bookinfo::Service;
use crate::mesh::{Group, Ingress, Mesh};

/// The cluster that is lost, and where users come in.
const PRIMARY: &str = "primary";

/// A mesh for the demo.
pub(super) struct Stage {
    mesh: Mesh,
}

impl Stage {
    /// Starts one.
    ///
    /// # Errors
    /// When it does not come up.
    pub(super) async fn open(options: &Options, narrator: Narrator) -> Result<Self> {
        narrator.part("Two clusters on this machine");
        let mesh = Mesh::builder().envoy(options.version()?).on_progress(move |stage| narrator.step(stage));
        Ok(Self { mesh: mesh.start().await? })
    }

    /// Starts an ingress of the primary cluster with `policy`, on `port` of 127.0.0.1 or on an address of its own.
    ///
    /// # Errors
    /// When it does not come up.
    pub(super) async fn ingress(&self, policy: &Policy, options: &Options, port: Option<u16>) -> Result<Ingress> {
        let ingress = self.mesh.ingress(PRIMARY).policy(policy.yaml).workers(options.workers);
        match port {
            Some(port) => ingress.port(port).start().await,
            None => ingress.start().await,
        }
    }

    /// Takes the primary's productpage away, as a lost node does.
    pub(super) fn stop_productpage(&self) -> Result<()> {
        self.productpage()?.kill();
        Ok(())
    }

    /// Brings it back.
    pub(super) async fn start_productpage(&self) -> Result<()> {
        self.productpage()?.start().await
    }

    /// The process ids of the primary's productpage and its sidecar.
    pub(super) fn productpage_pids(&self) -> Result<Vec<u32>> {
        let productpage = self.productpage()?;
        let processes = productpage.pods().iter().flat_map(|pod| [pod.application(), pod.sidecar().process()]);
        Ok(processes.filter_map(|process| process.pid()).collect())
    }

    fn productpage(&self) -> Result<Group<'_>> {
        Ok(self.mesh.cluster(PRIMARY)?.service(Service::Productpage))
    }
}
