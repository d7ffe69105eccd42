//! The page itself: the verdict first, then what it rests on, then everything else for those who ask.

use super::buckets::{Bucket, buckets};
use super::chart::{self, NARROW, WIDE};
use super::escape::escape;
use super::palette::{Palette, name};
use super::summary::Summary;
use super::{tables, units};
use crate::timeline::{EventKind, Run};

/// More failures than this are folded away: listed, but not in the way of what follows.
const OPEN: usize = 40;

/// The page has neither scripts nor references, and forbids itself both: a string that got past the escaping could
/// still fetch and run nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// `run` as one HTML page that needs nothing else.
#[must_use]
pub fn html(run: &Run) -> String {
    let palette = Palette::of(&run.samples);
    let summary = Summary::of(run);
    let title = if run.title.is_empty() { "A run" } else { &run.title };
    let wide = buckets(run, WIDE.slices);
    [
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <title>{} · Meridian</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n",
            escape(title),
            include_str!("page.css"),
        ),
        format!("<header>\n<p class=\"maker\">Meridian</p>\n<h1>{}</h1>\n{}</header>\n", escape(title), verdict(run)),
        key_figures(&summary),
        section("Proofs", if run.checks.is_empty() { String::new() } else { tables::checks(run) }),
        section("Timeline", timeline(run, &wide, &palette, &summary)),
        section("Failed requests", failures(run, &summary)),
        section("Events", if run.events.is_empty() { String::new() } else { tables::events(run) }),
        section("Circumstances", facts(run)),
        section("Figures", figures(run, &wide, &palette)),
        "</main>\n</body>\n</html>\n".into(),
    ]
    .concat()
}

/// A part of the page; one with nothing in it is left out.
fn section(heading: &str, body: String) -> String {
    if body.is_empty() {
        return body;
    }
    format!("<section>\n<h2>{heading}</h2>\n{body}</section>\n")
}

fn verdict(run: &Run) -> String {
    let missed = run.checks.iter().filter(|check| !check.passed).count();
    let (class, text) = match (run.checks.len(), missed) {
        (0, _) => ("open", "Nothing was checked".into()),
        (1, 0) => ("held", "✓ The expectation held".into()),
        (all, 0) => ("held", format!("✓ All {all} expectations held")),
        (all, missed) => ("missed", format!("✗ {missed} of {} did not hold", units::counted(all, "expectation"))),
    };
    format!("<p class=\"verdict {class}\">{text}</p>\n")
}

fn key_figures(summary: &Summary<'_>) -> String {
    if summary.requests == 0 {
        return "<p class=\"quiet\">No requests were sent.</p>\n".into();
    }
    let answered = summary.requests - summary.failed;
    let figure = |class: &str, figure: String, of: &str| {
        format!("<div class=\"{class}\"><dt>{of}</dt><dd>{figure}</dd></div>\n")
    };
    [
        "<dl class=\"key\">\n".to_owned(),
        figure("", units::count(summary.requests), "requests"),
        figure(if summary.failed > 0 { "missed" } else { "" }, units::count(summary.failed), "failed"),
        figure("", units::share(answered, summary.requests), "succeeded"),
        figure("", units::rate(summary.rate()), "mean rate"),
        figure("", summary.percentile(50), "median latency"),
        figure("", summary.percentile(99), "99 % took at most"),
        "</dl>\n".to_owned(),
    ]
    .concat()
}

fn timeline(run: &Run, wide: &[Bucket<'_>], palette: &Palette<'_>, summary: &Summary<'_>) -> String {
    if run.samples.is_empty() && run.events.is_empty() {
        return String::new();
    }
    let sentence = summary.sentence(palette);
    let narrow = buckets(run, NARROW.slices);
    let drawings =
        chart::draw(&WIDE, run, wide, palette, &sentence) + &chart::draw(&NARROW, run, &narrow, palette, &sentence);
    format!("{}<figure>\n{drawings}</figure>\n{}", regions(palette, summary), shapes(run))
}

/// The regions and their colours, with what each served.
fn regions(palette: &Palette<'_>, summary: &Summary<'_>) -> String {
    let mut html = "<ul class=\"legend\">\n".to_owned();
    let mut entry = |class: &str, name: &str, number: usize| {
        let (count, share) = (units::count(number), units::share(number, summary.requests));
        let name = escape(name);
        html.push_str(&format!("<li><i class=\"{class}\"></i>{name} <span>{count} · {share}</span></li>\n"));
    };
    for server in palette.servers() {
        entry(&palette.class(server), name(server), summary.served.get(&server).copied().unwrap_or_default());
    }
    entry("failed", "failed", summary.failed);
    html + "</ul>\n"
}

/// What the shapes of the markers mean, of those that are used.
fn shapes(run: &Run) -> String {
    use EventKind::{Ejected, Note, Readmitted, Returned, Stopped};
    let used = [Stopped, Returned, Ejected, Readmitted, Note];
    let used = used.into_iter().filter(|kind| run.events.iter().any(|event| event.kind == *kind));
    let shape = |kind| format!("<span>{} {}</span> ", chart::glyph(kind), tables::word(kind));
    let shapes: String = used.map(shape).collect();
    if shapes.is_empty() {
        return String::new();
    }
    format!(
        "<p class=\"quiet shapes\">{shapes}<span class=\"numbers\">Numbers are those of the events below.</span></p>\n"
    )
}

fn failures(run: &Run, summary: &Summary<'_>) -> String {
    if summary.failed == 0 {
        return if summary.requests == 0 { String::new() } else { "<p>None.</p>\n".into() };
    }
    let open = if summary.failed <= OPEN { " open" } else { "" };
    let (count, share) = (units::counted(summary.failed, "request"), units::share(summary.failed, summary.requests));
    format!(
        "<details{open}><summary>{count}, {share} of all, each listed</summary>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Failed requests\">{}</div></details>\n",
        tables::failures(run)
    )
}

fn facts(run: &Run) -> String {
    if run.facts.is_empty() {
        return String::new();
    }
    let fact =
        |(name, value): &(String, String)| format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(value));
    let facts: String = run.facts.iter().map(fact).collect();
    format!("<dl class=\"facts\">\n{facts}</dl>\n")
}

fn figures(run: &Run, buckets: &[Bucket<'_>], palette: &Palette<'_>) -> String {
    if run.samples.is_empty() {
        return String::new();
    }
    let slice = buckets.first().map(|bucket| units::span(bucket.length)).unwrap_or_default();
    format!(
        "<p class=\"quiet\">A request counts in the slice it was sent in, and failed if it had no answer or a status of \
         400 and above. Percentiles are nearest-rank, over all requests of a slice, failed ones too.</p>\n\
         <details><summary>Figures for every {slice}</summary>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Figures\">{}</div></details>\n",
        tables::figures(run, buckets, palette)
    )
}
