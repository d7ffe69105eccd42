//! Health that all workers of an Envoy share.
//!
//! The truth is one value in the host's shared store, changed by compare-and-set; every worker keeps a copy. While all is well nobody
//! reads the store: a worker learns that something is wrong by its own first error, which it records in the store and so sees everybody
//! else's, or by the next tick, whichever comes first. While a region is ejected it reads the store for every request. So a
//! lost region costs `consecutiveGatewayErrors` requests in all and at most one more per worker, and a healthy one costs nothing.

use crate::abi::{self, Failed};
use crate::metrics::Metrics;
use meridian_core::health::Health;
use std::cell::{Cell, Ref, RefCell};

/// A compare-and-set that loses this often in a row gives up and keeps its change to itself.
const TRIES: u32 = 16;

/// A worker's view of the shared health.
pub(crate) struct SharedHealth {
    key: String,
    copy: RefCell<Health>,
    /// The change the copy was read at; 0 before the first.
    read_at: Cell<u32>,
}

impl SharedHealth {
    /// Health under a key that says what its ids mean.
    pub(crate) fn new(layout: u64) -> Self {
        Self { key: format!("meridian/health/{layout:016x}"), copy: RefCell::default(), read_at: Cell::new(0) }
    }

    /// This worker's copy.
    pub(crate) fn view(&self) -> Ref<'_, Health> {
        self.copy.borrow()
    }

    /// Brings the copy up to date.
    pub(crate) fn refresh(&self, metrics: &Metrics) {
        if let Some(Some((bytes, cas))) = metrics.checked("get_shared_data", abi::shared(&self.key))
            && cas != self.read_at.get()
        {
            self.copy.replace(Health::from_bytes(&bytes).unwrap_or_default());
            self.read_at.set(cas);
        }
    }

    /// Changes the shared health. `change` may run several times, each time on fresher health; its last answer is returned.
    pub(crate) fn update<T>(&self, metrics: &Metrics, mut change: impl FnMut(&mut Health) -> T) -> T {
        for _ in 0..TRIES {
            let Some(found) = metrics.checked("get_shared_data", abi::shared(&self.key)) else { break };
            // A key that is not there yet can be made by anybody but only once: no real change has this number.
            let (mut health, cas) = match found {
                Some((bytes, cas)) => (Health::from_bytes(&bytes).unwrap_or_default(), cas),
                None => (Health::default(), u32::MAX),
            };
            let before = health.clone();
            let answer = change(&mut health);
            let stored = if health == before { Ok(()) } else { abi::set_shared(&self.key, &health.to_bytes(), cas) };
            match stored {
                Ok(()) => {
                    self.copy.replace(health);
                    self.read_at.set(0);
                    return answer;
                }
                Err(Failed::CAS_MISMATCH) => {}
                failed => {
                    metrics.checked("set_shared_data", failed);
                    break;
                }
            }
        }
        change(&mut self.copy.borrow_mut())
    }
}
