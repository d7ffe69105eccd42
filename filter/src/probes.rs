//! Probes on their way out and back: the core says which, the host sends them, and what comes back is judged by the core.

use crate::abi::{self, Failed, Map};
use crate::engine::Engine;
use crate::facts;
use crate::shared_data::SharedData;
use meridian_core::health::ProbeResult;
use meridian_core::probe::{Probe, Prober, result};
use meridian_core::{Policy, Timestamp};
use std::cell::{Cell, RefCell};

/// What a probe calls itself, so that a service can tell it from a client.
const USER_AGENT: &str = concat!("meridian-probe/", env!("CARGO_PKG_VERSION"));

/// This worker's part in the probes.
pub(crate) struct Probes {
    prober: RefCell<Prober>,
    /// Where the lease is: beside the health that its holder's results are for.
    lease: String,
    /// A cluster that is not there was told of: once is enough.
    told: Cell<bool>,
}

impl Probes {
    /// For a policy whose health is shared under `health`.
    pub(crate) fn new(policy: &Policy, health: &str, now: Timestamp) -> Self {
        Self {
            prober: RefCell::new(Prober::new(policy, now)),
            lease: [health, "/probes"].concat(),
            told: Cell::new(false),
        }
    }
}

impl Engine {
    /// Sends what is due, if this worker is the one that asks.
    pub(crate) fn send_probes(&self, now: Timestamp) {
        let store = SharedData { key: &self.probes.lease, metrics: &self.metrics };
        let due = self.probes.prober.borrow_mut().tick(&self.policy, &store, now);
        for index in due {
            if let Some(probe) = self.policy.probes().get(index) {
                self.send_probe(index, probe, now);
            }
        }
    }

    fn send_probe(&self, index: usize, probe: &Probe, now: Timestamp) {
        let Some(service) = self.policy.service(probe.key.service) else { return };
        let (Some(path), Some(cluster)) = (&service.probe, self.policy.probe_cluster(probe)) else { return };
        let headers = [
            (":method", "GET"),
            (":path", path.as_str()),
            (":authority", service.probe_authority()),
            ("user-agent", USER_AGENT),
        ];
        match abi::call(&cluster, &headers, self.policy.health().active_health_check.timeout) {
            Ok(token) => self.probes.prober.borrow_mut().sent(index, token, now),
            // Envoy knows nobody there, which is an answer.
            Err(Failed::INTERNAL_FAILURE) => self.record_probe(probe.key, ProbeResult::Unreachable, now),
            // A plan that this Envoy does not have says nothing about the region.
            failed @ Err(_) => {
                self.metrics.checked("http_call", failed);
                if !self.probes.told.replace(true) {
                    log::warn!("a probe was not sent: is there a cluster {cluster}?");
                }
            }
        }
    }

    /// A probe came back, with headers or without an answer.
    pub(crate) fn probe_answered(&self, token: u32, answered: bool) {
        let Some(index) = self.probes.prober.borrow_mut().answered(token) else { return };
        let Some(probe) = self.policy.probes().get(index) else { return };
        let headers = match answered.then(|| self.metrics.checked("get_headers", abi::headers(Map::CallResponse))) {
            // What was answered is not known, so nothing is.
            Some(None) => return,
            headers => headers.flatten(),
        };
        let answer = headers.as_ref().map(|headers| facts::answer(headers, &self.policy).response);
        self.record_probe(probe.key, result(&self.policy, probe, answer.as_ref()), self.now());
    }
}
