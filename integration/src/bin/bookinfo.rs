//! One instance of one Bookinfo service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use integration::bookinfo::{self, Identity, Service, State, Tally};
use integration::plainly;

/// Play one instance of a Bookinfo service.
#[derive(Parser)]
struct Arguments {
    /// Which service to play.
    #[arg(long)]
    service: Service,
    /// Which version of it.
    #[arg(long, default_value = "v1")]
    version: String,
    /// Which cluster to say that it runs in.
    #[arg(long)]
    cluster: String,
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// Where its own calls go: its sidecar.
    #[arg(long)]
    outbound: SocketAddr,
    /// The file to keep the count of requests in; without it the count ends with the process.
    #[arg(long)]
    tally: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    plainly::ended(run().await)
}

async fn run() -> Result<ExitCode> {
    let Arguments { service, version, cluster, listen, outbound, tally } = Arguments::parse();
    let tally = tally.map_or_else(|| Ok(Tally::default()), |path| Tally::in_file(&path))?;
    let listener = bookinfo::listen(listen).await?;
    bookinfo::serve(listener, State::new(Identity { service, version, cluster }, outbound, tally)).await;
    Ok(ExitCode::SUCCESS)
}
