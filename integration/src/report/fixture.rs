//! A minute at two hundred requests a second through the loss of a region, with all that a page must be able to show.

use std::time::Duration;

use crate::timeline::{Check, Event, EventKind, Run, Sample, SampleOutcome};

/// The region that is lost.
pub(super) const PRIMARY: &str = "PRIMARY (San Jose)";
/// The region that takes over.
pub(super) const SECONDARY: &str = "SECONDARY (Chicago)";

/// The run: primary stops at 15 s, is ejected at 15.4 s, returns at 30 s, is taken back at 33 s and ramps for 12 s.
pub(super) fn outage() -> Run {
    let samples = (0..12_000).map(sample).collect();
    Run {
        title: "Losing a region under load".into(),
        facts: [
            ("Envoy", "1.40.0"),
            ("Workers", "2"),
            ("Rate", "200 requests per second"),
            ("Policy", "policy-without-rescue.yaml, revision 3f9a"),
            ("Ejection", "after 5 gateway errors, for 3 s"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into(),
        samples,
        events: vec![
            event(0.0, "steady", EventKind::Note),
            event(15.0, "productpage in primary stopped", EventKind::Stopped),
            event(15.41, "us-sanjose-1 ejected for 3 s", EventKind::Ejected),
            event(15.42, "us-sanjose-1 ejected for 3 s", EventKind::Ejected),
            event(18.5, "half-open: one request refused", EventKind::Note),
            event(18.6, "us-sanjose-1 ejected for 6 s", EventKind::Ejected),
            event(30.0, "productpage in primary started", EventKind::Returned),
            event(33.0, "us-sanjose-1 readmitted, ramping", EventKind::Readmitted),
            event(45.2, "us-sanjose-1 healthy", EventKind::Note),
        ],
        checks: vec![
            check("Region header", "region: us-west", "PRIMARY (San Jose)", "PRIMARY (San Jose)", true),
            check("Traffic moves", "productpage of primary stopped", "0.41 s", "under 1 s", true),
            check(
                "Failed requests",
                "12,000 requests through the outage",
                "7, all pinned to primary",
                "at most 7",
                true,
            ),
            check("Traffic returns", "productpage of primary started", "after 3.0 s", "within 10 s, in a ramp", true),
        ],
    }
}

fn sample(index: u32) -> Sample {
    let at = f64::from(index) / 200.0;
    let noise = f64::from(index.wrapping_mul(2_654_435_761) >> 8) / f64::from(1_u32 << 24);
    let kind = ["no header", "asks us-sanjose-1", "asks us-chicago-1"][index as usize % 3];
    let wants_primary = kind != "asks us-chicago-1";
    let share = ((at - 33.0) / 12.0).clamp(0.0, 1.0);
    let (phase, primary) = match at {
        at if at < 15.0 => ("steady", true),
        at if at < 30.0 => ("primary lost", false),
        _ => ("primary back", noise < share),
    };
    let dying = (15.0..15.4).contains(&at) && wants_primary && noise < 0.12;
    let served = if wants_primary && primary { PRIMARY } else { SECONDARY };
    let reason = match (wants_primary && !primary, kind) {
        (true, _) if at >= 33.0 => "ramp",
        (true, _) => "failover",
        (false, "no header") => "local",
        (false, _) => "asked",
    };
    let slow = if (15.0..15.4).contains(&at) { 40.0 } else { 1.0 };
    Sample {
        at: Duration::from_secs_f64(at),
        kind: kind.into(),
        outcome: match (dying, index % 2) {
            (false, _) => SampleOutcome::Status(200),
            (true, 0) => SampleOutcome::Status(503),
            (true, _) => SampleOutcome::Error("connection reset by peer".into()),
        },
        served_by: (!dying).then(|| served.into()),
        decision: (!dying).then(|| format!("chosen=us-chicago-1, reason={reason}, rule=everyone")),
        latency: Duration::from_secs_f64((0.0011 + 0.0006 * noise + 0.02 * noise.powi(60)) * slow),
        phase: phase.into(),
    }
}

fn event(at: f64, label: &str, kind: EventKind) -> Event {
    Event { at: Duration::from_secs_f64(at), label: label.into(), kind }
}

/// A check in one line.
pub(super) fn check(name: &str, asked: &str, seen: &str, expected: &str, passed: bool) -> Check {
    Check { name: name.into(), asked: asked.into(), seen: seen.into(), expected: expected.into(), passed }
}
