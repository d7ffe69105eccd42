//! The same outage against other ways to route by region.
//!
//! A figure of one's own proves little. So each of the [arms](Arm) stands in front of a mesh of its own, of real Envoys and counted
//! applications, with the same timeouts, retries and numbers of ejection; the same open-loop requests come; the same region is lost in the
//! same [way](Way) and comes back. What the clients had and what reached the services is [measured](Row) from what was recorded, by pure
//! functions, and judged by [goals](Goal) that were set before. A goal that is missed is printed as missed.

mod arm;
mod goal;
mod measure;
mod page;
mod peer;
mod place;
mod play;
mod series;
mod way;

pub use arm::Arm;
pub use goal::{Goal, goals};
pub use measure::{Moments, Row, Story};
pub use page::Page;
pub use place::Place;
pub use play::{Times, play};
pub use series::series;
pub use way::Way;

/// The region that is lost, which is the one that the ingress is in.
pub(crate) const LOST: &str = "us-sanjose-1";
/// The region that is left.
pub(crate) const SURVIVOR: &str = "us-chicago-1";
/// What the first tags its answers with.
pub(crate) const LOST_TAG: &str = "PRIMARY (San Jose)";
/// What the other tags its answers with.
pub(crate) const SURVIVOR_TAG: &str = "SECONDARY (Chicago)";
/// The host whose requests may be served anywhere.
pub(crate) const OPEN: &str = "bookinfo.example.com";
/// The host whose requests may be served in [`LOST`] alone.
pub(crate) const FENCED: &str = "residents.example.com";
