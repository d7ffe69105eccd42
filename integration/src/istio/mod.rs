//! The same questions, put to real Istio: its own control plane over pods on this machine.
//!
//! [`mesh`](crate::mesh) writes Envoy's configuration itself, so it proves what our renderer says and not what istiod would make of our
//! manifests. Here istiod decides: [`ControlPlane`] is Istio's code (`integration/istio`) over a folder of Kubernetes objects and Istio
//! resources, a [`Proxy`] is a stock Envoy that asks it for everything over ADS (a gateway, or a sidecar), and [`Pods`] are Bookinfo's applications under their
//! own addresses, which the objects name. What a stock Envoy lacks is switched off in the control plane and listed there; nothing
//! redirects traffic: a sidecar listens where applications are told to call, which Istio knows as the interception mode `NONE`. Where pods
//! have none, an application tags its own answers. In a mesh of several networks proxies get certificates and speak mutual TLS, and an
//! east-west gateway is the only way in.
//!
//! Go is needed to build the control plane. Where it cannot be had, [`Programs::get`] says so, and a test says that it was skipped.

mod bootstrap;
mod control_plane;
mod identity;
mod inventory;
mod kubernetes;
mod manifests;
mod mesh;
mod pods;
mod programs;
mod proxy;
mod recording;
mod secrets;
mod site;

pub use control_plane::ControlPlane;
pub use identity::Role;
pub use inventory::{Inventory, Place};
pub use manifests::Manifests;
pub use mesh::{Edge, Mesh, SETTINGS};
pub use pods::{Pods, VERSION};
pub use programs::{Finding, Programs};
pub use proxy::Proxy;
pub use recording::Recording;
pub use site::{Site, Wanted};
