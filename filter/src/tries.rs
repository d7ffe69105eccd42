//! Requests that try a region which is half open.
//!
//! Each holds the region's token, which its response gives back or makes use of. A client that goes away says nothing about the region,
//! and nobody tells the filter that it went, so the tick asks the host whether the stream is still there.

use crate::abi;
use meridian_core::health::CellKey;
use std::cell::RefCell;

/// Who tries what, on this worker.
#[derive(Default)]
pub(crate) struct Tries(RefCell<Vec<(u32, CellKey)>>);

impl Tries {
    /// A stream tries a region.
    pub(crate) fn begin(&self, stream: u32, key: CellKey) {
        self.0.borrow_mut().push((stream, key));
    }

    /// It was answered.
    pub(crate) fn end(&self, stream: u32) {
        self.0.borrow_mut().retain(|(other, _)| *other != stream);
    }

    /// What was tried by streams that are gone. The calls that follow act for one of the others, until they are told whom to act for.
    pub(crate) fn take_abandoned(&self) -> Vec<CellKey> {
        let mut abandoned = Vec::new();
        self.0.borrow_mut().retain(|(stream, key)| {
            let lives = abi::act_for(*stream).is_ok();
            if !lives {
                abandoned.push(*key);
            }
            lives
        });
        abandoned
    }
}
