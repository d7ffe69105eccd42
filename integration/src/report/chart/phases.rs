//! What was being done when: a strip of names, and every second phase tinted through all panels.

use std::time::Duration;

use super::super::{buckets::span, units};
use super::axis::Time;
use super::canvas::{Anchor, Area, Canvas, fit};
use crate::timeline::Run;

/// The height of the strip.
pub(super) const STRIP: f64 = 22.0;

/// A stretch of the run with one name.
pub(in super::super) struct Phase<'r> {
    pub(in super::super) name: &'r str,
    pub(in super::super) from: Duration,
    pub(in super::super) to: Duration,
}

/// The phases of `run`: each lasts to the next. A name that returns later is another phase.
pub(in super::super) fn phases(run: &Run) -> Vec<Phase<'_>> {
    let mut starts: Vec<(Duration, &str)> =
        run.samples.iter().map(|sample| (sample.at, sample.phase.as_str())).collect();
    starts.sort_by_key(|(at, _)| *at);
    starts.dedup_by_key(|(_, name)| *name);
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([span(run)]).collect::<Vec<_>>();
    let phases = starts.iter().zip(ends).map(|(&(from, name), to)| Phase { name, from, to });
    phases.filter(|phase| !phase.name.is_empty()).collect()
}

/// Draws the strip at `top` and the tints down to `bottom`.
pub(super) fn draw(canvas: &mut Canvas, plot: &Time, phases: &[Phase<'_>], top: f64, bottom: f64) {
    for (index, phase) in phases.iter().enumerate() {
        let (x, end) = (plot.x(phase.from), plot.x(phase.to));
        let (from, to) = (units::instant(phase.from), units::instant(phase.to));
        let tooltip = format!("{}: {from} to {to}", phase.name);
        let class = if index % 2 == 0 { "phase" } else { "phase tinted" };
        canvas.area(class, Area { x, y: top, width: end - x, height: bottom - top }, &tooltip);
        canvas.text("phase", (x + 5.0, top + 15.0), Anchor::Start, &fit(phase.name, end - x - 12.0), &tooltip);
    }
}
