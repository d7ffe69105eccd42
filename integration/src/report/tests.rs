use std::time::Duration;

use super::buckets::buckets;
use super::fixture::{PRIMARY, SECONDARY, check, outage};
use super::palette::Palette;
use super::{html, terminal, units};
use crate::timeline::{Check, Event, EventKind, Run, Sample, SampleOutcome};

/// Where to leave the page of the fixture, for a person to look at; nothing is written without it.
const SHOW: &str = "MERIDIAN_REPORT_PAGE";

fn count(page: &str, what: &str) -> usize {
    page.matches(what).count()
}

fn hostile(text: &str) -> Run {
    let sample = Sample {
        at: Duration::from_secs(1),
        kind: text.into(),
        outcome: SampleOutcome::Error(text.into()),
        served_by: Some(text.into()),
        decision: Some(format!("reason={text}")),
        latency: Duration::from_millis(1),
        phase: text.into(),
    };
    let served = Sample { outcome: SampleOutcome::Status(200), ..sample.clone() };
    Run {
        title: text.into(),
        facts: vec![(text.into(), text.into())],
        samples: vec![sample, served],
        events: vec![Event { at: Duration::from_secs(2), label: format!("{text}!"), kind: EventKind::Note }],
        checks: vec![check(text, text, text, text, false)],
    }
}

#[test]
fn the_page_of_an_outage_can_be_looked_at() {
    let page = html(&outage());
    if let Some(path) = std::env::var_os(SHOW) {
        std::fs::write(path, &page).expect("the page is written");
    }
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
}

#[test]
fn every_error_is_listed() {
    let run = outage();
    let page = html(&run);
    let failed: Vec<&Sample> = run.samples.iter().filter(|sample| !sample.succeeded()).collect();
    assert!(!failed.is_empty());
    for sample in failed {
        assert!(page.contains(&format!("{:.3} s</td>", sample.at.as_secs_f64())));
    }
}

#[test]
fn failures_in_neighbouring_slices_are_numbered_together() {
    let mut run = outage();
    for sample in &mut run.samples {
        let fails = (20.0..23.0).contains(&sample.at.as_secs_f64());
        sample.outcome = SampleOutcome::Status(if fails { 503 } else { 200 });
    }
    let page = html(&run);
    assert_eq!(count(&page, "class=\"failures\""), 2, "one in each drawing");
    assert_eq!(count(&page, ">600<title>600 requests failed</title>"), 2);
}

#[test]
fn an_error_is_listed_with_its_decision() {
    let mut run = outage();
    run.samples.truncate(1);
    run.samples[0].outcome = SampleOutcome::Status(503);
    run.samples[0].decision = Some("reason=exhausted, skipped=(\"a\")".into());
    assert!(html(&run).contains("<code>reason=exhausted, skipped=(&quot;a&quot;)</code>"));
}

#[test]
fn buckets_add_up_to_the_number_of_samples() {
    let run = outage();
    for wanted in [1, 7, 62, 120, 5_000] {
        let buckets = buckets(&run, wanted);
        let counted: usize = buckets.iter().map(|bucket| bucket.served.values().sum::<usize>() + bucket.failed).sum();
        assert_eq!(counted, run.samples.len(), "{wanted} slices");
        assert!(buckets.len() <= wanted.max(600), "{} slices", buckets.len());
    }
}

#[test]
fn buckets_cover_the_run_without_a_gap() {
    let run = outage();
    let buckets = buckets(&run, 37);
    for pair in buckets.windows(2) {
        assert_eq!(pair[0].from + pair[0].length, pair[1].from);
    }
}

#[test]
fn a_steady_rate_is_drawn_as_one_in_the_last_slice_too() {
    let mut run = outage();
    run.samples.truncate(2_027);
    run.events.clear();
    for bucket in buckets(&run, 20) {
        let rate = bucket.per_second(bucket.requests());
        assert!((190.0..210.0).contains(&rate), "{rate} at {:?}", bucket.from);
    }
}

#[test]
fn an_empty_run_renders() {
    let page = html(&Run::default());
    assert!(page.contains("Nothing was checked") && page.contains("No requests were sent"));
    assert_eq!(count(&page, "<section>"), 0);
}

#[test]
fn a_run_of_one_request_renders() {
    let mut run = outage();
    run.samples.truncate(1);
    run.events.clear();
    let page = html(&run);
    assert!(page.contains("100 %") && !page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn a_run_of_many_days_renders_in_as_many_slices_as_one_of_a_minute() {
    let mut run = outage();
    run.events.push(Event { at: Duration::from_secs(40 * 86_400), label: "end".into(), kind: EventKind::Note });
    assert!(buckets(&run, 120).len() <= 121);
    assert!(!html(&run).contains("NaN"));
}

#[test]
fn hostile_strings_are_escaped() {
    for text in ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onload='x", "</title></style>"] {
        let page = html(&hostile(text));
        assert!(!page.contains(text), "{text}");
        assert_eq!(count(&page, "<script") + count(&page, "<img"), 0);
    }
}

#[test]
fn the_page_refers_to_nothing_outside_itself() {
    let page = html(&outage());
    for reference in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link"] {
        assert_eq!(count(&page, reference), 0, "{reference}");
    }
}

#[test]
fn every_element_that_is_opened_is_closed() {
    for run in [outage(), hostile("&<\"'>"), Run::default()] {
        let page = html(&run);
        for element in ["section", "table", "tr", "td", "th", "svg", "text", "details", "div", "dl", "ul", "li", "p"] {
            let opened = count(&page, &format!("<{element}>")) + count(&page, &format!("<{element} "));
            assert_eq!(opened, count(&page, &format!("</{element}>")), "{element}");
        }
    }
}

#[test]
fn the_verdict_counts_what_did_not_hold() {
    let mut run = outage();
    assert!(html(&run).contains("✓ All 4 expectations held"));
    run.checks.push(check("a", "b", "c", "d", false));
    assert!(html(&run).contains("✗ 1 of 5 expectations did not hold"));
}

#[test]
fn a_region_has_one_colour_on_the_whole_page() {
    let run = outage();
    let palette = Palette::of(&run.samples);
    assert_eq!((palette.class(Some(PRIMARY)), palette.class(Some(SECONDARY))), ("r0".into(), "r1".into()));
    let page = html(&run);
    let drawn = |class: &str, region: &str| {
        page.split("<rect ").filter(|r| r.starts_with(&format!("class=\"{class}\"")) && r.contains(region)).count()
    };
    assert!(drawn("r0", PRIMARY) > 0 && drawn("r1", SECONDARY) > 0);
    assert_eq!(drawn("r1", PRIMARY) + drawn("r0", SECONDARY), 0);
}

#[test]
fn the_seventh_region_and_an_unsigned_answer_have_no_regions_colour() {
    let mut run = outage();
    for (index, sample) in run.samples.iter_mut().enumerate() {
        sample.served_by = (index % 9 != 8).then(|| format!("region {}", index % 9));
    }
    let palette = Palette::of(&run.samples);
    assert_eq!(palette.class(Some("region 5")), "r5");
    assert_eq!(palette.class(Some("region 6")), "rest");
    assert_eq!(palette.class(None), "unsigned");
}

#[test]
fn the_drawing_is_described_in_words_for_those_who_cannot_see_it() {
    let page = html(&outage());
    assert!(page.contains("role=\"img\" aria-labelledby=\"wide-title wide-desc\""));
    assert!(page.contains("12,000 requests in 60.0 s"));
}

#[test]
fn every_event_is_listed_with_its_time() {
    let page = html(&outage());
    for text in ["15.410 s", "▼ ejected", "us-sanjose-1 readmitted, ramping", "45.200 s"] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn figures_carry_their_unit() {
    let spans = [80, 1_234, 12_345, 850_000, 1_200_000].map(|micros| units::span(Duration::from_micros(micros)));
    assert_eq!(spans, ["80 µs", "1.23 ms", "12.3 ms", "850 ms", "1.20 s"]);
    assert_eq!(units::instant(Duration::from_secs(185)), "3 min 05 s");
    assert_eq!([0, 999, 1_000, 1_234_567].map(units::count), ["0", "999", "1,000", "1,234,567"]);
}

#[test]
fn a_share_is_whole_only_if_nothing_is_missing() {
    assert_eq!([units::share(0, 9), units::share(9, 9)], ["0 %", "100 %"]);
    assert_eq!([units::share(1, 1_000_000), units::share(999_999, 1_000_000)], ["0.01 %", "99.99 %"]);
}

fn table(checks: &[Check]) -> String {
    terminal::draw(checks, false)
}

#[test]
fn the_terminal_table_is_aligned() {
    let table = table(&outage().checks);
    let columns: Vec<Option<usize>> = table
        .lines()
        .zip(["asked", "region:", "productpage", "12,000", "productpage"])
        .map(|(line, word)| line.find(word).map(|at| line[..at].chars().count()))
        .collect();
    assert!(columns.iter().all(|column| column.is_some() && *column == columns[0]), "{table}");
}

#[test]
fn a_long_answer_wraps_inside_its_column() {
    let table = table(&[check("a", "b", &"word ".repeat(40), "d", true)]);
    assert!(table.lines().count() > 3 && table.lines().all(|line| line.chars().count() < 80), "{table}");
}

#[test]
fn the_terminal_never_sees_a_control_character_of_the_network() {
    let table = table(&[check("a", "b", "\u{1b}[2Jgone\r\nx", "d", false)]);
    assert!(!table.contains('\u{1b}') && !table.contains('\r'));
    assert!(table.contains('✗'));
}

#[test]
fn colour_only_repeats_what_the_marks_say() {
    let checks = [check("a", "b", "c", "d", true), check("a", "b", "x", "d", false)];
    let coloured = terminal::draw(&checks, true);
    let codes = ["\u{1b}[32m", "\u{1b}[31;1m", "\u{1b}[2m", "\u{1b}[0m"];
    let plain = codes.iter().fold(coloured.clone(), |text, code| text.replace(code, ""));
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_ne!(coloured, plain);
    assert_eq!(trimmed(&plain), trimmed(&table(&checks)));
}
