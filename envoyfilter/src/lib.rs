//! What a mesh admin applies, and the `meridian` command that makes and checks it.
//!
//! The policy itself (what it means, how it decides) lives in `meridian-core`, which the filter shares. This crate reads a policy file
//! for people ([`policy_file`]), answers questions about it ([`explain`]) and writes the configuration that enforces it natively
//! ([`render`]), through types that mirror Envoy's own messages ([`envoy`]) so that a field name cannot be misspelt.

pub mod cli;
pub mod clock;
pub mod diagnostics;
pub mod document;
pub mod envoy;
pub mod explain;
pub mod install;
pub mod istio;
pub mod limits;
pub mod lint;
pub mod palette;
pub mod policy_file;
pub mod policy_test;
pub mod render;
pub mod request_line;
pub mod schema;
pub mod site;
mod yaml;
