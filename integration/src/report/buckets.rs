//! Samples counted per slice of time: what every chart and the table of figures are made from.
//!
//! A request belongs to the instant it was sent, so a slow one marks the moment that made it slow. Slices are equal but
//! for the last, which takes the remainder of the run (half a slice to one and a half): a sliver of a slice at the end
//! would show a rate that was never there. Each sample is in exactly one slice.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{decision::reason, palette::Server};
use crate::timeline::{Run, Sample};

/// What a sample without a decision, or without a reason in it, is counted as.
pub(super) const NO_REASON: &str = "not stated";

/// One slice of the run.
#[derive(Debug, Default)]
pub(super) struct Bucket<'r> {
    /// When it begins.
    pub(super) from: Duration,
    /// How long it is.
    pub(super) length: Duration,
    /// Requests that succeeded, per server.
    pub(super) served: BTreeMap<Server<'r>, usize>,
    /// Requests that did not.
    pub(super) failed: usize,
    /// Requests per decision reason.
    pub(super) reasons: BTreeMap<&'r str, usize>,
    /// Latencies of all of them, shortest first.
    latencies: Vec<Duration>,
}

impl Bucket<'_> {
    /// How many requests were sent in it.
    pub(super) fn requests(&self) -> usize {
        self.latencies.len()
    }

    /// `requests` of it as a rate.
    pub(super) fn per_second(&self, requests: usize) -> f64 {
        requests as f64 / self.length.as_secs_f64()
    }

    /// The latency that `percent` of its requests did not exceed; none if there were none.
    pub(super) fn percentile(&self, percent: usize) -> Option<Duration> {
        percentile(&self.latencies, percent)
    }
}

/// The nearest-rank percentile of sorted latencies: always one that was really measured.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// `run` in about `wanted` slices of a length that is easy to say.
pub(super) fn buckets(run: &Run, wanted: usize) -> Vec<Bucket<'_>> {
    let span = span(run);
    let length = slice(span, wanted);
    let number = (span.as_secs_f64() / length.as_secs_f64()).round().max(1.0) as usize;
    let start = |index: usize| length.saturating_mul(u32::try_from(index).unwrap_or(u32::MAX));
    let mut buckets: Vec<Bucket<'_>> =
        (0..number).map(|index| Bucket { from: start(index), length, ..Bucket::default() }).collect();
    if let Some(last) = buckets.last_mut() {
        // The last request has its share of time as well: the gap to the one that was not sent any more.
        let gap = span / u32::try_from(run.samples.len()).unwrap_or(u32::MAX).max(1);
        last.length = span.saturating_add(gap).saturating_sub(last.from).max(length / 2);
    }
    for sample in &run.samples {
        let index = (sample.at.as_secs_f64() / length.as_secs_f64()) as usize;
        if let Some(bucket) = buckets.get_mut(index.min(number - 1)) {
            add(bucket, sample);
        }
    }
    for bucket in &mut buckets {
        bucket.latencies.sort_unstable();
    }
    buckets
}

/// How long the run was: to its last request or event.
pub(super) fn span(run: &Run) -> Duration {
    let samples = run.samples.iter().map(|sample| sample.at);
    samples.chain(run.events.iter().map(|event| event.at)).max().unwrap_or_default()
}

fn add<'r>(bucket: &mut Bucket<'r>, sample: &'r Sample) {
    if sample.succeeded() {
        *bucket.served.entry(sample.served_by.as_deref()).or_default() += 1;
    } else {
        bucket.failed += 1;
    }
    let reason = sample.decision.as_deref().and_then(reason).unwrap_or(NO_REASON);
    *bucket.reasons.entry(reason).or_default() += 1;
    bucket.latencies.push(sample.latency);
}

/// The shortest easy length that cuts `span` into no more than `wanted` slices.
fn slice(span: Duration, wanted: usize) -> Duration {
    const EASY: [f64; 16] =
        [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
    let least = span.as_secs_f64() / wanted.max(1) as f64;
    let easy = EASY.into_iter().find(|length| *length >= least);
    Duration::from_secs_f64(easy.unwrap_or((least / 3600.0).ceil() * 3600.0))
}
