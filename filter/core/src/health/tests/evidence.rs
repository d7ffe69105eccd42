//! Evidence other than errors in a row.

use super::*;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;

fn mixed(health: &mut Health, key: CellKey, failures: u32, successes: u32, outcome: Outcome) -> Option<Cause> {
    let mut cause = None;
    for index in 0..failures + successes {
        let failed = index * failures / (failures + successes) != (index + 1) * failures / (failures + successes);
        let event = Event { key, outcome: if failed { outcome } else { Outcome::Success }, probe: false };
        for change in health.record(event, at(0), &settings(), 2).iter().flatten() {
            if let Transition::Ejected { cause: found, .. } = change.transition {
                cause = Some(found);
            }
        }
    }
    cause
}

#[test]
fn half_of_many_requests_failing_ejects_though_no_row_is_long_enough() {
    let mut health = Health::default();
    assert_eq!(mixed(&mut health, A, 60, 60, Outcome::ServerError), Some(Cause::FailurePercentage));
}

#[test]
fn a_few_requests_say_nothing_about_a_percentage() {
    let mut health = Health::default();
    assert_eq!(mixed(&mut health, A, 30, 30, Outcome::ServerError), None);
}

#[test]
fn what_fails_everywhere_is_not_moved() {
    let mut health = Health::default();
    assert_eq!(mixed(&mut health, A, 60, 60, Outcome::ServerError), Some(Cause::FailurePercentage));
    assert_eq!(mixed(&mut health, B, 60, 60, Outcome::ServerError), None, "it is the last one in use");
}

#[test]
fn what_fails_alike_in_every_region_is_moved_in_none() {
    let mut health = Health::default();
    for round in 0..100 {
        for key in [A, B] {
            let outcome = if round % 2 == 0 { Outcome::ServerError } else { Outcome::Success };
            assert_eq!(record(&mut health, key, outcome, 0), Transition::None);
        }
    }
}

/// The other region's window is over at second 10, and only successes come until its next failure opens another one.
#[test]
fn between_two_windows_a_region_fails_as_it_did_in_the_last() {
    let mut health = Health::default();
    assert_eq!(mixed(&mut health, B, 50, 40, Outcome::ServerError), None);
    assert_eq!(record(&mut health, B, Outcome::Success, 10), Transition::None);
    for _ in 0..200 {
        assert_eq!(record(&mut health, A, Outcome::ServerError, 11), Transition::None);
    }
    for outcome in [Outcome::ServerError, Outcome::Success, Outcome::Success, Outcome::Success] {
        let _ = record(&mut health, B, outcome, 11);
        assert_eq!(record(&mut health, A, Outcome::ServerError, 12), Transition::None);
    }
}

#[test]
fn a_region_that_fails_less_is_company_for_one_that_fails_more() {
    let mut health = Health::default();
    assert_eq!(mixed(&mut health, B, 10, 20, Outcome::ServerError), None);
    assert_eq!(mixed(&mut health, A, 60, 60, Outcome::ServerError), Some(Cause::FailurePercentage));
}

#[test]
fn what_another_region_did_before_the_window_keeps_nobody() {
    let mut health = Health::default();
    let _ = record(&mut health, B, Outcome::ServerError, 0);
    let mut cause = Transition::None;
    for _ in 0..100 {
        cause = record(&mut health, A, Outcome::ServerError, 20);
    }
    assert!(matches!(cause, Transition::Ejected { cause: Cause::FailurePercentage, .. }), "{cause:?}");
}

#[test]
fn a_window_that_is_over_is_forgotten() {
    let mut health = Health::default();
    let _ = mixed(&mut health, A, 30, 30, Outcome::ServerError);
    let _ = record(&mut health, A, Outcome::Success, 0);
    assert!(!health.is_quiet());
    let _ = health.age(at(10), &settings());
    assert!(!health.is_quiet(), "others are measured by it for as long again");
    let _ = health.age(at(20), &settings());
    assert!(health.is_quiet());
}

#[test]
fn a_region_in_whose_place_others_answer_is_ejected_after_the_interval() {
    let mut health = Health::default();
    for second in 0..10 {
        assert_eq!(record(&mut health, A, Outcome::Absent, second), Transition::None);
    }
    let expected = Transition::Ejected { duration: Duration::from_secs(30), times: 1, cause: Cause::Absent };
    assert_eq!(record(&mut health, A, Outcome::Absent, 10), expected);
}

#[test]
fn one_answer_says_that_a_region_is_there() {
    let mut health = Health::default();
    for second in 0..100 {
        assert_eq!(record(&mut health, A, Outcome::Absent, second), Transition::None);
        if second % 9 == 0 {
            let _ = record(&mut health, A, Outcome::Success, second);
        }
    }
}

#[test]
fn requests_that_wait_for_the_stall_timeout_eject() {
    let mut health = Health::default();
    // They are reported from half of the timeout on.
    assert_eq!(record(&mut health, A, Outcome::Stalled, 0), Transition::None);
    let expected = Transition::Ejected { duration: Duration::from_secs(30), times: 1, cause: Cause::StallTimeout };
    assert_eq!(record(&mut health, A, Outcome::Stalled, 3), expected);
}

#[test]
fn a_region_that_answers_somebody_is_not_stalled() {
    let mut health = Health::default();
    for second in 0..20 {
        assert_eq!(record(&mut health, A, Outcome::Stalled, second), Transition::None);
        let _ = record(&mut health, A, Outcome::Success, second);
    }
}

#[test]
fn a_success_is_news_only_where_something_hangs_on_it() {
    let mut health = Health::default();
    assert_eq!(health.notice(A, NOW), Notice::Never);
    let _ = record(&mut health, A, Outcome::GatewayError, 0);
    assert_eq!(health.notice(A, NOW), Notice::AtOnce);
    let _ = record(&mut health, A, Outcome::Success, 0);
    assert_eq!(health.notice(A, NOW), Notice::Later);
}
