//! When each probe is sent.
//!
//! Probes are spread over the interval, so that a hundred of them are a trickle and not a burst every three seconds. At a tick those that
//! are due are sent, a bounded number of them, and none whose last one is still under way. A clock that jumped, or a worker that was
//! held up for longer than an interval, begins anew, spread out again.

use super::millis;
use crate::policy::Timestamp;
use std::time::Duration;

/// More are not sent at one tick, of which there are several a second; the others wait for the next one.
const AT_ONCE: usize = 64;

/// When each of a number of probes is sent next, and which are under way.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// In milliseconds, as all times are here.
    interval: u64,
    /// One that has not come back by then never will.
    patience: u64,
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    due: u64,
    under_way: Option<Flight>,
}

/// A probe under way: the host's number for it, and since when.
#[derive(Clone, Copy, Debug)]
struct Flight {
    token: u32,
    since: u64,
}

impl Schedule {
    /// For so many probes.
    #[must_use]
    pub fn new(probes: usize, interval: Duration, timeout: Duration) -> Self {
        let patience = millis(interval).saturating_add(millis(timeout));
        Self { interval: millis(interval), patience, slots: vec![Slot::default(); probes] }
    }

    /// Spreads the probes over the interval from `now` on.
    pub fn begin(&mut self, now: Timestamp) {
        let count = u64::try_from(self.slots.len()).unwrap_or(u64::MAX);
        for (index, slot) in (0_u64..).zip(&mut self.slots) {
            slot.due = now.0.saturating_add(self.interval.saturating_mul(index) / count.max(1));
        }
    }

    /// The probes to send now, by index. Each has to be [sent](Schedule::sent), or is left out until its next time.
    pub fn due(&mut self, now: Timestamp) -> Vec<usize> {
        let (interval, patience) = (self.interval, self.patience);
        let is_off = |slot: &Slot| slot.due.abs_diff(now.0) > interval;
        if self.slots.iter().any(is_off) {
            self.begin(now);
        }
        let is_due = |slot: &Slot| {
            slot.due <= now.0 && slot.under_way.is_none_or(|flight| now.0.saturating_sub(flight.since) >= patience)
        };
        let due = self.slots.iter_mut().enumerate().filter(|(_, slot)| is_due(slot)).take(AT_ONCE);
        let sent = due.map(|(index, slot)| {
            *slot = Slot { due: slot.due.saturating_add(interval), under_way: None };
            index
        });
        sent.collect()
    }

    /// The host has sent it, and will tell the answer under this number.
    pub fn sent(&mut self, index: usize, token: u32, now: Timestamp) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.under_way = Some(Flight { token, since: now.0 });
        }
    }

    /// The probe that is answered under a number, if it is one that is waited for.
    pub fn answered(&mut self, token: u32) -> Option<usize> {
        let is_it = |slot: &Slot| slot.under_way.is_some_and(|flight| flight.token == token);
        let index = self.slots.iter().position(is_it)?;
        self.slots.get_mut(index)?.under_way = None;
        Some(index)
    }
}
