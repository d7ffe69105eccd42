//! Two regions on this machine, one of them lost under load.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use integration::demo::{Options, play};
use integration::plainly;

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    plainly::ended(run().await)
}

async fn run() -> Result<ExitCode> {
    Ok(match play(&Options::parse()).await? {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => ExitCode::from(INTERRUPTED),
    })
}
