//! Time from left to right, and ticks at numbers that people count in.

use std::time::Duration;

use super::super::{buckets::Bucket, units};
use super::canvas::{Anchor, Canvas};

/// The height of the axis and its figures.
pub(super) const HEIGHT: f64 = 26.0;

/// The least distance of two ticks.
const APART: f64 = 64.0;

/// The horizontal scale.
pub(super) struct Time {
    pub(super) left: f64,
    pub(super) width: f64,
    seconds: f64,
}

impl Time {
    /// All of `buckets` in `width` from `left`.
    pub(super) fn new(left: f64, width: f64, buckets: &[Bucket<'_>]) -> Self {
        let end = buckets.last().map_or(Duration::ZERO, |bucket| bucket.from.saturating_add(bucket.length));
        Self { left, width, seconds: end.as_secs_f64().max(0.001) }
    }

    /// Where an instant is.
    pub(super) fn x(&self, at: Duration) -> f64 {
        self.left + self.width * (at.as_secs_f64() / self.seconds).min(1.0)
    }

    /// The right end.
    pub(super) fn right(&self) -> f64 {
        self.left + self.width
    }

    /// A bucket's left edge and width.
    pub(super) fn column(&self, bucket: &Bucket<'_>) -> (f64, f64) {
        let left = self.x(bucket.from);
        (left, self.x(bucket.from.saturating_add(bucket.length)) - left)
    }
}

/// The axis at `y`, below all panels.
pub(super) fn draw(canvas: &mut Canvas, plot: &Time, y: f64, width: f64) {
    canvas.line("base", (plot.left, y), (plot.right(), y));
    let step = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 10800.0, 43200.0]
        .into_iter()
        .find(|step| step / plot.seconds * plot.width >= APART)
        .unwrap_or(plot.seconds);
    // A run that ends a moment before a tick has it all the same.
    for tick in 0..=(plot.seconds / step + 0.01) as u32 {
        let at = Duration::from_secs_f64(step * f64::from(tick));
        let x = plot.x(at);
        canvas.line("base", (x, y), (x, y + 5.0));
        let text = if at.as_secs() < 120 { format!("{} s", at.as_secs()) } else { units::instant(at) };
        let anchor = if x + 20.0 > width { Anchor::End } else { Anchor::Middle };
        canvas.text("tick", (x, y + 19.0), anchor, &text, "");
    }
}

/// The even step that cuts `largest` into two to five parts.
pub(super) fn step(largest: f64) -> f64 {
    let power = 10_f64.powf(largest.max(f64::MIN_POSITIVE).log10().floor());
    match largest / power {
        lead if lead <= 2.0 => power / 2.0,
        lead if lead <= 5.0 => power,
        _ => power * 2.0,
    }
}
