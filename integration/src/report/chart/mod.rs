//! The drawing: traffic, decisions and latency over one axis of time, crossed by the events that explain them.
//!
//! One drawing, not four: the reader's question is always "what else happened at that instant", and a vertical line
//! answers it. It is drawn twice, for a desk and for a phone, since type that shrinks with its drawing cannot be read;
//! the style sheet shows one of the two. Every shape has a native tooltip with its figures.

mod axis;
mod canvas;
mod decisions;
mod events;
mod latency;
mod phases;
mod traffic;

use self::{axis::Time, canvas::Canvas};
use super::{buckets::Bucket, escape::escape, palette::Palette};
use crate::timeline::Run;

pub(super) use self::{events::glyph, phases::phases};

/// A size to draw in.
pub(super) struct Format {
    /// Its name: the class it is shown by, and the prefix of its ids.
    pub(super) name: &'static str,
    /// Into how many slices the run is cut at most.
    pub(super) slices: usize,
    width: f64,
    traffic: f64,
    latency: f64,
    /// Whether there is room to write what an event was; else it has its number in the list below.
    words: bool,
}

/// For a desk.
pub(super) const WIDE: Format =
    Format { name: "wide", slices: 120, width: 980.0, traffic: 220.0, latency: 96.0, words: true };

/// For a phone.
pub(super) const NARROW: Format =
    Format { name: "narrow", slices: 62, width: 380.0, traffic: 170.0, latency: 90.0, words: false };

/// Room for the figures of the vertical axes.
const LEFT: f64 = 52.0;
/// Room for the names of the latency lines.
const RIGHT: f64 = 34.0;
/// The height of a panel's heading.
const HEADING: f64 = 30.0;

/// The drawing of `run` in one format; `sentence` is what it says, for those who cannot see it.
pub(super) fn draw(
    format: &Format,
    run: &Run,
    buckets: &[Bucket<'_>],
    palette: &Palette<'_>,
    sentence: &str,
) -> String {
    let plot = Time::new(LEFT, format.width - LEFT - RIGHT, buckets);
    let phases = phases(run);
    let markers = events::place(run, &phases, &plot, format.words);
    let bands = events::height(&markers);
    let mut top = bands + phases::STRIP;

    let mut panels = Canvas::default();
    let mut headings = Canvas::default();
    headings.heading(plot.left, top + 20.0, "Requests per second, by who served them");
    top = traffic::draw(&mut panels, &plot, buckets, palette, top + HEADING, format.traffic);
    headings.heading(plot.left, top + 26.0, "Decisions per second, by reason");
    top = decisions::draw(&mut panels, &plot, buckets, top + HEADING + 4.0);
    headings.heading(plot.left, top + 30.0, "Latency, median and 99th percentile");
    top = latency::draw(&mut panels, &plot, buckets, top + HEADING + 12.0, format.latency);

    // Bands below everything, lines above everything but the words; both need the height of what lies between.
    let mut canvas = Canvas::default();
    phases::draw(&mut canvas, &plot, &phases, bands, top);
    canvas.append(panels);
    axis::draw(&mut canvas, &plot, top, format.width);
    events::draw(&mut canvas, &markers, bands, top);
    canvas.append(headings);

    let (name, width, height) = (format.name, format.width, top + axis::HEIGHT);
    format!(
        "<svg class=\"{name}\" viewBox=\"0 0 {width} {height:.0}\" role=\"img\" aria-labelledby=\"{name}-title {name}-desc\">\
         <title id=\"{name}-title\">{}: timeline</title><desc id=\"{name}-desc\">{} The same figures are in the table \
         below.</desc>{}</svg>\n",
        escape(&run.title),
        escape(sentence),
        canvas.finish()
    )
}
