//! Why: a lane for each decision reason, busiest first.
//!
//! The lanes share one scale, so that a reason that moved ten requests does not look like one that moved ten thousand;
//! a reason that was given at all in a slice is at least two units high, because `half_open` is given once.

use std::collections::BTreeMap;

use super::super::{buckets::Bucket, units};
use super::axis::Time;
use super::canvas::{Anchor, Area, Canvas};

/// The height of a lane: its name above its columns.
const LANE: f64 = 36.0;
/// The height of its columns.
const COLUMNS: f64 = 20.0;
/// The least height of a column.
const SEEN: f64 = 2.0;

/// Draws the lanes from `top`; their lower edge.
pub(super) fn draw(canvas: &mut Canvas, plot: &Time, buckets: &[Bucket<'_>], top: f64) -> f64 {
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    for (reason, count) in buckets.iter().flat_map(|bucket| &bucket.reasons) {
        *totals.entry(reason).or_default() += count;
    }
    let mut lanes: Vec<(&str, usize)> = totals.into_iter().collect();
    lanes.sort_by_key(|(_, total)| std::cmp::Reverse(*total));

    let most = buckets
        .iter()
        .flat_map(|bucket| bucket.reasons.values().map(|count| bucket.per_second(*count)))
        .fold(1.0, f64::max);
    let mut bottom = top;
    for (reason, total) in lanes {
        bottom += LANE;
        let label = format!("{reason} · {}", units::count(total));
        canvas.text("label", (plot.left, bottom - COLUMNS - 4.0), Anchor::Start, &label, "");
        canvas.line("grid", (plot.left, bottom), (plot.right(), bottom));
        for bucket in buckets {
            let Some(count) = bucket.reasons.get(reason).copied() else { continue };
            let rate = bucket.per_second(count);
            let (x, width) = plot.column(bucket);
            let height = (rate / most * COLUMNS).max(SEEN);
            let rate = units::rate(rate);
            let tooltip = format!("{}: {reason} {} ({rate})", units::instant(bucket.from), units::count(count));
            canvas.area("reason", Area { x, y: bottom - height, width, height }, &tooltip);
        }
    }
    bottom
}
