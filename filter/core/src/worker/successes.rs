//! Successes that can wait.
//!
//! While a region is watched, its successes count: they are what failures are a share of. But writing each one to the store that all
//! workers share would make every request of a watched region pay for it. So a worker keeps them until there are some, until it has
//! something else to write, or until the next tick.

use crate::health::CellKey;
use std::cell::RefCell;

/// From so many on they are written.
const ENOUGH: u32 = 16;
/// More cells than this are not kept apart; what is over is written one by one.
const CELLS: usize = 64;

/// Counts by cell.
#[derive(Debug, Default)]
pub(super) struct Successes {
    counts: RefCell<Vec<(CellKey, u32)>>,
}

impl Successes {
    /// Keeps one; `true`: it should be written now, and is not kept.
    pub(super) fn add(&self, key: CellKey) -> bool {
        let mut counts = self.counts.borrow_mut();
        if let Some((_, count)) = counts.iter_mut().find(|(at, _)| *at == key) {
            *count += 1;
            let enough = *count >= ENOUGH;
            if enough {
                *count -= 1;
            }
            return enough;
        }
        if counts.len() >= CELLS {
            return true;
        }
        counts.push((key, 1));
        false
    }

    /// Hands every count over; they are kept until [`Successes::clear`], because a write may have to be tried again.
    pub(super) fn flush(&self, mut each: impl FnMut(CellKey, u32)) {
        self.counts.borrow().iter().for_each(|(key, count)| each(*key, *count));
    }

    /// They are written.
    pub(super) fn clear(&self) {
        self.counts.borrow_mut().clear();
    }
}
