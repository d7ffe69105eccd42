//! What was done, step by step and cluster by cluster, and how it ended.

use serde::Serialize;
use std::io::Write as _;

/// One step in one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The step, e.g. `routes`.
    pub step: &'static str,
    /// The context of the cluster.
    pub context: String,
    /// What was done or, in a dry run, what would be.
    pub did: String,
    /// Whether the cluster is different for it.
    pub changed: bool,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The step.
    pub step: &'static str,
    /// The context of the cluster; none for what is not about one.
    pub context: Option<String>,
    /// What went wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Everything that was done.
    pub steps: Vec<Entry>,
    /// Why it ended early, if it failed.
    pub failure: Option<Failure>,
    /// Whether it ended early because somebody asked.
    pub interrupted: bool,
}

impl Outcome {
    /// The steps that have changed a cluster, as `step (context, context)`.
    #[must_use]
    pub fn changed(&self) -> Vec<String> {
        let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
        for entry in self.steps.iter().filter(|entry| entry.changed) {
            match steps.iter_mut().find(|(step, _)| *step == entry.step) {
                Some((_, contexts)) => contexts.push(&entry.context),
                None => steps.push((entry.step, vec![&entry.context])),
            }
        }
        steps.into_iter().map(|(step, contexts)| format!("{step} ({})", contexts.join(", "))).collect()
    }
}

/// Why a run does not go on.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// Somebody asked.
    Interrupted,
    /// Something failed: what, and what to do.
    Failed { context: Option<String>, what: String, remedy: String },
}

impl Stop {
    /// A failure that is not about one cluster.
    pub(super) fn failed(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Failed { context: None, what: what.into(), remedy: remedy.into() }
    }

    /// A failure in a cluster.
    pub(super) fn failed_in(context: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Failed { context: Some(context.to_owned()), what: what.into(), remedy: remedy.into() }
    }
}

/// The record of a run.
#[derive(Debug)]
pub(super) struct Journal {
    narrate: bool,
    step: &'static str,
    entries: Vec<Entry>,
}

impl Journal {
    /// Nothing yet. Whether to print a line as each step is done.
    pub(super) fn new(narrate: bool) -> Self {
        Self { narrate, step: "preflight", entries: Vec::new() }
    }

    /// What follows belongs to this step.
    pub(super) fn begin(&mut self, step: &'static str) {
        self.step = step;
    }

    /// Something that changed nothing: looked at, waited for, or only planned.
    pub(super) fn saw(&mut self, context: &str, did: impl Into<String>) {
        self.note(context, did.into(), false);
    }

    /// Something that changed a cluster.
    pub(super) fn changed(&mut self, context: &str, did: impl Into<String>) {
        self.note(context, did.into(), true);
    }

    fn note(&mut self, context: &str, did: String, changed: bool) {
        if self.narrate {
            // A reader that has gone must not end an installation half way.
            let _ = writeln!(std::io::stdout(), "{:<9} {context}: {did}", self.step);
        }
        self.entries.push(Entry { step: self.step, context: context.to_owned(), did, changed });
    }

    /// The end.
    pub(super) fn close(self, stop: Option<Stop>) -> Outcome {
        let step = self.step;
        let interrupted = matches!(stop, Some(Stop::Interrupted));
        let failure = match stop {
            Some(Stop::Failed { context, what, remedy }) => Some(Failure { step, context, what, remedy }),
            Some(Stop::Interrupted) | None => None,
        };
        Outcome { steps: self.entries, failure, interrupted }
    }
}
