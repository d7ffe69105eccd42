//! The harness: a real mesh of Envoys, sidecars and small applications on one machine, and the means to hurt it.
//!
//! A simulator proves arithmetic; it cannot prove what Envoy does with a frozen socket, a refused connection or a module
//! that died. So this crate starts the real binaries with the real module, gives every pod its own loopback address as
//! pods have their own, sends a steady stream of requests and counts, at the applications themselves, who served what.
//! [`mesh`] is the topology, [`load`] the traffic, [`timeline`] what a run leaves behind; everything else serves these.

pub mod apiserver;
pub mod bookinfo;
pub mod client;
pub mod clock;
pub mod demo;
pub mod envoy;
pub mod front;
pub mod interrupt;
pub mod istio;
pub mod load;
pub mod mesh;
pub mod net;
pub mod paths;
pub mod plainly;
pub mod process;
pub mod prometheus;
pub mod report;
pub mod timeline;
pub mod verify;
