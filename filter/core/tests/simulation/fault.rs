//! What goes wrong, and when: a schedule drawn at the beginning, and what it means for one service in one region at one moment.

use crate::draw::Draw;
use crate::sketch::Sketch;

/// Something that goes wrong from a time until another, in milliseconds of the story.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// What goes wrong. A service of `None` is every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing there answers well.
    Outage { service: Option<usize>, region: usize, how: How },
    /// Some answers are errors, signed by the service.
    Brownout { service: usize, region: usize, percent: u64, status: u16 },
    /// Every answer is later.
    Slow { service: Option<usize>, region: usize, by: u64 },
    /// One gateway does not reach the region.
    Partition { gateway: usize, region: usize, silent: bool },
    /// The VM of a worker is made anew.
    Restart { gateway: usize, worker: usize },
    /// The wall clock of a gateway jumps.
    Step { gateway: usize, by: i64 },
}

/// How nothing answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Connections are refused.
    Refused,
    /// A proxy on the way answers 503, unsigned.
    Unavailable,
    /// The service itself answers 503, signed.
    Failing,
    /// Never.
    Frozen,
}

/// How one service in one region is, as one gateway meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Fine,
    Slow(u64),
    Fails { percent: u64, status: u16 },
    Down(How),
}

impl Fault {
    /// Whether a gateway meets it at a service in a region.
    pub(crate) fn touches(&self, gateway: usize, service: usize, region: usize) -> bool {
        match self.kind {
            Kind::Outage { service: s, region: r, .. } | Kind::Slow { service: s, region: r, .. } => {
                r == region && s.is_none_or(|s| s == service)
            }
            Kind::Brownout { service: s, region: r, .. } => r == region && s == service,
            Kind::Partition { gateway: g, region: r, .. } => r == region && g == gateway,
            Kind::Restart { .. } | Kind::Step { .. } => false,
        }
    }

    /// Whether what fails may be the path, because nobody signs.
    pub(crate) fn is_unsigned(&self) -> bool {
        match self.kind {
            Kind::Outage { how, .. } => how != How::Failing,
            Kind::Slow { .. } | Kind::Partition { .. } => true,
            Kind::Brownout { .. } | Kind::Restart { .. } | Kind::Step { .. } => false,
        }
    }

    fn condition(&self) -> Condition {
        match self.kind {
            Kind::Outage { how, .. } => Condition::Down(how),
            Kind::Brownout { percent, status, .. } => Condition::Fails { percent, status },
            Kind::Slow { by, .. } => Condition::Slow(by),
            Kind::Partition { silent, .. } => Condition::Down(if silent { How::Frozen } else { How::Refused }),
            Kind::Restart { .. } | Kind::Step { .. } => Condition::Fine,
        }
    }
}

/// How a service in a region is for a gateway at a time: the worst that touches it.
pub(crate) fn condition(faults: &[Fault], gateway: usize, service: usize, region: usize, at: u64) -> Condition {
    let rank = |condition: &Condition| match condition {
        Condition::Fine => 0,
        Condition::Slow(_) => 1,
        Condition::Fails { .. } => 2,
        Condition::Down(_) => 3,
    };
    let active =
        faults.iter().filter(|fault| fault.from <= at && at < fault.until && fault.touches(gateway, service, region));
    active.map(Fault::condition).max_by_key(rank).unwrap_or(Condition::Fine)
}

/// Whether anything touches a service in a region, as a gateway meets it, between two times.
pub(crate) fn harmed(
    faults: &[Fault],
    (gateway, service, region): (usize, usize, usize),
    from: u64,
    until: u64,
) -> bool {
    faults.iter().any(|fault| fault.from <= until && from < fault.until && fault.touches(gateway, service, region))
}

/// A schedule: most of it in the first half, so that the way back is seen as well.
pub(crate) fn draw(draw: &mut Draw, sketch: &Sketch) -> Vec<Fault> {
    let mut faults: Vec<Fault> = (0..draw.between(0, 6)).map(|_| one(draw, sketch)).collect();
    faults.sort_by_key(|fault| fault.from);
    faults
}

fn one(draw: &mut Draw, sketch: &Sketch) -> Fault {
    let from = draw.between(500, sketch.length / 2);
    let until = from + draw.between(200, 8_000);
    let (gateway, region) = (draw.index(sketch.gateways.len()), draw.index(sketch.regions));
    let service = draw.index(sketch.services);
    let some = if draw.chance(50) { Some(service) } else { None };
    let how = draw.pick(&[How::Refused, How::Unavailable, How::Failing, How::Frozen]);
    let kind = match draw.between(1, 10) {
        1..=4 => Kind::Outage { service: some, region, how },
        5 => Kind::Brownout { service, region, percent: draw.between(10, 100), status: draw.pick(&[500, 503, 504]) },
        6 => Kind::Slow { service: some, region, by: draw.between(50, 4_000) },
        7 | 8 => Kind::Partition { gateway, region, silent: draw.chance(50) },
        9 => Kind::Restart { gateway, worker: draw.index(sketch.gateways[gateway].workers) },
        _ => Kind::Step { gateway, by: draw.between(0, 40_000) as i64 - 20_000 },
    };
    Fault { kind, from, until: if matches!(kind, Kind::Restart { .. } | Kind::Step { .. }) { from } else { until } }
}
