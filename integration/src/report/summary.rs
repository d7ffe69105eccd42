//! The figures at the head of the page, and the sentence that says the same to a screen reader.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{buckets, palette::Palette, palette::Server, palette::name, units};
use crate::timeline::Run;

/// What a run comes to.
pub(super) struct Summary<'r> {
    /// Requests sent.
    pub(super) requests: usize,
    /// Those that did not succeed.
    pub(super) failed: usize,
    /// How long it was.
    pub(super) span: Duration,
    /// Requests that succeeded, per server.
    pub(super) served: BTreeMap<Server<'r>, usize>,
    latencies: Vec<Duration>,
}

impl<'r> Summary<'r> {
    /// The summary of `run`.
    pub(super) fn of(run: &'r Run) -> Self {
        let mut latencies: Vec<Duration> = run.samples.iter().map(|sample| sample.latency).collect();
        latencies.sort_unstable();
        let mut served = BTreeMap::new();
        for sample in run.samples.iter().filter(|sample| sample.succeeded()) {
            *served.entry(sample.served_by.as_deref()).or_default() += 1;
        }
        let failed = run.samples.iter().filter(|sample| !sample.succeeded()).count();
        Self { requests: run.samples.len(), failed, span: buckets::span(run), served, latencies }
    }

    /// The mean rate of the run.
    pub(super) fn rate(&self) -> f64 {
        let seconds = self.span.as_secs_f64();
        if seconds > 0.0 { self.requests as f64 / seconds } else { 0.0 }
    }

    /// A percentile over the whole run, in words.
    pub(super) fn percentile(&self, percent: usize) -> String {
        buckets::percentile(&self.latencies, percent).map_or_else(|| "none".into(), units::span)
    }

    /// The run in a sentence or two.
    pub(super) fn sentence(&self, palette: &Palette<'_>) -> String {
        let mut text = format!(
            "{} in {}, {} failed.",
            units::counted(self.requests, "request"),
            units::instant(self.span),
            units::count(self.failed)
        );
        for server in palette.servers() {
            let served = self.served.get(&server).copied().unwrap_or_default();
            let share = units::share(served, self.requests);
            text.push_str(&format!(" {} served {} ({share}).", name(server), units::count(served)));
        }
        text
    }
}
