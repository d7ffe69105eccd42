//! The store that all workers of an Envoy share: a key of the host's shared data.

use crate::abi::{self, Failed};
use crate::doorbell;
use crate::metrics::Metrics;
use meridian_core::worker::{Read, Store, Version, Written};

/// One value under one key.
pub(crate) struct SharedData<'a> {
    pub(crate) key: &'a str,
    pub(crate) metrics: &'a Metrics,
}

impl Store for SharedData<'_> {
    fn read(&self) -> Read {
        match self.metrics.checked("get_shared_data", abi::shared(self.key)) {
            Some(Some((bytes, cas))) => Read::Value(bytes, Version(cas)),
            Some(None) => Read::Nothing,
            None => Read::Failed,
        }
    }

    fn write(&self, value: &[u8], since: Version) -> Written {
        match abi::set_shared(self.key, value, since.0) {
            Ok(()) => Written::Done,
            Err(Failed::CAS_MISMATCH) => Written::Raced,
            failed => {
                self.metrics.checked("set_shared_data", failed);
                Written::Failed
            }
        }
    }
    fn ring(&self) {
        doorbell::ring(self.metrics);
    }
}
