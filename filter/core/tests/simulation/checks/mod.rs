//! What must hold in every story, each claim in a file of its own, with why and by which bound.
//!
//! A check sees the facts in order and the mesh as it is, and keeps its own account: it may ask the [`Sketch`](crate::sketch::Sketch)
//! what the policy means and the [`Ledger`](crate::ledger::Ledger) what was said of whom, but never the code it checks.

mod agreement;
mod blame;
mod drill;
mod exhaustion;
mod fence;
mod flapping;
mod half_open;
mod load;
mod native;
mod notice;
mod order;
mod probe;
mod ramp;
mod rescue;
mod way_back;

use crate::ledger::Use;
use crate::mesh::Mesh;
use crate::request::Request;
use crate::sketch::Sketch;
use crate::story::Fact;
use meridian_core::health::CellKey;

/// What a check makes of a fact.
pub(crate) enum Seen {
    /// It has nothing to judge.
    Nothing,
    /// It was tested by this, and holds.
    Held,
    /// It does not hold, and why.
    Broken(String),
}

impl Seen {
    /// What holds or not.
    fn unless(broken: bool, why: impl FnOnce() -> String) -> Self {
        if broken { Self::Broken(why()) } else { Self::Held }
    }
}

/// Something that must hold.
pub(crate) trait Check {
    fn name(&self) -> &'static str;
    /// Sees a fact. What a [`Fact::Changed`] says is not in the ledger yet.
    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen;
}

/// Every check.
pub(crate) fn all(sketch: &Sketch) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(fence::Fence),
        Box::new(way_back::WayBack::default()),
        Box::new(agreement::Agreement),
        Box::new(load::Load::new(sketch)),
        Box::new(flapping::Flapping::default()),
        Box::new(ramp::Ramp::default()),
        Box::new(half_open::HalfOpen::default()),
        Box::new(exhaustion::Exhaustion),
        Box::new(order::Order),
        Box::new(native::Native),
        Box::new(rescue::Rescue),
        Box::new(notice::Notice::default()),
        Box::new(blame::Blame::default()),
        Box::new(drill::Drill::default()),
        Box::new(probe::Probe::default()),
    ]
}

/// A worker may be a little late; within that after a change nothing can be said of its decisions.
fn is_settled(mesh: &Mesh, request: &Request) -> bool {
    let at = &mesh.gateways[request.gateway];
    at.ledger.changed_last().is_none_or(|changed| mesh.now - changed > at.is_late_by(request.worker))
}

/// What each region of a request's order can be used for, as far as its decision says where it wants to go; a drilled one for nothing.
fn candidates(mesh: &Mesh, request: &Request) -> Option<Vec<(usize, Use)>> {
    let decision = request.decision()?;
    let at = &mesh.gateways[request.gateway];
    let order = mesh.sketch.order(request.ask.rule, decision.want.index());
    let one = |region: usize| {
        let key = at.key(request.ask.service, region);
        let taken = decision.drilled.takes(key.region, at.policy.drills());
        (region, if taken { Use::Out } else { at.ledger.use_of(key, at.wall(mesh.now), mesh.sketch.health.ramp) })
    };
    Some(order.into_iter().map(one).collect())
}

/// Whether a drill runs at a gateway, or has just begun or ended.
fn is_drilling(mesh: &Mesh, gateway: usize) -> bool {
    let seconds = (mesh.gateways[gateway].wall(mesh.now).0 as i64 - crate::sketch::BEGIN as i64) as f64 / 1_000.0;
    mesh.sketch.drills.iter().any(|drill| drill.from as f64 - 0.5 <= seconds && seconds <= drill.until as f64 + 0.5)
}

/// A cell, for people.
fn named(key: CellKey) -> String {
    if key == CellKey::whole(key.region) {
        format!("all of r{}", key.region.index())
    } else {
        format!("s{} in r{}", key.service.index(), key.region.index())
    }
}

/// A fact, for people.
pub(crate) fn line(mesh: &Mesh, fact: &Fact) -> String {
    match fact {
        Fact::Sent { request } => {
            let this = &mesh.requests[*request];
            let how = this.decision().map_or_else(
                || "left to the native table".to_owned(),
                |decision| {
                    let taken = if decision.drilled.is_empty() { "" } else { ", drilled" };
                    format!("{:?} (wants r{}{taken})", decision.verdict, decision.want.index())
                },
            );
            let ask = &this.ask;
            let (wish, route) = (&ask.wish, &this.route);
            format!(
                "#{request} g{} w{} {} s{} rule {} {wish:?}: {how}, route {route:?}",
                this.gateway, this.worker, ask.method, ask.service, ask.rule
            )
        }
        Fact::Tried { request, region } => {
            let this = &mesh.requests[*request];
            let condition = crate::fault::condition(&mesh.faults, this.gateway, this.ask.service, *region, mesh.now);
            format!("#{request} tries r{region}, which is {condition:?}")
        }
        Fact::Answered { request, status, by, .. } => {
            format!("#{request} has {status} after {} tries, by {by:?}", mesh.requests[*request].tries.len())
        }
        Fact::Aborted { request } => format!("#{request} is gone"),
        Fact::Changed { gateway, worker, change } => {
            format!("g{gateway} w{worker} says of {}: {:?}", named(change.key), change.transition)
        }
        Fact::Ticks { gateway, worker } => format!("g{gateway} w{worker} ticks"),
        Fact::Restarted { gateway, worker } => format!("g{gateway} w{worker} has a new VM"),
        Fact::Stepped { gateway, by } => format!("the clock of g{gateway} jumps by {by} ms"),
        Fact::Began { fault } => format!("begins: {:?}", fault.kind),
        Fact::Ended { fault } => format!("is over: {:?}", fault.kind),
    }
}
