//! Two kind clusters, hurt by the same drills that a person plays.
//!
//! A drill undoes itself when its input ends. So one is held by holding its input: however this program goes, the kernel closes the
//! pipe and the mesh is mended.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{Deed, LOCAL, REMOTE, Target};
use crate::paths;

/// The longest that a drill may take to hurt or to mend: pods have to come.
const PATIENCE: Duration = Duration::from_secs(420);

/// One of the clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindCluster {
    /// Its name in the policy.
    pub name: String,
    /// Its context.
    pub context: String,
    /// Its ingress gateway.
    pub ingress: SocketAddr,
}

impl FromStr for KindCluster {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('=').collect();
        let [name, context, ingress] = parts.as_slice() else { bail!("write NAME=CONTEXT=ADDRESS:PORT") };
        let ingress = ingress.parse().with_context(|| format!("{ingress} is not an address with a port"))?;
        Ok(Self { name: (*name).to_owned(), context: (*context).to_owned(), ingress })
    }
}

/// Two clusters that `make kind-up` has made.
#[derive(Debug)]
pub struct KindTarget {
    local: KindCluster,
    drill: Mutex<Option<Child>>,
}

impl KindTarget {
    /// The target.
    ///
    /// # Errors
    /// When the cluster that users come in by is not among them.
    pub fn new(clusters: &[KindCluster]) -> Result<Self> {
        let local = clusters.iter().find(|cluster| cluster.name == LOCAL.cluster);
        let local = local.with_context(|| format!("the cluster {} is not among the targets", LOCAL.cluster))?.clone();
        Ok(Self { local, drill: Mutex::new(None) })
    }

    async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("kubectl");
        command.args(["--context", &self.local.context]).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.context("kubectl cannot be run")?;
        ensure!(output.status.success(), "kubectl: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Target for KindTarget {
    fn name(&self) -> String {
        format!("kind, by the ingress gateway of {} at {}", self.local.context, self.local.ingress)
    }

    fn ingress(&self) -> SocketAddr {
        self.local.ingress
    }

    /// The page of the real productpage names the cluster of its reviews, not its own.
    fn cluster_on(&self, _: &str) -> Option<String> {
        None
    }

    /// As Istio counts it at the ingress gateways, from what the serving workload said of itself.
    async fn served(&self) -> Result<BTreeMap<String, u64>> {
        let pods =
            self.kubectl(&["get", "pods", "-n", "istio-system", "-l", "istio=ingressgateway", "-o", "json"]).await?;
        let pods: Value = serde_json::from_str(&pods).context("the gateways are not listed as JSON")?;
        let pods = pods.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        ensure!(!pods.is_empty(), "there is no ingress gateway");
        let mut counts = BTreeMap::from([LOCAL, REMOTE].map(|place| (place.cluster.to_owned(), 0)));
        for name in pods.iter().filter_map(|pod| pod.pointer("/metadata/name")?.as_str()) {
            let ask = [
                "exec",
                "-n",
                "istio-system",
                name,
                "-c",
                "istio-proxy",
                "--",
                "pilot-agent",
                "request",
                "GET",
                "stats/prometheus",
            ];
            for (cluster, count) in requests_by_cluster(&self.kubectl(&ask).await?) {
                *counts.entry(cluster).or_default() += count;
            }
        }
        Ok(counts)
    }

    fn cannot(&self, deed: Deed) -> Option<&'static str> {
        drill(deed).is_none().then_some("there is no drill for it in kind")
    }

    async fn hurt(&self, deed: Deed) -> Result<()> {
        let (name, cluster) = drill(deed).with_context(|| format!("there is no drill for {deed:?}"))?;
        let mut command = Command::new(paths::workspace().join("integration/kind/drill.sh"));
        command.args([name, cluster]).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Not in the group that Ctrl-C reaches: it ends with its input, in order.
        let mut child = command.process_group(0).spawn().context("the drill cannot be run")?;
        let said = child.stdout.take().context("the drill has no output")?;
        *self.drill.lock().await = Some(child);
        let first = timeout(PATIENCE, BufReader::new(said).lines().next_line()).await;
        let first = first.with_context(|| format!("{name} took longer than {PATIENCE:?}"))??;
        ensure!(first.as_deref() == Some("ready"), "{name} did not get ready; it says why above");
        Ok(())
    }

    async fn mend(&self, deed: Deed) -> Result<()> {
        let Some(mut child) = self.drill.lock().await.take() else { return Ok(()) };
        drop(child.stdin.take());
        let ended =
            timeout(PATIENCE, child.wait()).await.with_context(|| format!("{deed:?} is still being undone"))??;
        ensure!(ended.success(), "its drill ended with {ended}");
        Ok(())
    }
}

/// The drill of a deed, and where. What befalls a filter that is there comes to the same as one that is gone, or to nothing at all, and
/// is asked on the mesh of this machine.
fn drill(deed: Deed) -> Option<(&'static str, &'static str)> {
    Some(match deed {
        Deed::StopLocalService => ("stop-productpage", LOCAL.cluster),
        Deed::StopRemoteService => ("stop-productpage", REMOTE.cluster),
        Deed::StopGateway => ("east-west-down", REMOTE.cluster),
        Deed::Partition => ("partition", REMOTE.cluster),
        Deed::StopIstiod => ("istiod-down", LOCAL.cluster),
        Deed::StopIngress => ("ingress-pod", LOCAL.cluster),
        Deed::RemoveFilter => ("filter-gone", LOCAL.cluster),
        Deed::ChangeModule => ("another-module", LOCAL.cluster),
        Deed::RemoveSubsets => ("subsets-missing", REMOTE.cluster),
        Deed::KillFilter | Deed::MisconfigureFilter | Deed::MisplaceModule | Deed::NeverLoadFilter => return None,
    })
}

/// The requests to productpage in a page of Istio's metrics, by the cluster that served them.
fn requests_by_cluster(metrics: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in metrics.lines().filter(|line| line.starts_with("istio_requests_total{")) {
        let Some((labels, count)) = line.rsplit_once("} ") else { continue };
        let label = |name: &str| {
            labels.split([',', '{']).find_map(|label| label.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'))
        };
        let ours = label("reporter") == Some("source") && label("destination_service_name") == Some("productpage");
        if let (true, Some(cluster), Ok(count)) = (ours, label("destination_cluster"), count.trim().parse::<u64>()) {
            *counts.entry(cluster.to_owned()).or_default() += count;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deed_has_a_drill() {
        let folder = paths::workspace().join("integration/kind/drills");
        for deed in [
            Deed::StopLocalService,
            Deed::StopRemoteService,
            Deed::StopGateway,
            Deed::Partition,
            Deed::StopIstiod,
            Deed::StopIngress,
            Deed::RemoveFilter,
            Deed::ChangeModule,
            Deed::RemoveSubsets,
        ] {
            let (name, _) = drill(deed).unwrap();
            assert!(folder.join(name).with_extension("sh").is_file(), "{deed:?}");
        }
    }

    #[test]
    fn requests_are_counted_where_they_were_served_and_once() {
        let series = |reporter: &str, service: &str, cluster: &str, code: u16, count: u64| {
            format!(
                "istio_requests_total{{reporter=\"{reporter}\",destination_service_name=\"{service}\",response_code=\"{code}\",destination_cluster=\"{cluster}\"}} {count}\n"
            )
        };
        let metrics = [
            series("source", "productpage", "primary", 200, 3),
            series("source", "productpage", "primary", 404, 2),
            series("source", "productpage", "secondary", 200, 7),
            series("destination", "productpage", "primary", 200, 100),
            series("source", "reviews", "primary", 200, 100),
            "istio_requests_total_other{reporter=\"source\"} 1\n".to_owned(),
        ];
        let expected = BTreeMap::from([("primary".to_owned(), 5), ("secondary".to_owned(), 7)]);
        assert_eq!(requests_by_cluster(&metrics.concat()), expected);
    }

    #[test]
    fn a_cluster_is_named_with_its_context_and_its_ingress() {
        let cluster: KindCluster = "primary=kind-meridian-primary=172.18.255.50:80".parse().unwrap();
        assert_eq!((cluster.context.as_str(), cluster.ingress.port()), ("kind-meridian-primary", 80));
        assert!("primary=172.18.255.50:80".parse::<KindCluster>().is_err());
    }
}
