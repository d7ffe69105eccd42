//! The application of the mesh: Istio's Bookinfo, played by one small program.
//!
//! Productpage asks details and reviews, reviews v2 and v3 ask ratings, each through its own sidecar, so that a page is
//! made by real calls across real Envoys. Two things are here that the original lacks and a proof needs: each instance
//! counts exactly what reached it ([`Tally`]), which is how a request outside its fence is found
//! whatever headers claim, and each can be told to fail in the ways applications fail ([`Fault`]). It is HTTP/1.1 on one
//! thread, answers what it is asked and has no shutdown: the signal that ends it ends it at once, as a lost pod does.

mod answer;
mod fault;
mod page;
mod server;
mod service;
mod state;
mod tally;

pub use fault::Fault;
pub use server::{listen, serve};
pub use service::Service;
pub use state::{Identity, State};
pub use tally::Tally;
