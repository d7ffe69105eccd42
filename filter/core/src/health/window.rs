//! What a region did lately: requests and failures in one window.
//!
//! The window opens with the first failure, because until then nobody counts: a healthy region costs nothing. So the share of failures
//! is a little too high at first, which `requestVolume` makes up for.

use super::settings::FailurePercentage;
use crate::policy::Timestamp;
use std::time::Duration;

/// Requests and failures since `start`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: Timestamp,
    pub(super) requests: u32,
    pub(super) failures: u32,
}

impl Window {
    /// Counts, in a new window if the old one is over.
    pub(super) fn count(&mut self, requests: u32, failures: u32, now: Timestamp, length: Duration) {
        if self.start.is_never() || self.start.elapsed(now) >= length {
            *self = Self::default();
            if failures == 0 {
                return;
            }
            self.start = now;
        }
        self.requests = self.requests.saturating_add(requests);
        self.failures = self.failures.saturating_add(failures);
    }

    /// Whether enough requests failed.
    pub(super) fn exceeds(self, limit: FailurePercentage) -> bool {
        let (requests, failures) = (u64::from(self.requests), u64::from(self.failures));
        requests >= u64::from(limit.request_volume) && failures * 100 >= requests * u64::from(limit.threshold)
    }
}
