//! What a play shows, as figures. Nothing here has a clock or a mesh.

use std::time::Duration;

use integration::timeline::Sample;

use super::{LOST, LOST_TAG, SURVIVOR_TAG};

const SECOND: Duration = Duration::from_secs(1);
/// Seconds are looked at this far apart, wherever they begin.
const STEP: Duration = Duration::from_millis(100);
/// What takes longer has been somewhere else first.
const PROMPT: Duration = Duration::from_millis(500);
/// So much of the traffic back is all of it: with a few requests in flight nobody has every one.
const ALL: f64 = 0.95;
/// All of it for so long is back to stay.
const STAYS: Duration = Duration::from_secs(3);

/// When what happened, on the clock of the samples.
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    /// The region begins to be lost.
    pub lost: Duration,
    /// It begins to be given back.
    pub given_back: Duration,
    /// It serves.
    pub serves: Duration,
}

/// What a play leaves behind.
#[derive(Clone, Debug)]
pub struct Story {
    /// When what happened.
    pub moments: Moments,
    /// The requests that may be served anywhere, in the order they were due.
    pub open: Vec<Sample>,
    /// How many were sent that may not leave the fence.
    pub fenced: usize,
    /// How many of those reached a service outside.
    pub outside: u64,
    /// How many of the open ones reached the survivor's service between loss and return.
    pub at_survivor: u64,
}

/// A line of the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Of all requests while all was well: the share that was served where it asked to be.
    pub as_asked: f64,
    /// Open requests that failed, from the loss to the end.
    pub failed: usize,
    /// Open requests sent in that time.
    pub sent: usize,
    /// Fenced requests that reached a service outside the fence.
    pub outside: u64,
    /// All fenced requests.
    pub fenced: usize,
    /// Open requests that got their answer late, from the loss to the end.
    pub late: usize,
    /// From the loss until a whole second of requests for the lost region was served elsewhere, promptly and without failure.
    pub to_move: Option<Duration>,
    /// What 99 of 100 requests for the lost region waited at most while it was lost.
    pub p99: Duration,
    /// Requests that reached the survivor while the region was lost, for each that was sent.
    pub survivor_load: f64,
    /// From the moment the region serves until the first whole second with all of its traffic.
    pub to_return: Option<Duration>,
    /// The largest change from one second to the next of the share of its requests that the returning region serves.
    pub jump: f64,
}

impl Row {
    /// Measures a play.
    #[must_use]
    pub fn of(story: &Story) -> Self {
        let Moments { lost, given_back, serves } = story.moments;
        let end = story.open.last().map_or(given_back, |sample| sample.at);
        let sent_in = |from, to| story.open.iter().filter(move |sample| sample.at >= from && sample.at < to);
        let since = |from| story.open.iter().filter(move |sample| sample.at >= from);
        let wants = || story.open.iter().filter(|sample| sample.kind == LOST);
        let of_outage: Vec<_> = wants().filter(|sample| sample.at >= lost && sample.at < given_back).collect();
        let after: Vec<_> = wants().filter(|sample| sample.at + SECOND >= given_back).collect();
        let share = |from: Duration| share(&after, from);
        Self {
            as_asked: ratio(
                sent_in(Duration::ZERO, lost).filter(|sample| as_asked(sample)).count(),
                sent_in(Duration::ZERO, lost).count(),
            ),
            failed: since(lost).filter(|sample| !sample.succeeded()).count(),
            sent: since(lost).count(),
            outside: story.outside,
            fenced: story.fenced,
            late: since(lost).filter(|sample| sample.succeeded() && sample.latency >= PROMPT).count(),
            to_move: seconds(lost, given_back).find(|from| moved(&of_outage, *from)).map(|from| from - lost),
            p99: percentile(of_outage.iter().map(|sample| sample.latency).collect(), 99),
            survivor_load: ratio(
                usize::try_from(story.at_survivor).unwrap_or(usize::MAX),
                sent_in(lost, given_back).count(),
            ),
            to_return: seconds(given_back, end)
                .find(|from| share(*from) >= ALL)
                .map(|from| from.saturating_sub(serves)),
            jump: seconds(given_back.saturating_sub(SECOND), end.saturating_sub(SECOND))
                .map(|from| share(from + SECOND) - share(from))
                .fold(0.0, f64::max),
        }
    }
}

/// Whether the lost region has had all of its requests for a while; `now` is on the clock of the samples.
pub(super) fn is_back(samples: &[Sample], now: Duration) -> bool {
    let from = now.saturating_sub(STAYS + SECOND);
    let wants = samples.iter().filter(|sample| sample.kind == LOST && sample.at >= from);
    let latest: Vec<_> = wants.filter(|sample| sample.at + SECOND <= now).collect();
    !latest.is_empty() && latest.iter().all(|sample| served_by(sample, LOST_TAG))
}

/// The beginnings of all whole seconds between two moments.
fn seconds(from: Duration, to: Duration) -> impl Iterator<Item = Duration> {
    (0..).map(move |step| from + STEP * step).take_while(move |start| *start + SECOND <= to)
}

fn within<'a>(samples: &'a [&'a Sample], from: Duration) -> impl Iterator<Item = &'a Sample> {
    samples.iter().copied().filter(move |sample| sample.at >= from && sample.at < from + SECOND)
}

/// The share of the requests of a second that the lost region served.
fn share(samples: &[&Sample], from: Duration) -> f64 {
    ratio(within(samples, from).filter(|sample| served_by(sample, LOST_TAG)).count(), within(samples, from).count())
}

fn moved(samples: &[&Sample], from: Duration) -> bool {
    let mut sent = within(samples, from).peekable();
    sent.peek().is_some() && sent.all(|sample| served_by(sample, SURVIVOR_TAG) && sample.latency < PROMPT)
}

fn as_asked(sample: &Sample) -> bool {
    served_by(sample, if sample.kind == LOST { LOST_TAG } else { SURVIVOR_TAG })
}

fn served_by(sample: &Sample, tag: &str) -> bool {
    sample.succeeded() && sample.served_by.as_deref() == Some(tag)
}

#[allow(clippy::cast_precision_loss, reason = "counts of a minute's requests")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn percentile(mut all: Vec<Duration>, percent: usize) -> Duration {
    all.sort();
    let index = (all.len() * percent).div_ceil(100).saturating_sub(1);
    all.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
