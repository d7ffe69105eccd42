//! A mesh that can be asked, and hurt.

use std::collections::BTreeMap;
use std::net::SocketAddr;

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
    /// Another build of the module takes its place.
    ChangeModule,
    /// The other cluster has no subsets.
    RemoveSubsets,
}

/// A mesh with the policy in it: two clusters, Bookinfo, an ingress in the first.
#[expect(async_fn_in_trait, reason = "the targets are the two of this crate, and nobody sends their futures elsewhere")]
pub trait Target {
    /// What it is, for people.
    fn name(&self) -> String;

    /// Where users come in.
    fn ingress(&self) -> SocketAddr;

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
}

/// Hurts the target, asks, and mends it whatever was found.
pub(super) async fn during<T: Target>(
    target: &T,
    deed: Deed,
    ask: impl AsyncFnOnce() -> Result<String>,
) -> Result<Verdict> {
    if let Some(why) = target.cannot(deed) {
        return Ok(Verdict::not_here(why));
    }
    let asked = match target.hurt(deed).await {
        Ok(()) => ask().await,
        Err(why) => Err(why.context("it could not be done")),
    };
    target.mend(deed).await.with_context(|| format!("{deed:?} could not be undone"))?;
    Ok(asked.into())
}
