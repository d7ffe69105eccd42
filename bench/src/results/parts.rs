//! What the parts of a table and of a filter cost, each by itself.

use std::fmt::Write;

use super::spread;
use crate::arms::{Name, Situation, parts};
use crate::cpu::{Effort, Figures};

/// The table.
pub(super) fn section(figures: &Figures, effort: Effort) -> String {
    let Effort { rounds, slices, requests } = effort;
    let mut text = format!(
        "## What its parts cost\n\
         As above ({rounds} rounds of {slices} times {requests} requests): Meridian's native table, whole and without a part of it, and filters that do one\n\
         thing each, written out by hand in WebAssembly, in front of one route. So the difference of two rows is Envoy's price for one thing.\n\n\
         | arm | no region header: over plain, µs | region header: over plain, µs |\n|---|---|---|\n"
    );
    for name in [Name::Empty].into_iter().chain(parts()) {
        let columns =
            [Situation::Default, Situation::Pinned].map(|situation| spread(figures.addition(name, situation), 1));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} | {} |", name.title(), columns.join(" | "));
    }
    text
}
