//! How the news of one worker reaches the others of its gateway: by a message in a queue of each, which Envoy delivers to whoever
//! registered the queue last, if it has not ended since.
//!
//! Every second gateway has a bell that works; the others lose messages, deliver them late, twice and in any order. The core promises
//! that this costs no more than the time to the next tick.

use crate::draw::Draw;
use std::collections::BTreeMap;

/// A bell that works is heard within this.
pub(crate) const SOON: u64 = 2;

/// A VM of a worker: its number among all of them, and the worker's.
type Listener = (usize, u32);

/// The queues of one gateway, by their numbers.
#[derive(Debug)]
pub(crate) struct Bell {
    works: bool,
    listeners: BTreeMap<u32, Listener>,
    draw: Draw,
}

impl Bell {
    pub(crate) fn new(works: bool, draw: Draw) -> Self {
        Self { works, listeners: BTreeMap::new(), draw }
    }

    pub(crate) fn works(&self) -> bool {
        self.works
    }

    /// Registers the queue of a slot.
    pub(crate) fn register(&mut self, slot: usize, listener: Listener) -> u32 {
        let queue = slot as u32 + 1;
        self.listeners.insert(queue, listener);
        queue
    }

    /// Who gets what is in a queue.
    pub(crate) fn listener(&self, queue: u32) -> Option<Listener> {
        self.listeners.get(&queue).copied()
    }

    /// After how many milliseconds a message arrives, as often as it does.
    pub(crate) fn arrivals(&mut self) -> Vec<u64> {
        if self.works {
            return vec![self.draw.between(0, SOON)];
        }
        match self.draw.between(1, 10) {
            1..=4 => Vec::new(),
            5..=7 => vec![self.draw.between(0, 3_000)],
            _ => vec![self.draw.between(0, 3_000), self.draw.between(0, 3_000)],
        }
    }
}
