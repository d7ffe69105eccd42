//! Who served, stacked: a column a slice, the regions from the bottom in the order of their names, failures on top.
//!
//! One failure among two hundred requests is less than a pixel high, and it is what the reader came for. So failures
//! are drawn at least three units high, and their number stands above the column; where columns are too narrow for it,
//! neighbours that failed share one number, their sum.

use super::super::{buckets::Bucket, palette::Palette, palette::name, units};
use super::axis::{Time, step};
use super::canvas::{Anchor, Area, Canvas, width};

/// The least height of failures.
const SEEN: f64 = 3.0;

/// Draws the panel from `top`; its lower edge.
pub(super) fn draw(
    canvas: &mut Canvas,
    plot: &Time,
    buckets: &[Bucket<'_>],
    palette: &Palette<'_>,
    top: f64,
    height: f64,
) -> f64 {
    let bottom = top + height;
    let most = buckets.iter().map(|bucket| bucket.per_second(bucket.requests())).fold(1.0, f64::max);
    // The number of failures needs room above the highest column.
    let scale = |rate: f64| rate / (most * 1.1) * height;

    let step = step(most).max(1.0);
    for line in 0..=(most / step) as u32 {
        let rate = step * f64::from(line);
        let y = bottom - scale(rate);
        canvas.line(if line == 0 { "base" } else { "grid" }, (plot.left, y), (plot.right(), y));
        canvas.text("tick", (plot.left - 6.0, y + 4.0), Anchor::End, &units::rate(rate), "");
    }
    let tops: Vec<f64> = buckets.iter().map(|bucket| column(canvas, plot, bucket, palette, bottom, &scale)).collect();
    let columns: Vec<(&Bucket<'_>, f64)> = buckets.iter().zip(tops).collect();
    for failed in columns.chunk_by(|(one, _), (next, _)| (one.failed > 0) == (next.failed > 0)) {
        let narrow = failed.iter().any(|(bucket, _)| width(&bucket.failed.to_string()) + 4.0 > plot.column(bucket).1);
        failed.chunks(if narrow { failed.len() } else { 1 }).for_each(|group| number(canvas, plot, group));
    }
    bottom
}

/// How many failed in neighbouring columns, above the highest.
fn number(canvas: &mut Canvas, plot: &Time, group: &[(&Bucket<'_>, f64)]) {
    let failed: usize = group.iter().map(|(bucket, _)| bucket.failed).sum();
    let (Some((first, _)), Some((last, _))) = (group.first(), group.last()) else { return };
    if failed > 0 {
        let (left, (right, width)) = (plot.column(first).0, plot.column(last));
        let top = group.iter().map(|(_, top)| *top).fold(f64::INFINITY, f64::min);
        let tooltip = format!("{} failed", units::counted(failed, "request"));
        let at = ((left + right + width) / 2.0, top - 4.0);
        canvas.text("failures", at, Anchor::Middle, &units::count(failed), &tooltip);
    }
}

/// Draws a column; its upper edge.
fn column(
    canvas: &mut Canvas,
    plot: &Time,
    bucket: &Bucket<'_>,
    palette: &Palette<'_>,
    bottom: f64,
    scale: &impl Fn(f64) -> f64,
) -> f64 {
    let (x, width) = plot.column(bucket);
    let when = format!("{} for {}", units::instant(bucket.from), units::span(bucket.length));
    let mut y = bottom;
    for server in palette.servers() {
        let Some(served) = bucket.served.get(&server).copied() else { continue };
        let height = scale(bucket.per_second(served));
        y -= height;
        let rate = units::rate(bucket.per_second(served));
        let tooltip = format!("{when}: {} served {} ({rate})", name(server), units::counted(served, "request"));
        canvas.area(&palette.class(server), Area { x, y, width, height }, &tooltip);
    }
    if bucket.failed > 0 {
        let height = scale(bucket.per_second(bucket.failed)).max(SEEN);
        y -= height;
        let tooltip = format!("{when}: {} failed", units::counted(bucket.failed, "request"));
        canvas.area("failed", Area { x, y, width, height }, &tooltip);
    }
    y
}
