//! Plays that are written down, request by request.

use integration::timeline::SampleOutcome;

use super::*;
use crate::outage::SURVIVOR;

const LOSS: u64 = 2_000;
const BACK: u64 = 5_000;
const END: u64 = 10_000;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A request at each tenth of a second, in turn for each region, that got what `answer` says: a status, a tag and a latency.
fn story(answer: impl Fn(u64, &str) -> (u16, &'static str, u64)) -> Story {
    let sample = |number: u64| {
        let (at, kind) = (number * 50, if number.is_multiple_of(2) { LOST } else { SURVIVOR });
        let (status, tag, latency) = answer(at, kind);
        Sample {
            at: ms(at),
            kind: kind.to_owned(),
            outcome: SampleOutcome::Status(status),
            served_by: Some(tag.to_owned()),
            decision: None,
            latency: ms(latency),
            phase: String::new(),
        }
    };
    Story {
        moments: Moments { lost: ms(LOSS), given_back: ms(BACK), serves: ms(BACK + 200) },
        open: (0..END / 50).map(sample).collect(),
        fenced: 0,
        outside: 0,
        at_survivor: 60,
    }
}

fn tag(kind: &str) -> &'static str {
    if kind == LOST { LOST_TAG } else { SURVIVOR_TAG }
}

#[test]
fn what_fails_until_it_is_moved_is_counted_and_timed() {
    let row = Row::of(&story(|at, kind| match (at, kind) {
        (LOSS..2_500, LOST) => (503, "", 1_000),
        (LOSS..6_000, _) => (200, SURVIVOR_TAG, 1),
        _ => (200, tag(kind), 1),
    }));
    assert_eq!((row.failed, row.sent), (5, 160));
    assert_eq!((row.to_move, row.p99), (Some(ms(500)), ms(1_000)));
    assert!((row.as_asked - 1.0).abs() < 1e-9);
    // 60 requests in the three seconds, 60 at the survivor.
    assert!((row.survivor_load - 1.0).abs() < 1e-9);
}

#[test]
fn who_is_served_late_has_not_moved() {
    let row = Row::of(&story(|at, kind| match (at, kind) {
        (LOSS..BACK, LOST) => (200, SURVIVOR_TAG, 1_001),
        _ => (200, tag(kind), 1),
    }));
    assert_eq!((row.failed, row.late, row.to_move), (0, 30, None));
}

#[test]
fn all_at_once_is_a_jump_of_all() {
    let row = Row::of(&story(|at, kind| match (at, kind) {
        (LOSS..7_000, _) => (200, SURVIVOR_TAG, 1),
        _ => (200, tag(kind), 1),
    }));
    assert_eq!(row.to_return, Some(ms(1_800)));
    assert!((row.jump - 1.0).abs() < 1e-9);
}

#[test]
fn a_ramp_is_a_row_of_small_jumps() {
    // One more in ten with each half second.
    let row = Row::of(&story(|at, kind| match (at, kind) {
        (LOSS.., LOST) if at < BACK || (at / 100) % 10 >= (at - BACK) / 500 => (200, SURVIVOR_TAG, 1),
        _ => (200, tag(kind), 1),
    }));
    assert!(row.jump < 0.35, "{row:?}");
    assert!(row.to_return >= Some(ms(4_000)) || row.to_return.is_none(), "{row:?}");
}

#[test]
fn it_is_back_when_its_last_seconds_were_all_its_own() {
    let play = story(|at, kind| match (at, kind) {
        (LOSS..6_000, LOST) => (200, SURVIVOR_TAG, 1),
        _ => (200, tag(kind), 1),
    });
    assert!(!is_back(&play.open, ms(9_500)));
    assert!(is_back(&play.open, ms(END)));
    assert!(!is_back(&[], ms(END)));
}
