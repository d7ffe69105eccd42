//! The one axis of a run.
//!
//! Requests are recorded by the load, faults by whoever causes them, ejections by whoever reads them off an Envoy. They
//! can be put in one picture only if all of them mean the same zero, so a run makes one clock and copies it around.

use std::time::{Duration, Instant};

/// Measures from the start of a run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// The run starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// How long it has been.
    #[must_use]
    pub fn now(self) -> Duration {
        self.start.elapsed()
    }

    /// The instant at an offset.
    #[must_use]
    pub fn at(self, offset: Duration) -> Instant {
        self.start + offset
    }
}
