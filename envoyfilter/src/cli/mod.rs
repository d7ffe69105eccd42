//! The command line. Exit codes are part of the contract: 0 done, 1 something was found, 2 wrong input, 3 the answer is a refusal.

mod completions;
mod explain;
mod install;
mod lint;
mod print;
mod render;
mod schema;
mod test;
mod validate;

use crate::diagnostics::Diagnostics;
use crate::install::Direction;
use crate::palette::COLOURED;
use clap::{Parser, Subcommand, ValueEnum};
use print::{complain, print, print_json};
use std::process::ExitCode;

/// Routes each request to a region, survives losing it, and never leaves a fence: validates, explains and renders the policy.
#[derive(Debug, Parser)]
#[command(
    name = "meridian",
    version,
    after_help = "Exit codes: 0 done, 1 something was found, 2 wrong input, 3 the request is refused. Each command's --help says more."
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
    #[command(after_help = "Exit codes: 0 the file is a policy, 2 it is not.")]
    Validate(validate::Arguments),
    /// Says where a request would go, and why.
    #[command(after_help = "Exit codes: 0 a decision, 2 wrong input, 3 the request is refused.")]
    Explain(explain::Arguments),
    /// Writes configuration that enforces the policy.
    #[command(subcommand, after_help = "Exit codes: 0 written, 2 wrong input.")]
    Render(render::Target),
    /// Runs a policy's own tests.
    #[command(after_help = "Exit codes: 0 all passed, 1 some failed, 2 wrong input.")]
    Test(test::Arguments),
    /// Finds what breaks a fence or a plan in the manifests around a policy.
    #[command(after_help = "Exit codes: 0 nothing found, 1 findings, 2 wrong input.")]
    Lint(lint::Arguments),
    /// Prints the JSON Schema of a policy file, for editors and pipelines.
    #[command(after_help = "Exit codes: 0 done.\n\n\
        In a policy file: # yaml-language-server: $schema=policy.schema.json")]
    Schema(schema::Arguments),
    /// Puts rendered manifests into every cluster of a mesh, in the order that hurts nobody.
    #[command(after_help = "Exit codes: 0 done, 1 a step failed, 2 wrong input, 130 stopped by Ctrl-C.")]
    Install(install::Arguments),
    /// Takes them out again, in the reverse order, and puts back what was there.
    #[command(after_help = "Exit codes: 0 done, 1 a step failed, 2 wrong input, 130 stopped by Ctrl-C.")]
    Rollback(install::Arguments),
    /// Writes a script that completes this command's words in a shell.
    #[command(after_help = "Exit codes: 0 done, 2 an unknown shell.")]
    Completions(completions::Arguments),
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
            Command::Test(arguments) => arguments.run(self.output),
            Command::Lint(arguments) => arguments.run(self.output),
            Command::Schema(arguments) => arguments.run(),
            Command::Install(arguments) => arguments.run(Direction::Install, self.output),
            Command::Rollback(arguments) => arguments.run(Direction::Rollback, self.output),
            Command::Completions(arguments) => arguments.run(),
        };
        result.unwrap_or_else(|error| report(&error, self.output))
    }
}

/// Prints an error. Whatever a command could not do, it could not do because of what it was given.
fn report(error: &anyhow::Error, output: Output) -> ExitCode {
    let bad = COLOURED.bad;
    let printed = match (error.downcast_ref::<Diagnostics>(), output) {
        (Some(diagnostics), Output::Text) => {
            let errors = diagnostics.errors();
            let plural = if errors == 1 { "" } else { "s" };
            complain(&format!("{}{errors} error{plural} found\n", diagnostics.text(&COLOURED)));
            Ok(())
        }
        (None, Output::Text) => {
            complain(&format!("{bad}error{bad:#}: {error:#}\n"));
            Ok(())
        }
        (Some(diagnostics), Output::Json) => {
            print_json(&serde_json::json!({"file": diagnostics.file(), "problems": diagnostics.entries()}))
        }
        (None, Output::Json) => print_json(&serde_json::json!({"error": format!("{error:#}")})),
    };
    if let Err(error) = printed {
        complain(&format!("{error:#}\n"));
    }
    ExitCode::from(WRONG_INPUT)
}
