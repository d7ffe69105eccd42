//! When each probe is sent.

use super::*;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;

const INTERVAL: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(1);

fn schedule(probes: usize) -> Schedule {
    let mut schedule = Schedule::new(probes, INTERVAL, TIMEOUT);
    schedule.begin(NOW);
    schedule
}

#[test]
fn probes_are_spread_over_the_interval() {
    let mut schedule = schedule(120);
    let sent: Vec<_> = (0..24).map(|tick| schedule.due(later(tick * 250)).len()).collect();
    assert_eq!(sent.iter().sum::<usize>(), 231, "each once in an interval: {sent:?}");
    assert!(sent.iter().all(|count| *count <= 11), "{sent:?}");
}

#[test]
fn a_probe_under_way_is_not_sent_again() {
    let mut schedule = schedule(1);
    assert_eq!(schedule.due(NOW), [0]);
    schedule.sent(0, 7, NOW);
    assert!(schedule.due(later(3_000)).is_empty());
    assert_eq!(schedule.answered(7), Some(0));
    assert_eq!(schedule.due(later(3_250)), [0]);
}

#[test]
fn a_probe_that_never_comes_back_is_given_up() {
    let mut schedule = schedule(1);
    assert_eq!(schedule.due(NOW), [0]);
    schedule.sent(0, 7, NOW);
    assert!(schedule.due(later(3_750)).is_empty());
    assert_eq!(schedule.due(later(4_000)), [0]);
    assert_eq!(schedule.answered(7), None, "nobody waits for it any more");
}

#[test]
fn an_answer_under_a_number_that_nobody_knows_is_nobodys() {
    assert_eq!(schedule(3).answered(1), None);
}

#[test]
fn a_worker_that_was_held_up_does_not_send_everything_at_once() {
    let mut schedule = schedule(120);
    let _ = schedule.due(NOW);
    let sent: Vec<_> = (0..12).map(|tick| schedule.due(later(60_000 + tick * 250)).len()).collect();
    assert!(sent.iter().all(|count| *count <= 11), "{sent:?}");
    assert!(sent.iter().sum::<usize>() >= 110, "{sent:?}");
}

#[test]
fn never_more_than_a_bounded_number_at_a_tick() {
    let mut schedule = schedule(600);
    let _ = schedule.due(NOW);
    assert_eq!(schedule.due(later(2_999)).len(), 64);
}

#[test]
fn a_clock_that_is_set_back_holds_nobody_up() {
    let mut schedule = schedule(3);
    let _ = schedule.due(NOW);
    let back = |millis: u64| Timestamp(NOW.0 - 600_000 + millis);
    let sent: Vec<_> = (0..12).flat_map(|tick| schedule.due(back(tick * 250))).collect();
    assert_eq!(sent, [0, 1, 2]);
}
