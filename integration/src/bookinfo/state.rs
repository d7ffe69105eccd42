//! What an instance knows: who it is, what has reached it, and how it is to fail.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::{Fault, Service, Tally};
use crate::client::Pool;

/// Who an instance is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Which service it plays.
    pub service: Service,
    /// Which version of it, e.g. `v2`.
    pub version: String,
    /// Which cluster it runs in, e.g. `primary`.
    pub cluster: String,
}

/// The whole state of an instance.
#[derive(Debug)]
pub struct State {
    /// Who it is.
    pub identity: Identity,
    pub(super) outbound: Pool,
    tally: Tally,
    fault: Mutex<Fault>,
}

impl State {
    /// An instance whose calls go through `outbound`, its sidecar.
    #[must_use]
    pub fn new(identity: Identity, outbound: SocketAddr, tally: Tally) -> Self {
        Self { identity, outbound: Pool::new(outbound), tally, fault: Mutex::default() }
    }

    /// How many requests have reached it. Health checks and the control paths do not count.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.tally.seen()
    }

    /// Counts one, on arrival: a request that is then failed or abandoned was here all the same.
    pub(super) fn count(&self) -> Result<()> {
        self.tally.count()
    }

    pub(super) fn fault(&self) -> Fault {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_fault(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}
