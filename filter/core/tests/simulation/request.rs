//! One request: what the client sends, and what becomes of it.

use crate::draw::Draw;
use crate::sketch::{Sketch, host, path};
use crate::vm::Trail;

/// What a client sends.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) service: usize,
    pub(crate) rule: usize,
    pub(crate) method: &'static str,
    pub(crate) wish: Wish,
    /// A plan that the client wrote itself, to get out.
    pub(crate) forged: Option<String>,
}

/// Which region a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Nothing,
    /// This region, in this spelling.
    Region(usize, String),
    Unknown,
    /// Two lines with these regions.
    Several(usize, usize),
}

impl Ask {
    pub(crate) fn draw(draw: &mut Draw, sketch: &Sketch) -> Self {
        let spelling = |draw: &mut Draw, region: usize| match draw.between(0, 2) {
            0 => format!("r{region}"),
            1 => format!("R{region}"),
            _ => format!("Alias-{region}"),
        };
        let region = draw.index(sketch.regions);
        let wish = match draw.between(1, 20) {
            1..=9 => Wish::Nothing,
            10..=18 => Wish::Region(region, spelling(draw, region)),
            19 => Wish::Unknown,
            _ => Wish::Several(region, draw.index(sketch.regions)),
        };
        let forged = draw.chance(3).then(|| format!("{}-r{region}", draw.pick(&["prefer", "only"])));
        Self {
            service: draw.index(sketch.services),
            rule: draw.index(sketch.asked_rules()),
            method: if draw.chance(80) { "GET" } else { "POST" },
            wish,
            forged,
        }
    }

    /// The header lines; the client's own plan only where nobody strips it.
    pub(crate) fn lines(&self, strips: bool) -> Vec<(&'static str, String)> {
        let mut lines =
            vec![(":method", self.method.to_owned()), (":authority", host(self.service)), (":path", path(self.rule))];
        match &self.wish {
            Wish::Nothing => {}
            Wish::Region(_, spelling) => lines.push(("region", spelling.clone())),
            Wish::Unknown => lines.push(("region", "atlantis".to_owned())),
            Wish::Several(one, other) => lines.extend([("region", format!("r{one}")), ("region", format!("r{other}"))]),
        }
        if let Some(plan) = self.forged.as_ref().filter(|_| !strips) {
            lines.push(("x-region-route", plan.clone()));
        }
        lines
    }

    /// Where it goes when all is well, as the design has it; `None` where that is not one region, or none.
    pub(crate) fn want(&self, sketch: &Sketch, gateway: usize) -> Option<usize> {
        match &self.wish {
            Wish::Region(region, _) if sketch.inside(self.rule).contains(region) => Some(*region),
            Wish::Unknown | Wish::Several(..) if sketch.rules[self.rule].rejects => None,
            _ => sketch.home(self.rule, gateway),
        }
    }
}

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) gateway: usize,
    pub(crate) worker: usize,
    /// Which of the worker's VMs saw it begin.
    pub(crate) vm: u32,
    pub(crate) ask: Ask,
    pub(crate) begun: u64,
    pub(crate) trail: Trail,
    /// The regions of its plan, in order.
    pub(crate) route: Vec<usize>,
    /// The region of each try.
    pub(crate) tries: Vec<usize>,
    pub(crate) done: bool,
}

impl Request {
    pub(crate) fn decision(&self) -> Option<&meridian_core::decide::Decision> {
        match &self.trail {
            Trail::Decided(decision) | Trail::Refused(decision) => Some(decision),
            Trail::Native => None,
        }
    }
}
