//! The same questions, put to real Istio: its own control plane over pods on this machine.
//!
//! [`mesh`](crate::mesh) writes Envoy's configuration itself, so it proves what our renderer says and not what istiod would make of our
//! manifests. Here istiod decides: [`ControlPlane`] is Istio's code (`integration/istio`) over a folder of Kubernetes objects and Istio
//! resources, a [`Gateway`] is a stock Envoy that asks it for everything over ADS, and [`Pods`] are Bookinfo's applications under their
//! own addresses, which the objects name. What a stock Envoy lacks is switched off in the control plane and listed there; what needs the
//! kernel to redirect traffic is not here: pods have no sidecars, so an application tags its own answers.
//!
//! Go is needed to build the control plane. Where it cannot be had, [`Programs::get`] says so, and a test says that it was skipped.

mod bootstrap;
mod control_plane;
mod gateway;
mod inventory;
mod kubernetes;
mod manifests;
mod mesh;
mod pods;
mod programs;
mod recording;

pub use control_plane::ControlPlane;
pub use gateway::{Gateway, GatewayBuilder};
pub use inventory::{Inventory, Place};
pub use manifests::Manifests;
pub use mesh::{Edge, Mesh};
pub use pods::Pods;
pub use programs::{Finding, Programs};
pub use recording::Recording;
