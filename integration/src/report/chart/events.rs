//! Markers of what happened, placed so that no label lies on another and no line runs through one.
//!
//! A label starts at its line and reaches to the right, over the lines of events that follow. Placed from the last to the
//! first, each a row above every later one it reaches, those lines begin below it: a staircase down towards the
//! panels. A label without room to its right ends at its line instead; a line that then meets it passes behind.
//! Events that cannot be told apart in the drawing (the same words, at the same place) are one marker with a number; when
//! the rows are used up, the rest have a line only. A label is written up to its first comma or colon, as long labels
//! would push each other off the drawing. The list below the drawing has all events in all their words.

use super::super::units;
use super::axis::Time;
use super::canvas::{Anchor, Canvas, fit, width};
use super::phases::Phase;
use crate::timeline::{Event, EventKind, Run};

/// The height of a row of labels.
const ROW: f64 = 17.0;
/// More rows than this would be a list, and there is one below.
const ROWS: usize = 8;
/// No label is longer than this.
const LONGEST: f64 = 220.0;
/// Events closer than this are at the same place.
const SAME: f64 = 3.0;

/// An event in the drawing.
pub(super) struct Marker<'r> {
    event: &'r Event,
    text: String,
    x: f64,
    label: f64,
    row: usize,
}

/// The shape that stands for a kind of event, wherever it is named.
pub(in super::super) fn glyph(kind: EventKind) -> char {
    match kind {
        EventKind::Stopped => '■',
        EventKind::Returned => '□',
        EventKind::Ejected => '▼',
        EventKind::Readmitted => '▲',
        EventKind::Note => '◆',
    }
}

/// The markers of `run`, each with its place. The start of a phase has its strip and needs no marker.
pub(super) fn place<'r>(run: &'r Run, phases: &[Phase<'_>], plot: &Time, words: bool) -> Vec<Marker<'r>> {
    let announces = |event: &Event| phases.iter().any(|phase| phase.name == event.label);
    let mut markers: Vec<Marker<'r>> = Vec::new();
    let mut numbered: Vec<(usize, &Event)> = run.events.iter().enumerate().collect();
    numbered.sort_by_key(|(_, event)| event.at);
    let mut same = 0;
    for (index, event) in numbered {
        if event.kind == EventKind::Note && announces(event) {
            continue;
        }
        let x = plot.x(event.at);
        let text = if words { short(&event.label) } else { (index + 1).to_string() };
        match markers.last_mut() {
            Some(last) if words && last.event.label == event.label && x - last.x < SAME => {
                same += 1;
                last.text = format!("{} ×{}", short(&event.label), same + 1);
            }
            _ => {
                same = 0;
                markers.push(Marker { event, text, x, label: x, row: 0 });
            }
        }
    }
    for marker in &mut markers {
        marker.text = format!("{} {}", glyph(marker.event.kind), marker.text);
    }
    stack(&mut markers, plot.right());
    markers
}

/// As much of a label as the drawing has room for.
fn short(label: &str) -> String {
    fit(label.split([',', ':']).next().unwrap_or(label), LONGEST)
}

/// Gives every marker its row, from the last to the first.
fn stack(markers: &mut [Marker<'_>], right: f64) {
    let mut placed: Vec<(f64, usize)> = Vec::new();
    for marker in markers.iter_mut().rev() {
        let width = width(&marker.text) + 8.0;
        marker.label = if marker.x + width > right { (marker.x - width).max(0.0) } else { marker.x };
        let end = marker.label + width;
        let reached = placed.iter().filter(|(start, _)| *start < end).map(|(_, row)| row + 1);
        marker.row = reached.max().unwrap_or_default();
        if marker.row < ROWS {
            placed.push((marker.label, marker.row));
        }
    }
}

/// The height of all rows.
pub(super) fn height(markers: &[Marker<'_>]) -> f64 {
    let rows = markers.iter().map(|marker| marker.row + 1).filter(|rows| *rows <= ROWS).max();
    rows.unwrap_or_default() as f64 * ROW + 4.0
}

/// Draws the markers: labels above `rows`, lines down to `bottom`.
pub(super) fn draw(canvas: &mut Canvas, markers: &[Marker<'_>], rows: f64, bottom: f64) {
    let base = |marker: &Marker<'_>| rows - 4.0 - marker.row as f64 * ROW;
    let labelled = |marker: &&Marker<'_>| marker.row < ROWS;
    for marker in markers {
        let from = if labelled(&marker) { base(marker) - 10.0 } else { rows };
        canvas.line("event", (marker.x, from), (marker.x, bottom));
    }
    for marker in markers.iter().filter(labelled) {
        let tooltip = format!("{}: {}", units::instant(marker.event.at), marker.event.label);
        let (x, anchor) =
            if marker.label < marker.x { (marker.x - 4.0, Anchor::End) } else { (marker.x + 4.0, Anchor::Start) };
        canvas.text("event", (x, base(marker)), anchor, &marker.text, &tooltip);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn placed(count: u64) -> Vec<(f64, f64, f64, usize)> {
        let labels = ["ejected us-sanjose-1", "stopped", "a label that is a good deal longer than the others"];
        let kind = EventKind::Ejected;
        let event = |n: u64| Event {
            at: Duration::from_millis(n * n * 37 % 60_000),
            label: format!("{} {n}", labels[(n % 3) as usize]),
            kind,
        };
        let run = Run { events: (0..count).map(event).collect(), ..Run::default() };
        let buckets = crate::report::buckets::buckets(&run, 100);
        let plot = Time::new(40.0, 900.0, &buckets);
        let markers = place(&run, &[], &plot, true);
        let shown = markers.iter().filter(|marker| marker.row < ROWS);
        shown.map(|m| (m.x, m.label, m.label + width(&m.text), m.row)).collect()
    }

    #[test]
    fn no_label_lies_on_another() {
        for count in 0..60 {
            let placed = placed(count);
            for (index, (_, start, end, row)) in placed.iter().enumerate() {
                let others = placed.iter().skip(index + 1);
                let overlap = |other: &&(f64, f64, f64, usize)| other.3 == *row && other.1 < *end && *start < other.2;
                assert_eq!(others.filter(overlap).count(), 0, "{count} events");
            }
        }
    }

    #[test]
    fn no_line_runs_through_the_label_of_another() {
        for count in 0..60 {
            let placed = placed(count);
            for (x, ..) in placed.iter().filter(|(x, label, ..)| x == label) {
                let through = |other: &&(f64, f64, f64, usize)| {
                    let below = placed.iter().any(|own| own.0 == *x && own.3 > other.3);
                    below && other.0 == other.1 && other.1 < *x && *x < other.2
                };
                assert_eq!(placed.iter().filter(through).count(), 0, "{count} events");
            }
        }
    }

    #[test]
    fn the_words_of_several_equal_events_at_one_place_are_written_once() {
        let event = Event { at: Duration::from_secs(5), label: "ejected".into(), kind: EventKind::Ejected };
        let last = Event { at: Duration::from_secs(60), label: "end".into(), kind: EventKind::Note };
        let run = Run { events: vec![event.clone(), event.clone(), event, last], ..Run::default() };
        let plot = Time::new(0.0, 900.0, &crate::report::buckets::buckets(&run, 100));
        let texts: Vec<String> = place(&run, &[], &plot, true).into_iter().map(|marker| marker.text).collect();
        assert_eq!(texts, ["▼ ejected ×3", "◆ end"]);
    }
}
