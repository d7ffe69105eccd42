//! A run as one page for a person, and its checks as one table for a terminal.
//!
//! A claim such as "no request failed" is believed when it can be looked at: the second the region died, the second
//! the traffic moved, and every request that paid for it, by name. So [`html`] draws a [`Run`] as a single file that
//! needs no network, no script and no viewer, and can be attached to a mail. It judges nothing: the checks were made
//! where the knowledge is, and the page shows them next to the requests they were made from.
//!
//! Three rules hold everywhere here. Every string of the run is hostile until `escape` has seen it, because header
//! values are drawn. A region has one colour on the whole page (`palette`), and red is nothing but failure. Whatever
//! is drawn is also a table (`tables`), for those who cannot see the drawing and those who do not trust it.

mod buckets;
mod chart;
mod decision;
mod escape;
#[cfg(test)]
mod fixture;
mod page;
mod palette;
mod summary;
mod tables;
mod terminal;
#[cfg(test)]
mod tests;
mod units;

pub use page::html;
pub use terminal::table;

#[cfg(doc)]
use crate::timeline::Run;
