//! A mesh that can be asked, and hurt.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Verdict;

/// What can be done to a mesh. Each is undone by [`Target::mend`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// No instance of productpage, in the cluster of the ingress.
    StopLocalService,
    /// No instance of productpage, in the other.
    StopRemoteService,
    /// The other's east-west gateway is gone.
    StopGateway,
    /// Nothing passes between the clusters, and nobody says so.
    Partition,
    /// The control plane of the ingress's cluster is gone.
    StopIstiod,
    /// One of the ingress gateways is gone.
    StopIngress,
    /// The filter is gone, the routes stay.
    RemoveFilter,
    /// A module whose VM dies of every request is in its place.
    KillFilter,
    /// It is given a configuration that it refuses.
    MisconfigureFilter,
    /// It is to come from a file that is not there.
    MisplaceModule,
    /// It was never there, and its first configuration is refused.
    NeverLoadFilter,
    /// Another build of the module takes its place.
    ChangeModule,
    /// The other cluster has no subsets.
    RemoveSubsets,
}

impl Deed {
    /// Whether the filter decides while this is done: the last good one does, where there was one.
    pub(super) fn leaves_the_filter(self) -> bool {
        !matches!(self, Self::RemoveFilter | Self::KillFilter | Self::NeverLoadFilter)
    }
}

/// How long a target is watched, by what it is made of.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// Traffic without a control plane.
    pub soak: Duration,
    /// Traffic after a change that should not be seen.
    pub change: Duration,
}

/// A mesh with the policy in it: two clusters, Bookinfo, an ingress in the first.
#[expect(async_fn_in_trait, reason = "the targets are those of this crate, and nobody sends their futures elsewhere")]
pub trait Target {
    /// What it is, for people.
    fn name(&self) -> String;

    /// Where users come in.
    fn ingress(&self) -> SocketAddr;

    /// Where they come in when any of several ingress gateways will do.
    fn any_ingress(&self) -> SocketAddr {
        self.ingress()
    }

    /// How long it is watched.
    fn watch(&self) -> Watch {
        Watch { soak: Duration::from_secs(300), change: Duration::from_secs(20) }
    }

    /// The cluster that a page itself says it comes from, if it does.
    fn cluster_on(&self, page: &str) -> Option<String>;

    /// How many requests have reached productpage in each cluster, by a count that is not the tag.
    ///
    /// # Errors
    /// When the count cannot be had.
    async fn served(&self) -> Result<BTreeMap<String, u64>>;

    /// Why a deed cannot be done here, if it cannot.
    fn cannot(&self, deed: Deed) -> Option<&'static str>;

    /// Does it, and returns when it is done.
    ///
    /// # Errors
    /// When it could not be done.
    async fn hurt(&self, deed: Deed) -> Result<()>;

    /// Undoes it.
    ///
    /// # Errors
    /// When it could not be undone.
    async fn mend(&self, deed: Deed) -> Result<()>;

    /// What only this target can see while a deed is done, in words that go on after others; nothing, if there is nothing.
    ///
    /// # Errors
    /// When it is not as it should be.
    async fn also(&self, _deed: Deed) -> Result<String> {
        Ok(String::new())
    }

    /// Has every alert fire and resolve.
    ///
    /// # Errors
    /// When what was done for it could not be undone.
    async fn alerts(&self) -> Result<Verdict> {
        Ok(Verdict::not_asked("no Prometheus runs there, and this program brings one to the mesh of this machine only"))
    }

    /// Asks a region that has two zones.
    ///
    /// # Errors
    /// When what was done for it could not be undone.
    async fn zones(&self) -> Result<Verdict> {
        Ok(Verdict::not_asked("each region there is one node, in one zone"))
    }
}

/// Hurts the target, asks, and mends it whatever was found.
pub(super) async fn during<T: Target>(
    target: &T,
    deed: Deed,
    ask: impl AsyncFnOnce() -> Result<String>,
) -> Result<Verdict> {
    if let Some(why) = target.cannot(deed) {
        return Ok(Verdict::not_asked(why));
    }
    let asked = match target.hurt(deed).await {
        Ok(()) => ask().await,
        Err(why) => Err(why.context("it could not be done")),
    };
    target.mend(deed).await.with_context(|| format!("{deed:?} could not be undone"))?;
    Ok(asked.into())
}
