//! Two regions on this machine, one of them lost under load.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use integration::demo::{Options, play};

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    Ok(match play(&Options::parse()).await? {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => ExitCode::from(INTERRUPTED),
    })
}
