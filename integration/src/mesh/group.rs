//! Pods that share a fate: one service of a cluster, or all of them.

use anyhow::Result;

use super::Pod;
use crate::bookinfo::Fault;

/// Some pods of one cluster.
#[derive(Clone, Debug)]
pub struct Group<'m> {
    pods: Vec<&'m Pod>,
}

impl<'m> Group<'m> {
    pub(super) fn new(pods: Vec<&'m Pod>) -> Self {
        Self { pods }
    }

    /// The pods.
    #[must_use]
    pub fn pods(&self) -> &[&'m Pod] {
        &self.pods
    }

    /// Takes them away at once: [`Pod::kill`].
    pub fn kill(&self) {
        self.pods.iter().for_each(|pod| pod.kill());
    }

    /// Brings them back: [`Pod::start`], side by side.
    ///
    /// # Errors
    /// When one does not come up.
    pub async fn start(&self) -> Result<()> {
        for pod in &self.pods {
            pod.application().launch()?;
            pod.sidecar().process().launch()?;
        }
        for pod in &self.pods {
            pod.ready().await?;
        }
        Ok(())
    }

    /// Stops their clocks: [`Pod::freeze`].
    pub fn freeze(&self) {
        self.pods.iter().for_each(|pod| pod.freeze());
    }

    /// Makes their addresses swallow everything: [`Pod::blackhole`].
    ///
    /// # Errors
    /// When one still answers.
    pub async fn blackhole(&self) -> Result<()> {
        for pod in &self.pods {
            pod.blackhole().await?;
        }
        Ok(())
    }

    /// Lets them run again: [`Pod::thaw`].
    pub fn thaw(&self) {
        self.pods.iter().for_each(|pod| pod.thaw());
    }

    /// Tells them how to fail: [`Pod::fault`].
    ///
    /// # Errors
    /// When one does not obey.
    pub async fn fault(&self, fault: &Fault) -> Result<()> {
        for pod in &self.pods {
            pod.fault(fault).await?;
        }
        Ok(())
    }
}
