//! Requests that wait for an answer.
//!
//! A frozen region fails no request until a timeout ends it, and while nobody answers there is no callback in which to notice. So each
//! stream leaves its number when it begins, and takes it back when it is answered. The tick looks for those that have waited for half of
//! `stallTimeout`, asks the host on their behalf where they were sent, and reports a region when as many wait for it as would be errors
//! in a row. One that has waited for thrice as long has been told of, and would be held against a region that is back in use. Whether it
//! is ejected is the core's business: one answer from there and it is not.
//!
//! Numbers are kept in a ring, each in the place that follows from it. Where so many are open at once that they take each other's
//! places, those that are left are still a fair share of all.

use crate::abi;
use crate::facts;
use crate::metrics::Metrics;
use meridian_core::Policy;
use meridian_core::health::CellKey;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// From one tick to the next.
pub(crate) const TICK: Duration = Duration::from_millis(250);
/// So many of the longest waiting are asked about, about a microsecond each.
const ASKED: usize = 64;

/// Places in the ring, of eight bytes.
const PLACES: usize = 8192;

/// Who waits, on this worker.
#[derive(Default)]
pub(crate) struct Waiting {
    slots: RefCell<Vec<Slot>>,
    ticks: Cell<u32>,
}

/// A stream by the host's number, and the tick in which it began; 0: nobody.
#[derive(Clone, Copy, Default)]
struct Slot {
    stream: u32,
    since: u32,
}

fn place(stream: u32) -> usize {
    stream as usize % PLACES
}

impl Waiting {
    /// A stream begins to wait.
    pub(crate) fn begin(&self, stream: u32) {
        let mut slots = self.slots.borrow_mut();
        if slots.is_empty() {
            slots.resize(PLACES, Slot::default());
        }
        if let Some(slot) = slots.get_mut(place(stream)) {
            *slot = Slot { stream, since: self.ticks.get() };
        }
    }

    /// It was answered.
    pub(crate) fn end(&self, stream: u32) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(place(stream))
            && slot.stream == stream
        {
            *slot = Slot::default();
        }
    }

    /// Time passes.
    pub(crate) fn tick(&self) {
        self.ticks.set(self.ticks.get().wrapping_add(1));
    }

    /// Where requests wait that should have been answered by now. The calls that follow act for one of them, until they are told whom to
    /// act for.
    pub(crate) fn stalled(&self, policy: &Policy, metrics: &Metrics) -> Vec<CellKey> {
        let settings = policy.outlier_detection();
        let patience = (settings.stall_timeout / 2).as_millis().div_ceil(TICK.as_millis());
        let enough = usize::try_from(settings.consecutive_gateway_errors.max(1)).unwrap_or(usize::MAX);
        let (mut slots, ticks) = (self.slots.borrow_mut(), self.ticks.get());
        let late = |slot: &Slot| {
            let waited = u128::from(ticks.wrapping_sub(slot.since));
            slot.stream != 0 && waited > patience && waited <= patience * 3
        };
        if slots.iter().filter(|slot| late(slot)).count() < enough {
            return Vec::new();
        }
        let mut by_region: Vec<(CellKey, usize)> = Vec::new();
        for slot in slots.iter_mut().filter(|slot| late(slot)).take(ASKED.max(enough)) {
            // A stream that the host does not know any more is not waiting.
            if abi::act_for(slot.stream).is_err() {
                *slot = Slot::default();
                continue;
            }
            let Some((service, plan)) = facts::planned(policy, metrics) else { continue };
            let key = CellKey { service, region: plan.first };
            match by_region.iter_mut().find(|(at, _)| *at == key) {
                Some((_, count)) => *count += 1,
                None => by_region.push((key, 1)),
            }
        }
        by_region.into_iter().filter(|(_, count)| *count >= enough).map(|(key, _)| key).collect()
    }
}
