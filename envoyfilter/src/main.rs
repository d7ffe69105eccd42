//! The `meridian` command.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    meridian::cli::Cli::parse().run()
}
