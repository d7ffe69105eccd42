//! What can be asked of the demo on the command line.

use std::path::PathBuf;

use clap::Parser;

use crate::envoy::EnvoyVersion;

/// Two regions on this machine, one of them lost under load: three proofs, a table and a page.
#[derive(Clone, Debug, Parser)]
#[command(name = "demo")]
pub struct Options {
    /// Leave the mesh running at the end, until Ctrl-C, and say how to use it.
    #[arg(long)]
    pub keep: bool,
    /// The port of 127.0.0.1 that the ingress listens on; otherwise the first from 8080 that is free.
    #[arg(long)]
    pub port: Option<u16>,
    /// The version of Envoy, e.g. 1.36.4; otherwise the newest that Meridian is tested on.
    #[arg(long)]
    pub envoy: Option<String>,
    /// Requests per second during the outage.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(30..=5000))]
    pub rate: u32,
    /// Worker threads of the ingress.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub workers: u32,
    /// Where to write the report; otherwise target/demo/report.html.
    #[arg(long)]
    pub report: Option<PathBuf>,
}

impl Options {
    /// The Envoy to use.
    ///
    /// # Errors
    /// When none was chosen and none is pinned.
    pub fn version(&self) -> anyhow::Result<EnvoyVersion> {
        self.envoy.as_deref().map_or_else(EnvoyVersion::newest, |version| Ok(EnvoyVersion::new(version)))
    }
}
