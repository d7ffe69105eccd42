//! What a region did lately: requests and failures in one window.
//!
//! The window opens with the first failure, because until then nobody counts: a healthy region costs nothing. So the share of failures
//! is a little too high at first, which `requestVolume` makes up for. Whether another region fails alike is asked at any moment, also when
//! its own window has just begun or is over: so what the window before it held is kept for as long again.

use super::settings::FailurePercentage;
use crate::policy::Timestamp;
use std::time::Duration;

/// Requests and failures since `start`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: Timestamp,
    pub(super) now: Counts,
    /// Those of the window before this one.
    pub(super) before: Counts,
}

/// What was counted in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) requests: u32,
    pub(super) failures: u32,
}

impl Counts {
    fn add(&mut self, requests: u32, failures: u32) {
        self.requests = self.requests.saturating_add(requests);
        self.failures = self.failures.saturating_add(failures);
    }

    /// Whether so many percent failed, and there were some.
    fn fail(self, percent: u64) -> bool {
        self.failures > 0 && u64::from(self.failures) * 100 >= u64::from(self.requests) * percent
    }
}

impl Window {
    /// Counts, in a new window if the old one is over.
    pub(super) fn count(&mut self, requests: u32, failures: u32, now: Timestamp, length: Duration) {
        if self.is_over(now, length) {
            match (failures, self.is_forgotten(now, length)) {
                (0, false) => return,
                (0, true) => {
                    *self = Self::default();
                    return;
                }
                (_, false) => *self = Self { start: now, now: Counts::default(), before: self.now },
                (_, true) => *self = Self { start: now, ..Self::default() },
            }
        }
        self.now.add(requests, failures);
    }

    /// Whether enough requests failed.
    pub(super) fn exceeds(self, limit: FailurePercentage) -> bool {
        self.now.requests >= limit.request_volume && self.now.fail(u64::from(limit.threshold))
    }

    /// Whether lately about as many requests failed, however few there were: three quarters of the limit, because two regions that fail
    /// alike are not at the same share at every moment.
    pub(super) fn nears(self, limit: FailurePercentage, now: Timestamp, length: Duration) -> bool {
        if self.is_forgotten(now, length) {
            return false;
        }
        let mut counts = self.now;
        if !self.is_over(now, length) {
            counts.add(self.before.requests, self.before.failures);
        }
        counts.fail(u64::from(limit.threshold) * 3 / 4)
    }

    /// Whether nothing hangs on it any more.
    pub(super) fn is_forgotten(self, now: Timestamp, length: Duration) -> bool {
        self.is_over(now, length.saturating_mul(2))
    }

    fn is_over(self, now: Timestamp, length: Duration) -> bool {
        self.start.is_never() || self.start.elapsed(now) >= length
    }
}
