//! `meridian schema`.

use super::print_json;
use crate::schema::schema;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        print_json(&schema())?;
        Ok(ExitCode::SUCCESS)
    }
}
