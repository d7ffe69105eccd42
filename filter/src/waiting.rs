//! Requests that wait for an answer.
//!
//! A frozen region fails no request until a timeout ends it, and while nobody answers there is no callback in which to notice. So each
//! stream leaves its number when it begins, and takes it back when it is answered or gone. The tick looks for those that have waited for
//! half of `stallTimeout`, asks the host on their behalf where they were sent, and reports a region when as many wait for it as
//! would be errors in a row. One that has waited for thrice as long has been told of, and would be held against a region that is back in
//! use. Whether it is ejected is the core's business: one answer from there and it is not.

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

/// Who waits, on this worker.
#[derive(Default)]
pub(crate) struct Waiting {
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<u32>>,
    ticks: Cell<u32>,
}

/// A stream by the host's number, and the tick in which it began; 0: nobody.
#[derive(Clone, Copy, Default)]
struct Slot {
    stream: u32,
    since: u32,
}

impl Waiting {
    /// A stream begins to wait. Its place, to be given back.
    pub(crate) fn begin(&self, stream: u32) -> u32 {
        let slot = Slot { stream, since: self.ticks.get() };
        let mut slots = self.slots.borrow_mut();
        let place = self.free.borrow_mut().pop().unwrap_or_else(|| u32::try_from(slots.len()).unwrap_or(u32::MAX));
        match slots.get_mut(place as usize) {
            Some(at) => *at = slot,
            None => slots.push(slot),
        }
        place
    }

    /// It was answered, or is gone.
    pub(crate) fn end(&self, place: u32) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(place as usize) {
            *slot = Slot::default();
            self.free.borrow_mut().push(place);
        }
    }

    /// Time passes.
    pub(crate) fn tick(&self) {
        self.ticks.set(self.ticks.get().wrapping_add(1));
    }

    /// Where requests wait that should have been answered by now. `root` is the context to return to.
    pub(crate) fn stalled(&self, root: u32, policy: &Policy, metrics: &Metrics) -> Vec<CellKey> {
        let settings = policy.outlier_detection();
        let patience = (settings.stall_timeout / 2).as_millis().div_ceil(TICK.as_millis());
        let enough = usize::try_from(settings.consecutive_gateway_errors.max(1)).unwrap_or(usize::MAX);
        let (slots, ticks) = (self.slots.borrow(), self.ticks.get());
        let late = |slot: &&Slot| {
            let waited = u128::from(ticks.wrapping_sub(slot.since));
            slot.stream != 0 && waited > patience && waited <= patience * 3
        };
        if slots.iter().filter(late).count() < enough {
            return Vec::new();
        }
        let mut by_region: Vec<(CellKey, usize)> = Vec::new();
        for slot in slots.iter().filter(late).take(ASKED.max(enough)) {
            // A stream that the host does not know any more is not waiting.
            if abi::act_for(slot.stream).is_err() {
                continue;
            }
            let Some((service, plan)) = facts::planned(policy, metrics) else { continue };
            let key = CellKey { service, region: plan.first };
            match by_region.iter_mut().find(|(at, _)| *at == key) {
                Some((_, count)) => *count += 1,
                None => by_region.push((key, 1)),
            }
        }
        metrics.checked("set_effective_context", abi::act_for(root));
        by_region.into_iter().filter(|(_, count)| *count >= enough).map(|(key, _)| key).collect()
    }
}
