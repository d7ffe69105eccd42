//! Where answers go: standard output, in colour if it is a terminal, and quietly nowhere if whoever read it has left.

use anyhow::{Context, Result};
use std::io::{ErrorKind, Write};

/// Prints an answer. A reader that went away (`| head`) is not an error.
pub(super) fn print(text: &str) -> Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("the answer cannot be written"),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints a value as JSON.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Prints a complaint to standard error.
pub(super) fn complain(text: &str) {
    // There is nobody left to tell that this failed.
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}
