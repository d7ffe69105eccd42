//! What a filter costs that serves nobody: time to be configured and memory, for each worker.
//!
//! An Envoy of its own for each arm, once with one worker and once with more: what the further workers have is what a worker has, and what
//! one of them ran until Envoy was ready is its VM and its configuration. The plain listener's are taken off, so that it is the arm's.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use integration::envoy::EnvoyVersion;

use crate::arms::Name;
use crate::stage::Stage;
use crate::statistics::Spread;
use crate::worker::Worker;

/// With how many workers the second Envoy is started.
const WORKERS: u32 = 4;
/// Envoys of each kind.
const ROUNDS: u32 = 3;
/// Enough that what is allocated at the first requests is there.
const REQUESTS: u64 = 2_000;

/// Of one arm, with the plain listener's still in it.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    /// What a worker ran until Envoy was ready, in milliseconds.
    pub configured: f64,
    /// Resident memory of a further worker, in KiB.
    pub resident: f64,
    /// Linear memory of a VM, in KiB; none without a filter.
    pub linear: Option<f64>,
}

impl Footprint {
    /// Measures one.
    ///
    /// # Errors
    /// When an Envoy does not start.
    pub async fn of(version: &EnvoyVersion, name: Name) -> Result<Self> {
        let (mut configured, mut resident, mut linear) = (Vec::new(), Vec::new(), None);
        for _ in 0..ROUNDS {
            let one = Self::start(version, name, 1).await?;
            let more = Self::start(version, name, WORKERS).await?;
            configured.extend(one.0.into_iter().chain(more.0).map(|ran| ran.as_secs_f64() * 1e3));
            resident.push((more.1 - one.1) / f64::from(WORKERS - 1));
            linear = more.2;
        }
        let median = |values| Spread::of(values).map(|spread| spread.median).context("Nothing was measured.");
        Ok(Self { configured: median(configured)?, resident: median(resident)?, linear })
    }

    /// What each worker ran, what the Envoy has resident, and the largest linear memory, both in KiB.
    async fn start(version: &EnvoyVersion, name: Name, workers: u32) -> Result<(Vec<Duration>, f64, Option<f64>)> {
        let stage = Stage::with_workers(version, &[name], workers).await?;
        let ran = stage.workers().iter().map(Worker::ran).collect::<Result<Vec<_>>>()?;
        stage.ask(REQUESTS).await?;
        let process = stage.envoy().process().pid().context("The Envoy is gone.")?;
        let status =
            fs::read_to_string(format!("/proc/{process}/status")).context("Its memory cannot be looked at.")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        #[allow(clippy::cast_precision_loss)]
        let linear = stage.envoy().wasm_memories()?.into_iter().max().map(|bytes| bytes as f64 / 1024.0);
        Ok((ran, resident.context("The kernel does not tell the resident memory.")?, linear))
    }
}
