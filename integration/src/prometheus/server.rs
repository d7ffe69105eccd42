//! The server: its configuration, and what its API says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Tools;
use crate::client::Request;
use crate::net::Subnet;
use crate::paths::RunFolder;
use crate::process::Process;

const PORT: u16 = 9090;
const READY_WITHIN: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(5);
/// How often Envoys are scraped and rules evaluated.
const INTERVAL: &str = "250ms";
const LOOK: Duration = Duration::from_millis(50);

/// What an alert is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Its condition holds, not yet for long enough.
    Pending,
    /// Somebody would be told.
    Firing,
}

/// A Prometheus that is running; dropping it ends it.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    address: SocketAddr,
    _subnet: Subnet,
    _folder: RunFolder,
}

impl Prometheus {
    /// Starts one that evaluates `rules` over what the admins of these Envoys say.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(tools: &Tools, rules: &str, admins: &[SocketAddr]) -> Result<Self> {
        let (subnet, folder) = (Subnet::claim()?, RunFolder::create()?);
        let address = SocketAddr::from((subnet.address()?, PORT));
        let config = json!({
            "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
            "rule_files": ["meridian.rules.yaml"],
            "scrape_configs": [{
                "job_name": "envoy",
                "metrics_path": "/stats/prometheus",
                "static_configs": [{"targets": admins}],
            }],
        });
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).with_context(|| format!("{} cannot be written.", path.display()))
        };
        write("meridian.rules.yaml", rules)?;
        write("prometheus.yaml", &serde_json::to_string_pretty(&config)?)?;
        let arguments = [
            format!("--config.file={}", folder.path().join("prometheus.yaml").display()),
            format!("--storage.tsdb.path={}", folder.path().join("data").display()),
            format!("--web.listen-address={address}"),
            "--log.level=warn".to_owned(),
        ];
        let process = Process::start("prometheus", &tools.program("prometheus"), arguments, folder.path())?;
        let prometheus = Self { process, address, _subnet: subnet, _folder: folder };
        let ready = async || prometheus.get("/-/ready").await.is_ok();
        prometheus.process.ready(READY_WITHIN, ready).await?;
        Ok(prometheus)
    }

    /// The alerts that wait or fire, by name. One that is over is not among them.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn alerts(&self) -> Result<BTreeMap<String, State>> {
        let answer: Value = serde_json::from_str(&self.get("/api/v1/alerts").await?)?;
        let list = answer.pointer("/data/alerts").and_then(Value::as_array).context("Prometheus lists no alerts.")?;
        let mut alerts = BTreeMap::new();
        for alert in list {
            let name = alert.pointer("/labels/alertname").and_then(Value::as_str).context("An alert has no name.")?;
            let state = match alert.get("state").and_then(Value::as_str) {
                Some("firing") => State::Firing,
                _ => State::Pending,
            };
            let known = alerts.entry(name.to_owned()).or_insert(state);
            *known = state.max(*known);
        }
        Ok(alerts)
    }

    /// How many series a query finds now.
    ///
    /// # Errors
    /// When it does not answer, or does not understand the query.
    pub async fn count(&self, query: &str) -> Result<usize> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer: Value = serde_json::from_str(&self.get(&format!("/api/v1/query?query={encoded}")).await?)?;
        let series = answer.pointer("/data/result").and_then(Value::as_array);
        Ok(series.with_context(|| format!("Prometheus does not understand {query:?}."))?.len())
    }

    /// Looks again and again until `holds` says so of the alerts.
    ///
    /// # Errors
    /// When it does not within this time, with the alerts there are.
    pub async fn until(
        &self,
        what: &str,
        within: Duration,
        mut holds: impl FnMut(&BTreeMap<String, State>) -> bool,
    ) -> Result<()> {
        let begun = Instant::now();
        loop {
            let alerts = self.alerts().await?;
            if holds(&alerts) {
                return Ok(());
            }
            ensure!(begun.elapsed() < within, "not so after {within:?}: {what}; the alerts are {alerts:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn get(&self, path: &str) -> Result<String> {
        let answer = Request::get(path).patience(PATIENCE).send(self.address).await;
        let answer = answer.context("Prometheus does not answer.")?;
        ensure!(answer.status == 200, "Prometheus answered {}: {}", answer.status, answer.text().trim());
        Ok(answer.text())
    }
}
