//! How a program of the harness ends when it could not do what it was asked: one plain sentence and exit code 1.
//!
//! Returning the error from `main` would print it as a debugging aid, with a stack trace wherever one is switched on.

use std::process::ExitCode;

use anyhow::Result;

/// The exit code of a result; an error is said first.
pub fn ended(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
