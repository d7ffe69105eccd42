//! A timer among the events: queues of events time out in whole milliseconds, and requests are due in between.

use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// One alarm, set anew each time.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: TimerFd,
}

impl Alarm {
    /// An alarm that is not set; it is an event with this token.
    pub(super) fn new(registry: &Registry, token: Token) -> Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC);
        let timer = timer.context("The kernel gives no timer.")?;
        registry.register(&mut SourceFd(&timer.as_fd().as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { timer })
    }

    /// Goes off then; at once if that is over.
    pub(super) fn set(&self, at: Instant) -> Result<()> {
        // A time of zero would switch it off.
        let left = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let once = Expiration::OneShot(TimeSpec::from_duration(left));
        self.timer.set(once, TimerSetTimeFlags::empty()).context("The alarm cannot be set.")
    }
}
