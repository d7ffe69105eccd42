//! What the audience reads while it happens: one line for a step, before the step takes its time, and what came of it.

use std::io::Write as _;
use std::time::Duration;

use crate::timeline::{Check, EventKind};

/// Tells the run to a terminal.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Narrator;

impl Narrator {
    /// A part of the demo begins.
    pub(super) fn part(&self, title: &str) {
        self.say(&format!("\n{title}"));
    }

    /// Something is about to be done.
    pub(super) fn step(&self, text: &str) {
        self.say(&format!("  · {text}"));
    }

    /// Something happened, `after` the latest thing that was done to the mesh.
    pub(super) fn event(&self, kind: EventKind, label: &str, after: Option<Duration>) {
        let mark = match kind {
            EventKind::Stopped => '■',
            EventKind::Returned => '□',
            EventKind::Ejected => '▼',
            EventKind::Readmitted => '▲',
            EventKind::Note => '◆',
        };
        let after = after.map(|after| format!(" (+{:.2} s)", after.as_secs_f64())).unwrap_or_default();
        self.say(&format!("  {mark} {label}{after}"));
    }

    /// Something was checked.
    pub(super) fn check(&self, check: &Check) {
        self.finding(check.passed, &format!("{}: {}", check.name, check.seen));
    }

    /// What was found, and whether it is as it should be.
    pub(super) fn finding(&self, passed: bool, text: &str) {
        let mark = if passed { '✓' } else { '✗' };
        self.say(&format!("  {mark} {text}"));
    }

    /// A line as it is.
    pub(super) fn say(&self, line: &str) {
        // A closed pipe ends the telling, not the demo.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}
