//! A cluster's share of a mesh: its control plane, and the proxies that ask it.

use anyhow::{Context, Result};

use super::identity::Role;
use super::{ControlPlane, Manifests, Proxy};

/// What a cluster is to have.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The cluster.
    pub cluster: String,
    /// What its control plane alone sees. `${GATEWAY}` is the address of its ingress.
    pub manifests: Manifests,
    /// Its proxies; [`Role::Server`] is one for each of its applications.
    pub roles: Vec<Role>,
}

/// A cluster that is running. Its proxies go first.
#[derive(Debug)]
pub struct Site {
    pub(super) proxies: Vec<Proxy>,
    /// The control plane.
    pub plane: ControlPlane,
    /// Its manifests, as they were given.
    pub manifests: Manifests,
}

impl Site {
    /// Its first proxy for something.
    ///
    /// # Errors
    /// When it has none.
    pub fn proxy(&self, role: Role) -> Result<&Proxy> {
        let found = self.proxies.iter().find(|proxy| proxy.role() == role);
        found.with_context(|| format!("{} has no proxy for {role:?}.", self.plane.cluster()))
    }

    /// All of them.
    #[must_use]
    pub fn proxies(&self) -> &[Proxy] {
        &self.proxies
    }
}
