//! What gives proxies their certificates, where Istio's agent would.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Programs;
use crate::process::Process;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// An authority that serves; dropping it ends it.
#[derive(Debug)]
pub(super) struct Secrets {
    _process: Process,
    address: SocketAddr,
}

/// The line that it prints when it serves.
#[derive(Deserialize)]
struct Ready {
    sds: SocketAddr,
}

impl Secrets {
    pub(super) async fn start(programs: &Programs, logs: &Path) -> Result<Self> {
        let process = Process::start("secrets", &programs.path("sds"), [""; 0], logs)?;
        process.ready(READY_WITHIN, async || address(&process).is_some()).await?;
        let address = address(&process).context("What gives out certificates does not say where it listens.")?;
        Ok(Self { _process: process, address })
    }

    /// Where proxies ask.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn address(process: &Process) -> Option<SocketAddr> {
    process.log().lines().find_map(|line| serde_json::from_str::<Ready>(line).ok()).map(|ready| ready.sds)
}
