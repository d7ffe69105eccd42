//! The Envoy with all arms, the upstreams and whoever asks them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use integration::envoy::{Envoy, EnvoyVersion};
use integration::net::{Subnet, port};
use integration::paths::{self, RunFolder};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::arms::{Cell, Listener, Name, Region, Surroundings};
use crate::wire::{Pace, Wire};
use crate::worker::Worker;

/// As many connections as keep a worker busy.
pub const CONNECTIONS: usize = 16;
/// How long a region may take to be found lost.
const LOST_WITHIN: Duration = Duration::from_secs(30);

/// Everything that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Stage {
    envoy: Envoy,
    wire: Wire,
    workers: Vec<Worker>,
    listeners: Vec<Listener>,
    _subnet: Subnet,
    _folder: RunFolder,
}

impl Stage {
    /// Starts it, with an Envoy of this version and with these arms, and loses the regions that are to be lost.
    ///
    /// # Errors
    /// When something does not start, or a region is not found lost.
    pub async fn start(version: &EnvoyVersion, names: &[Name]) -> Result<Self> {
        let stage = Self::with_workers(version, names, 1).await?;
        stage.worker()?.part_from(stage.wire.thread())?;
        stage.lose_regions().await?;
        Ok(stage)
    }

    /// Starts it with so many workers, on any processor, and loses nothing yet.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn with_workers(version: &EnvoyVersion, names: &[Name], workers: u32) -> Result<Self> {
        let (subnet, folder) = (Subnet::claim()?, RunFolder::create()?);
        let ip = subnet.address()?;
        let around = Surroundings {
            ip,
            module: paths::module()?,
            empty: empty_filter().await?,
            folder: folder.path().to_owned(),
        };
        let listeners = Listener::of(names, &around)?;
        let upstreams = Region::ALL.map(|region| (around.upstream(region), region.answer()));
        let wire = Wire::start(upstreams.to_vec())?;
        let admin = SocketAddr::from((ip, port::ADMIN));
        let (binary, bootstrap) = (version.binary().await?, bootstrap(ip, &listeners));
        let envoy = Envoy::launch("bench", &binary, &bootstrap, admin, workers, folder.path())?;
        envoy.ready().await?;
        let workers = Worker::all(envoy.process().pid().context("The Envoy is gone.")?, workers)?;
        Ok(Self { envoy, wire, workers, listeners, _subnet: subnet, _folder: folder })
    }

    /// Every figure that can be measured.
    #[must_use]
    pub fn cells(&self) -> Vec<Cell> {
        self.listeners.iter().flat_map(Listener::cells).collect()
    }

    /// The Envoy.
    #[must_use]
    pub fn envoy(&self) -> &Envoy {
        &self.envoy
    }

    /// Whoever asks.
    #[must_use]
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Envoy's worker, or the first of several.
    ///
    /// # Errors
    /// When it has none, which cannot be.
    pub fn worker(&self) -> Result<&Worker> {
        self.workers.first().context("The Envoy has no worker.")
    }

    /// Envoy's workers.
    #[must_use]
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Asks the first arm so often.
    ///
    /// # Errors
    /// When an answer is wrong.
    pub async fn ask(&self, requests: u64) -> Result<()> {
        let cell = self.cells().into_iter().next().context("There is no arm.")?;
        let pace = Pace::Closed { connections: CONNECTIONS };
        self.wire.send(&cell.traffic, pace, requests).await?.all_right().map(drop)
    }

    /// Asks a cell once.
    ///
    /// # Errors
    /// When the answer is not what the arm should give.
    pub async fn check(&self, cell: &Cell) -> Result<()> {
        let tally = self.wire.send(&cell.traffic, Pace::Closed { connections: 1 }, 3).await?;
        let about = || format!("`{}`, {}", cell.name.title(), cell.situation.title());
        tally.all_right().map(drop).with_context(about)
    }

    /// Asks for what is not there until each filter has taken it out.
    async fn lose_regions(&self) -> Result<()> {
        for listener in self.listeners.iter().filter(|listener| listener.lost) {
            let (cell, begun) = (listener.cells().next().context("An arm has no figure.")?, Instant::now());
            let word = format!(" {}: ejected service=", listener.id);
            while !self.envoy.log().contains(&word) {
                let _ = self.wire.send(&cell.traffic, Pace::Closed { connections: 1 }, 10).await?;
                if begun.elapsed() > LOST_WITHIN {
                    bail!(
                        "`{}` has not found its region lost. Its last lines:\n{}",
                        listener.id,
                        self.envoy.process().last_lines()
                    );
                }
            }
        }
        Ok(())
    }
}

fn bootstrap(ip: Ipv4Addr, listeners: &[Listener]) -> Value {
    let parts = || listeners.iter().map(Listener::parts);
    json!({
        "node": {"id": "bench", "cluster": "bench", "metadata": {"CLUSTER_ID": "west"}},
        "admin": {"address": {"socket_address": {"address": ip, "port_value": port::ADMIN}}},
        "static_resources": {
            "listeners": parts().map(|(listener, _)| listener).collect::<Vec<_>>(),
            "clusters": parts().flat_map(|(_, clusters)| clusters).collect::<Vec<_>>(),
        },
    })
}

/// The filter that does nothing, built if it is not there or has changed.
///
/// # Errors
/// When it cannot be built.
pub async fn empty_filter() -> Result<PathBuf> {
    let script = paths::workspace().join("integration/setup/empty-filter.sh");
    let mut command = Command::new(&script);
    let built = command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).output().await;
    let built = built.with_context(|| format!("{} cannot be run.", script.display()))?;
    let said = String::from_utf8_lossy(&built.stderr);
    ensure!(built.status.success(), "The empty filter could not be built:\n{}", said.trim());
    Ok(paths::workspace().join("target/empty-filter.wasm"))
}
