//! How long: the median as a line, the 99th percentile as the upper edge of the band above it.
//!
//! The scale is logarithmic. A rescued request waits a hundred times as long as the median, and a linear scale would
//! show that and nothing else. Slices without requests interrupt the lines.

use std::time::Duration;

use super::super::{buckets::Bucket, units};
use super::axis::Time;
use super::canvas::{Anchor, Area, Canvas};

/// Draws the panel from `top`; its lower edge.
pub(super) fn draw(canvas: &mut Canvas, plot: &Time, buckets: &[Bucket<'_>], top: f64, height: f64) -> f64 {
    let bottom = top + height;
    let all = || buckets.iter().flat_map(|bucket| [bucket.percentile(50), bucket.percentile(99)]).flatten();
    let (Some(least), Some(most)) = (all().min(), all().max()) else { return bottom };
    let low = decade(least).floor();
    let high = decade(most).ceil().max(low + 1.0);
    let y = |latency: Duration| bottom - (decade(latency) - low) / (high - low) * height;

    let decades = (high - low) as i32;
    for power in 0..=decades {
        let latency = Duration::from_secs_f64(10_f64.powf(low + f64::from(power)));
        canvas.line(if power == 0 { "base" } else { "grid" }, (plot.left, y(latency)), (plot.right(), y(latency)));
        if decades < 5 || power % 2 == 0 {
            canvas.text("tick", (plot.left - 6.0, y(latency) + 4.0), Anchor::End, &tick(latency), "");
        }
    }
    let measured = |bucket: &Bucket<'_>| Some((y(bucket.percentile(50)?), y(bucket.percentile(99)?)));
    for run in buckets.chunk_by(|one, next| measured(one).is_some() == measured(next).is_some()) {
        let (mut middle, mut upper) = (Vec::new(), Vec::new());
        for bucket in run {
            let Some((median, tail)) = measured(bucket) else { continue };
            let (x, width) = plot.column(bucket);
            middle.extend([(x, median), (x + width, median)]);
            upper.extend([(x, tail), (x + width, tail)]);
        }
        let band: Vec<(f64, f64)> = upper.iter().chain(middle.iter().rev()).copied().collect();
        canvas.path("band", &band);
        canvas.path("p99", &upper);
        canvas.path("p50", &middle);
    }
    names(canvas, plot, buckets, y);
    tooltips(canvas, plot, buckets, top, height);
    bottom
}

/// The names of the lines, where they end.
fn names(canvas: &mut Canvas, plot: &Time, buckets: &[Bucket<'_>], y: impl Fn(Duration) -> f64) {
    let Some(last) = buckets.iter().rev().find(|bucket| bucket.requests() > 0) else { return };
    let (Some(median), Some(tail)) = (last.percentile(50), last.percentile(99)) else { return };
    let x = plot.right() + 5.0;
    canvas.text("label", (x, y(median) + 4.0), Anchor::Start, "p50", "");
    canvas.text("label", (x, (y(tail) + 4.0).min(y(median) - 9.0)), Anchor::Start, "p99", "");
}

fn tooltips(canvas: &mut Canvas, plot: &Time, buckets: &[Bucket<'_>], top: f64, height: f64) {
    for bucket in buckets {
        let (Some(median), Some(tail)) = (bucket.percentile(50), bucket.percentile(99)) else { continue };
        let (median, tail) = (units::span(median), units::span(tail));
        let (x, width) = plot.column(bucket);
        let tooltip = format!("{}: p50 {median}, p99 {tail}", units::instant(bucket.from));
        canvas.area("clear", Area { x, y: top, width, height }, &tooltip);
    }
}

/// The power of ten of a latency in seconds; nothing is faster than a microsecond here.
fn decade(latency: Duration) -> f64 {
    latency.as_secs_f64().max(1e-6).log10()
}

fn tick(latency: Duration) -> String {
    let micros = (latency.as_secs_f64() * 1e6).round();
    if micros >= 1e6 {
        format!("{} s", micros / 1e6)
    } else if micros >= 1e3 {
        format!("{} ms", micros / 1e3)
    } else {
        format!("{micros} µs")
    }
}
