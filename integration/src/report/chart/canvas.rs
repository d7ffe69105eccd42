//! Shapes to markup. Numbers are rounded to a tenth of a unit and never anything but numbers; strings are escaped.

use std::fmt::Write as _;

use super::super::escape::escape;

/// Which end of a text stands at its position.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A rectangle.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A drawing under way.
#[derive(Default)]
pub(super) struct Canvas(String);

impl Canvas {
    /// A rectangle, with its tooltip; an empty tooltip is none.
    pub(super) fn area(&mut self, class: &str, area: Area, tooltip: &str) {
        // Edges are rounded, not sizes: neighbours share an edge and must not show a seam.
        let (x, y) = (number(area.x), number(area.y));
        let (width, height) = (number(number(area.x + area.width) - x), number(number(area.y + area.height) - y));
        self.write(format_args!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\""));
        if tooltip.is_empty() {
            self.write(format_args!("/>"));
        } else {
            self.write(format_args!("><title>{}</title></rect>", escape(tooltip)));
        }
    }

    /// A straight line between two points.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1, x2, y2) = (number(from.0), number(from.1), number(to.0), number(to.1));
        self.write(format_args!("<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"));
    }

    /// A line through points, or the outline they enclose, as the class has it.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        self.write(format_args!("<polyline class=\"{class}\" points=\""));
        for (x, y) in points {
            self.write(format_args!("{},{} ", number(*x), number(*y)));
        }
        self.write(format_args!("\"/>"));
    }

    /// A text, with its tooltip; an empty tooltip is none.
    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str, tooltip: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y) = (number(at.0), number(at.1));
        self.write(format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}",
            escape(text)
        ));
        if !tooltip.is_empty() {
            self.write(format_args!("<title>{}</title>", escape(tooltip)));
        }
        self.write(format_args!("</text>"));
    }

    /// The heading of a panel.
    pub(super) fn heading(&mut self, x: f64, y: f64, text: &str) {
        self.text("heading", (x, y), Anchor::Start, text, "");
    }

    /// Puts `other` on top.
    pub(super) fn append(&mut self, other: Self) {
        self.0.push_str(&other.0);
    }

    /// The markup.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(text);
    }
}

/// The width of `text` at the size of labels: an estimate on the wide side, as the font is the reader's.
pub(super) fn width(text: &str) -> f64 {
    text.chars().count() as f64 * 6.8
}

/// `text`, or as much of it as fits in `room`; nothing, if that is too little to be understood.
pub(super) fn fit(text: &str, room: f64) -> String {
    if width(text) <= room {
        return text.into();
    }
    let kept = (room / width("x")) as usize;
    if kept < 4 || kept * 2 < text.chars().count() {
        return String::new();
    }
    text.chars().take(kept - 1).chain(['…']).collect()
}

fn number(value: f64) -> f64 {
    if value.is_finite() { (value * 10.0).round() / 10.0 } else { 0.0 }
}
