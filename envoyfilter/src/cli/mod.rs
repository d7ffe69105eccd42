//! The command line. Exit codes are part of the contract: 0 done, 1 something else failed, 2 wrong input, 3 the answer is a refusal.

mod explain;
mod render;
mod validate;

use crate::diagnostics::Diagnostics;
use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use std::process::ExitCode;

/// Routes each request to a region, survives losing it, and never leaves a fence: validates, explains and renders the policy.
#[derive(Debug, Parser)]
#[command(
    name = "meridian",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong input, 3 the request is refused."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How to answer.
    #[arg(long, global = true, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reports everything that is wrong with a policy file, with its place and what to write instead.
    Validate(validate::Arguments),
    /// Says where a request would go, and why.
    Explain(explain::Arguments),
    /// Writes configuration that enforces the policy.
    #[command(subcommand)]
    Render(render::Target),
}

/// How to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

const WRONG_INPUT: u8 = 2;

impl Cli {
    /// Runs the command, prints its answer, and says how it went.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Validate(arguments) => arguments.run(self.output),
            Command::Explain(arguments) => arguments.run(self.output),
            Command::Render(target) => target.run(self.output),
        };
        result.unwrap_or_else(|error| report(&error, self.output))
    }
}

/// Prints an error. Whatever a command could not do, it could not do because of what it was given.
fn report(error: &anyhow::Error, output: Output) -> ExitCode {
    match (error.downcast_ref::<Diagnostics>(), output) {
        (Some(diagnostics), Output::Text) => {
            eprint!("{diagnostics}");
            let errors = diagnostics.errors();
            eprintln!("{errors} error{} found", if errors == 1 { "" } else { "s" });
        }
        (Some(diagnostics), Output::Json) => println!("{}", serde_json::json!({"problems": diagnostics.entries()})),
        (None, Output::Text) => eprintln!("error: {error:#}"),
        (None, Output::Json) => println!("{}", serde_json::json!({"error": format!("{error:#}")})),
    }
    ExitCode::from(WRONG_INPUT)
}

/// Prints a value as JSON.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
