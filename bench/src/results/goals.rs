//! What was aimed at, and whether it is met.

use std::fmt::Write;

/// The goals so far.
#[derive(Debug, Default)]
pub(super) struct Goals {
    rows: String,
}

impl Goals {
    /// One more: what is aimed at, of which requests, whether it is met, and what is.
    pub(super) fn add(&mut self, goal: &str, request: &str, met: bool, is: &str) {
        let word = if met { "met" } else { "**missed**" };
        // Writing to a string cannot fail.
        let _ = writeln!(self.rows, "| {goal} | {request} | {is} | {word} |");
    }

    /// The table.
    pub(super) fn section(&self) -> String {
        format!(
            "## Goals\nAdditions are what a filter adds to the plain listener's CPU time of the same request.\n\n\
             | goal | request | is | |\n|---|---|---|---|\n{}",
            self.rows
        )
    }
}
