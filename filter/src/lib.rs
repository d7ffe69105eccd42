//! The filter: asks Envoy for facts, applies what the core decides.
//!
//! Everything worth testing lives in `meridian-core`; this crate is the thin shell around it, without an SDK: `abi` is the border to the
//! host in both directions, `vm` finds the configuration that a callback is for, `stream` is a request and its response. Each host call
//! that fails is counted, and the request goes on as the native table has it: the native table is the fence, so the filter may always do
//! nothing.

mod abi;
mod configuration;
mod doorbell;
mod engine;
mod facts;
mod logger;
mod metrics;
mod probes;
mod shared_data;
mod stream;
mod trails;
mod tries;
mod vm;
mod waiting;
