//! The filter: asks Envoy for facts, applies what the core decides.
//!
//! Everything worth testing lives in `meridian-core`; this crate is the thin shell around it. The SDK gives the life cycle (contexts,
//! callbacks, the logger); the calls into the host go through `abi`, because the SDK's own trap on any status they do not expect, and
//! a trap takes the whole worker's VM with it. Each host call that fails is counted, and the request goes on as the native table has
//! it: the native table is the fence, so the filter may always do nothing.

// The SDK's macro makes the module's entry point, and documents nothing.
#![allow(missing_docs)]

mod abi;
mod doorbell;
mod engine;
mod facts;
mod metrics;
mod probes;
mod root;
mod shared_data;
mod stream;
mod waiting;

use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}
