//! The store that the workers of one Envoy share. Only one of them runs at a time here, so lost races are drawn: as the core sees it,
//! somebody else was faster.

use crate::draw::Draw;
use meridian_core::worker::{Read, Store, Version, Written};
use std::cell::{Cell, RefCell};

/// One in so many writes, in percent, loses a race.
const RACES: u64 = 5;

/// Envoy's shared data, for one value.
pub(crate) struct Shared {
    value: RefCell<Vec<u8>>,
    version: Cell<Option<u32>>,
    rung: Cell<bool>,
    draw: RefCell<Draw>,
}

impl Shared {
    pub(crate) fn new(draw: Draw) -> Self {
        Self { value: RefCell::default(), version: Cell::new(None), rung: Cell::new(false), draw: RefCell::new(draw) }
    }

    /// Whether somebody rang since this was asked last.
    pub(crate) fn was_rung(&self) -> bool {
        self.rung.take()
    }
}

impl Store for Shared {
    fn read(&self) -> Read {
        self.version.get().map_or(Read::Nothing, |version| Read::Value(self.value.borrow().clone(), Version(version)))
    }

    fn write(&self, value: &[u8], since: Version) -> Written {
        let version = self.version.get();
        if version.map_or(Version::FIRST, Version) != since || self.draw.borrow_mut().chance(RACES) {
            return Written::Raced;
        }
        *self.value.borrow_mut() = value.to_vec();
        self.version.set(Some(version.map_or(0, |version| version + 1)));
        Written::Done
    }

    fn ring(&self) {
        self.rung.set(true);
    }
}
