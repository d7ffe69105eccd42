//! Puts rendered manifests into every cluster of a mesh, and takes them out again.
//!
//! A mesh has no transaction over its clusters, so safety is in the order. A route that names a subset is a 503 wherever the subset is
//! missing, and the east-west gateway of *each* cluster needs it as well: so subsets go everywhere first, and nothing follows until
//! every cluster and every east-west gateway has them. A route may trust only what a client cannot set, so what takes that out comes before
//! the routes. The filter only moves requests between routes that exist, so it comes after the
//! routes; what refuses requests comes last, when nothing goes the old way any more. Going back is the same way backwards.
//!
//! Every step may be repeated: it applies what is declared, and what stood there before is kept in the cluster (`before`), so that
//! going back does not depend on whoever went forward. Nothing here is cleverer than `kubectl`, which does all of the work.

mod before;
mod documents;
mod forward;
mod interrupt;
mod journal;
mod kubectl;
mod module;
mod pods;
mod preflight;
mod rollback;
mod stage;

use anyhow::{Result, ensure};
use std::path::PathBuf;
use std::time::Duration;

use documents::Documents;
pub(crate) use documents::OURS;
use interrupt::Interrupt;
pub use journal::Outcome;
use journal::{Journal, Stop};
use kubectl::Kubectl;

/// Which way to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the clusters.
    Install,
    /// Out of them.
    Rollback,
}

/// A cluster, in the manifests and in `kubectl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name in the policy: the folder of its manifests.
    pub cluster: String,
    /// Its context.
    pub context: String,
}

/// What to do, and where.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which way.
    pub direction: Direction,
    /// The clusters of the mesh.
    pub clusters: Vec<Place>,
    /// The folder of the rendered manifests.
    pub manifests: PathBuf,
    /// Ask, print, change nothing.
    pub dry_run: bool,
    /// Take over fields that somebody else has set; what stood there is kept for the way back.
    pub take_over: bool,
    /// The longest wait for each thing that is waited for.
    pub timeout: Duration,
    /// The east-west gateways, as `namespace/labels`, or as labels alone in any namespace; empty where there are none to ask.
    pub gateways: String,
    /// How long the mesh may take to follow a change that nobody confirms.
    pub settle: Duration,
    /// Print a line for each step as it is done.
    pub narrate: bool,
}

/// A cluster, and what it gets.
struct Member {
    cluster: Kubectl,
    documents: Documents,
}

/// What every step needs.
struct Run<'o> {
    order: &'o Order,
    members: Vec<Member>,
    journal: Journal,
    interrupt: Interrupt,
}

/// Carries out an order.
///
/// # Errors
/// If the order cannot be understood: no context, one twice, manifests that cannot be read. What fails later is in the outcome.
pub fn carry_out(order: &Order) -> Result<Outcome> {
    ensure!(!order.clusters.is_empty(), "no cluster is named: give one --context for each cluster of the mesh");
    for (index, Place { cluster, context }) in order.clusters.iter().enumerate() {
        let again = |other: &Place| other.context == *context || other.cluster == *cluster;
        ensure!(!order.clusters.iter().skip(index + 1).any(again), "--context {context} is given twice");
    }
    let member = |Place { cluster, context }: &Place| {
        Ok(Member { cluster: Kubectl::new(context), documents: Documents::read(&order.manifests, cluster)? })
    };
    let mut run = Run {
        order,
        members: order.clusters.iter().map(member).collect::<Result<_>>()?,
        journal: Journal::new(order.narrate),
        interrupt: Interrupt::listen()?,
    };
    let end = match order.direction {
        Direction::Install => forward::install(&mut run),
        Direction::Rollback => rollback::roll_back(&mut run),
    };
    Ok(run.journal.close(end.err()))
}

impl Run<'_> {
    /// Between two steps: whether to go on.
    fn go_on(&self) -> Result<(), Stop> {
        if self.interrupt.came() { Err(Stop::Interrupted) } else { Ok(()) }
    }
}
