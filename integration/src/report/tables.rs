//! Everything on the page that is a table.
//!
//! Tables carry their roles in words, and each cell the name of its column: on a phone the style sheet turns the rows of
//! a narrow table into cards, and a table that is no longer laid out as one loses both for a screen reader.

use std::fmt::Display;

use super::buckets::{Bucket, NO_REASON};
use super::chart::{glyph, phases};
use super::escape::escape;
use super::palette::{Palette, name};
use super::units;
use crate::timeline::{Event, EventKind, Run, Sample, SampleOutcome};

/// A table under way.
struct Table {
    columns: Vec<String>,
    html: String,
}

impl Table {
    fn new(class: &str, caption: &str, columns: &[&str]) -> Self {
        let mut html = format!("<table class=\"{class}\" role=\"table\"><caption>{}</caption>", escape(caption));
        html.push_str("<thead role=\"rowgroup\"><tr role=\"row\">");
        for column in columns {
            html.push_str(&format!("<th role=\"columnheader\" scope=\"col\">{}</th>", escape(column)));
        }
        html.push_str("</tr></thead><tbody role=\"rowgroup\">\n");
        Self { columns: columns.iter().map(|column| (*column).to_owned()).collect(), html }
    }

    /// A row of cells, each already markup.
    fn row(&mut self, class: &str, cells: &[String]) {
        self.html.push_str(&format!("<tr role=\"row\" class=\"{class}\">"));
        for (column, cell) in self.columns.iter().zip(cells) {
            self.html.push_str(&format!("<td role=\"cell\" data-column=\"{}\">{cell}</td>", escape(column)));
        }
        self.html.push_str("</tr>\n");
    }

    fn finish(self) -> String {
        self.html + "</tbody></table>\n"
    }
}

fn cell(text: impl Display) -> String {
    escape(&text.to_string()).to_string()
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<code>{}</code>", escape(text)) }
}

/// What was asked, seen and expected.
pub(super) fn checks(run: &Run) -> String {
    let columns = ["Result", "Proof", "Asked", "Seen", "Expected"];
    let mut table =
        Table::new("checks cards", "What was asked of the mesh, what it showed, what was expected", &columns);
    for check in &run.checks {
        let (class, result) = if check.passed { ("held", "✓ held") } else { ("missed", "✗ did not hold") };
        let cells = [cell(result), cell(&check.name), cell(&check.asked), cell(&check.seen), cell(&check.expected)];
        table.row(class, &cells);
    }
    table.finish()
}

/// Every request that failed, by name.
pub(super) fn failures(run: &Run) -> String {
    let columns = ["Sent at", "Phase", "Request", "Outcome", "After", "Served by", "Decision"];
    let mut table = Table::new("cards", "Every request that did not succeed", &columns);
    for sample in run.samples.iter().filter(|sample| !sample.succeeded()) {
        table.row("", &failure(sample));
    }
    table.finish()
}

fn failure(sample: &Sample) -> [String; 7] {
    let outcome = match &sample.outcome {
        SampleOutcome::Status(status) => status.to_string(),
        SampleOutcome::Error(error) => error.clone(),
    };
    [
        cell(format!("{:.3} s", sample.at.as_secs_f64())),
        cell(&sample.phase),
        cell(&sample.kind),
        cell(outcome),
        cell(units::span(sample.latency)),
        cell(sample.served_by.as_deref().unwrap_or("nobody")),
        sample.decision.as_deref().map_or_else(|| cell("none"), code),
    ]
}

/// Every event, numbered as in the narrow drawing.
pub(super) fn events(run: &Run) -> String {
    let mut table = Table::new("events", "What happened, in order", &["No.", "At", "Kind", "Event"]);
    for (index, event) in run.events.iter().enumerate() {
        let Event { at, label, kind } = event;
        let kind = format!("{} {}", glyph(*kind), word(*kind));
        table.row("", &[cell(index + 1), cell(format!("{:.3} s", at.as_secs_f64())), cell(kind), cell(label)]);
    }
    table.finish()
}

/// The word for a kind of event.
pub(super) fn word(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Stopped => "stopped",
        EventKind::Returned => "returned",
        EventKind::Ejected => "ejected",
        EventKind::Readmitted => "readmitted",
        EventKind::Note => "note",
    }
}

/// The figures behind the drawing, slice by slice.
pub(super) fn figures(run: &Run, buckets: &[Bucket<'_>], palette: &Palette<'_>) -> String {
    let phases = phases(run);
    let servers: Vec<_> = palette.servers().collect();
    let mut columns = vec!["From", "Phase", "Requests"];
    columns.extend(servers.iter().map(|server| name(*server)));
    columns.extend(["Failed", "Decisions", "p50", "p99"]);
    let mut table = Table::new("figures", "The figures behind the drawing", &columns);
    for bucket in buckets {
        let end = bucket.from.saturating_add(bucket.length);
        let phase = phases.iter().rfind(|phase| phase.from < end).map_or("", |phase| phase.name);
        let mut cells = vec![cell(units::instant(bucket.from)), cell(phase), cell(units::count(bucket.requests()))];
        let served = |server| bucket.served.get(server).copied().unwrap_or_default();
        cells.extend(servers.iter().map(|server| cell(units::count(served(server)))));
        let reasons = bucket.reasons.iter().filter(|(reason, _)| **reason != NO_REASON);
        let reasons: Vec<String> =
            reasons.map(|(reason, count)| format!("{reason} {}", units::count(*count))).collect();
        let latency = |percent| bucket.percentile(percent).map(units::span).unwrap_or_default();
        let class = if bucket.failed > 0 { "missed" } else { "" };
        let failed = units::count(bucket.failed);
        cells.extend([cell(failed), cell(reasons.join(", ")), cell(latency(50)), cell(latency(99))]);
        table.row(class, &cells);
    }
    table.finish()
}
