//! The applications behind the endpoints: real processes that count what reaches them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Inventory;
use super::inventory::Instance;
use crate::bookinfo::{Fault, Service, Tally};
use crate::client::Request;
use crate::load::SERVED_BY;
use crate::paths;
use crate::process::Process;

const READY_WITHIN: Duration = Duration::from_secs(20);
const CONTROL_PATIENCE: Duration = Duration::from_secs(5);

/// What an application says its version is, so that a client can tell.
pub const VERSION: &str = "x-version";

/// Every pod of an inventory; dropping them ends them.
#[derive(Debug)]
pub struct Pods {
    pods: Vec<Pod>,
}

#[derive(Debug)]
struct Pod {
    instance: Instance,
    process: Process,
    tally: PathBuf,
}

impl Pods {
    /// Starts them and waits until they serve. Their logs are in `logs`.
    ///
    /// # Errors
    /// When the application is not built or one does not come up.
    pub async fn start(inventory: &Inventory, logs: &Path) -> Result<Self> {
        let program = paths::bookinfo()?;
        let launch = |instance: &Instance| Pod::launch(instance, &program, logs);
        let pods: Vec<Pod> = inventory.instances.iter().map(launch).collect::<Result<_>>()?;
        for pod in &pods {
            pod.ready().await?;
        }
        Ok(Self { pods })
    }

    /// Takes a service away from a cluster at once: connections are refused.
    pub fn kill(&self, cluster: &str, service: Service) {
        self.of(cluster, service).for_each(|pod| pod.process.kill());
    }

    /// Brings it back.
    ///
    /// # Errors
    /// When a pod does not come up.
    pub async fn revive(&self, cluster: &str, service: Service) -> Result<()> {
        for pod in self.of(cluster, service) {
            pod.process.launch()?;
            pod.ready().await?;
        }
        Ok(())
    }

    /// Stops its clocks: connections open, and nobody answers.
    pub fn freeze(&self, cluster: &str, service: Service) {
        self.of(cluster, service).for_each(|pod| pod.process.freeze());
    }

    /// Lets them run again.
    pub fn thaw(&self, cluster: &str, service: Service) {
        self.of(cluster, service).for_each(|pod| pod.process.thaw());
    }

    /// Tells a service of a cluster how to fail; [`Fault::none`] ends it. Without a sidecar its answers
    /// stay tagged, as one would tag them.
    ///
    /// # Errors
    /// When a pod does not obey.
    pub async fn fault(&self, cluster: &str, service: Service, fault: &Fault) -> Result<()> {
        for pod in self.of(cluster, service) {
            pod.fault(fault).await?;
        }
        Ok(())
    }

    /// How many requests have reached a service of a cluster, whatever became of it since.
    #[must_use]
    pub fn served(&self, cluster: &str, service: Service) -> u64 {
        self.of(cluster, service).map(|pod| Tally::read(&pod.tally)).sum()
    }

    fn of(&self, cluster: &str, service: Service) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(move |pod| pod.instance.cluster.name == cluster && pod.instance.service == service)
    }
}

impl Pod {
    fn launch(instance: &Instance, program: &Path, logs: &Path) -> Result<Self> {
        let name = instance.pod.name.as_str();
        let tally = logs.join(format!("{name}.tally"));
        let address = instance.address().to_string();
        let arguments = [
            ("--service", instance.service.name()),
            ("--cluster", &instance.cluster.name),
            ("--listen", &address),
            // There is no sidecar, so nobody is called.
            ("--outbound", &address),
            ("--tally", &tally.display().to_string()),
        ];
        let arguments = arguments.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]);
        Ok(Self { instance: instance.clone(), process: Process::start(name, program, arguments, logs)?, tally })
    }

    async fn ready(&self) -> Result<()> {
        let healthy = async || {
            let probe = Request::get("/healthz").patience(Duration::from_secs(1)).send(self.instance.address()).await;
            probe.is_ok_and(|answer| answer.status == 200)
        };
        self.process.ready(READY_WITHIN, healthy).await?;
        self.fault(&Fault::none()).await
    }

    async fn fault(&self, fault: &Fault) -> Result<()> {
        let tag = &self.instance.cluster.display_name;
        let fault = if self.instance.has_sidecar { fault.clone() } else { fault.clone().with_header(SERVED_BY, tag) };
        let fault = match self.instance.pod.labels.get("version") {
            Some(version) => fault.with_header(VERSION, version),
            None => fault,
        };
        let order = Request::new("POST", "/_control").patience(CONTROL_PATIENCE).body(serde_json::to_vec(&fault)?);
        let name = &self.instance.pod.name;
        let answer = order.send(self.instance.address()).await.with_context(|| format!("{name} takes no orders."))?;
        ensure!(answer.status == 200, "{name} refused: {}", answer.text());
        Ok(())
    }
}
