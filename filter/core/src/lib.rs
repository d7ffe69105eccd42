//! Meridian's policy: which region serves a request, and why.
//!
//! Everything here is a function of its arguments. A policy document is [compiled](compile) once into a [`Policy`] that cannot be
//! wrong; [`decide`](decide::decide) turns the policy, the health of the regions, the facts of one request and the time into a
//! [`Decision`](decide::Decision); [`judge`](judge::judge) turns the facts of its response into what is learned from it. The crate
//! knows no host, no clock, no I/O and no global, so that the filter in Envoy, the command line and the tests run the very same code
//! and get the very same answer. Facts go in, decisions come out, and whoever called applies them.

#![forbid(unsafe_code)]

mod claim;
mod config;
pub mod decide;
mod decision_header;
mod drill;
mod explain;
mod fnv;
mod habit;
mod header_map;
mod header_names;
pub mod health;
mod hosts;
mod ids;
mod index;
pub mod judge;
mod names;
pub mod native;
mod plan;
mod policy;
pub mod probe;
mod region;
pub mod request;
mod rule;
mod series;
pub mod shadow;
pub mod worker;

pub use claim::{ClaimMatch, Claims};
pub use config::{LocalHints, Problem, Severity, UnknownKeys, compile};
pub use decision_header::{DecisionRecord, add_delivery, decision_header};
pub use drill::{Drill, Drilled};
pub use explain::{Explain, ExplainKey};
pub use habit::Habit;
pub use header_map::HeaderMap;
pub use header_names::HeaderNames;
pub use health::OutlierDetection;
pub use ids::{RegionId, RuleId, ScopeId, ServiceId};
pub use plan::{Plan, Scope};
pub use policy::{Asked, Destination, OnMismatch, Policy, Role, Service, Stage, Table, Timestamp, VirtualHost};
pub use region::Region;
pub use rule::{Applies, HeaderMatch, Method, OnUnknownRegion, Rescue, Rule, RuleMatch, Split, WhenExhausted};
pub use series::series;

#[cfg(test)]
mod testing;
