mod blame;
mod evidence;
mod probe;
mod ramp;

use super::*;
use crate::testing::NOW;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;

const A: CellKey = CellKey { service: ServiceId(0), region: RegionId(0) };
const B: CellKey = CellKey { service: ServiceId(0), region: RegionId(1) };

fn settings() -> HealthSettings {
    let outlier_detection = OutlierDetection { consecutive_gateway_errors: 3, ..OutlierDetection::default() };
    let warmup = Warmup { ramp: Ramp::new(Duration::ZERO, 0, 100), ..Warmup::default() };
    HealthSettings { outlier_detection, warmup, ..HealthSettings::default() }
}

/// The one transition of a change, if there was one.
fn only(changes: Changes) -> Transition {
    let mut changes = changes.into_iter().flatten();
    let first = changes.next().map_or(Transition::None, |change| change.transition);
    assert!(changes.next().is_none());
    first
}

fn at(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn record(health: &mut Health, key: CellKey, outcome: Outcome, seconds: u64) -> Transition {
    only(health.record(Event { key, outcome, probe: false }, at(seconds), &settings(), 2))
}

fn probe(health: &mut Health, outcome: Outcome, seconds: u64) -> Transition {
    assert!(health.take_token(A, at(seconds), &settings()));
    only(health.record(Event { key: A, outcome, probe: true }, at(seconds), &settings(), 2))
}

fn eject(health: &mut Health, key: CellKey, seconds: u64) -> Transition {
    (0..3).map(|_| record(health, key, Outcome::GatewayError, seconds)).last().unwrap()
}

fn duration(transition: Transition) -> u64 {
    match transition {
        Transition::Ejected { duration, .. } => duration.as_secs(),
        Transition::None | Transition::Readmitted { .. } | Transition::Warm => 0,
    }
}

#[test]
fn errors_in_a_row_eject_and_one_fewer_does_not() {
    let mut health = Health::default();
    assert_eq!(record(&mut health, A, Outcome::GatewayError, 0), Transition::None);
    assert_eq!(record(&mut health, A, Outcome::GatewayError, 0), Transition::None);
    let expected =
        Transition::Ejected { duration: Duration::from_secs(30), times: 1, cause: Cause::ConsecutiveGatewayErrors };
    assert_eq!(record(&mut health, A, Outcome::GatewayError, 0), expected);
}

#[test]
fn a_success_in_between_starts_the_count_again() {
    let mut health = Health::default();
    for _ in 0..10 {
        let _ = record(&mut health, A, Outcome::GatewayError, 0);
        let _ = record(&mut health, A, Outcome::GatewayError, 0);
        let _ = record(&mut health, A, Outcome::Success, 0);
    }
    assert!(health.is_calm());
}

#[test]
fn successes_that_waited_do_not_end_a_row_that_began_after_them() {
    let mut health = Health::default();
    let _ = record(&mut health, A, Outcome::GatewayError, 0);
    let _ = record(&mut health, A, Outcome::GatewayError, 0);
    health.add_successes(A, 5, at(0), &settings());
    assert!(matches!(record(&mut health, A, Outcome::GatewayError, 0), Transition::Ejected { .. }));
}

#[test]
fn a_row_is_forgotten_by_its_own_age_and_not_by_that_of_the_window() {
    let mut short = settings();
    short.outlier_detection.max_ejection_time = Duration::from_secs(5);
    let mut health = Health::default();
    let fail = |health: &mut Health, seconds| {
        only(health.record(Event { key: A, outcome: Outcome::GatewayError, probe: false }, at(seconds), &short, 2))
    };
    let _ = fail(&mut health, 0);
    let _ = record(&mut health, A, Outcome::Success, 1);
    let _ = (fail(&mut health, 6), fail(&mut health, 6));
    let _ = health.age(at(7), &short);
    assert!(matches!(fail(&mut health, 7), Transition::Ejected { .. }));
}

#[test]
fn an_applications_own_errors_eject_only_when_asked_to() {
    let mut health = Health::default();
    for _ in 0..99 {
        assert_eq!(record(&mut health, A, Outcome::ServerError, 0), Transition::None);
    }
    let mut counting = settings();
    counting.outlier_detection.consecutive_5xx_errors = 2;
    let event = Event { key: B, outcome: Outcome::ServerError, probe: false };
    assert_eq!(only(health.record(event, NOW, &counting, 2)), Transition::None);
    assert_eq!(duration(only(health.record(event, NOW, &counting, 2))), 30);
}

#[test]
fn the_region_next_door_does_not_notice() {
    let mut health = Health::default();
    let _ = eject(&mut health, A, 0);
    assert_eq!(health.availability(B, at(0), &settings()), Availability::Usable);
}

#[test]
fn an_ejected_region_is_half_open_when_its_time_is_over() {
    let mut health = Health::default();
    let _ = eject(&mut health, A, 0);
    assert_eq!(health.availability(A, at(29), &settings()), Availability::Ejected(Duration::from_secs(1)));
    assert_eq!(health.availability(A, at(30), &settings()), Availability::HalfOpen);
}

#[test]
fn one_request_at_a_time_tries_a_half_open_region() {
    let mut health = Health::default();
    let _ = eject(&mut health, A, 0);
    assert!(health.take_token(A, at(30), &settings()));
    assert_eq!(health.availability(A, at(30), &settings()), Availability::HalfOpenBusy);
    assert!(!health.take_token(A, at(30), &settings()));
}

#[test]
fn a_lost_token_is_given_up_after_the_interval() {
    let mut health = Health::default();
    let _ = eject(&mut health, A, 0);
    assert!(health.take_token(A, at(30), &settings()));
    assert_eq!(health.availability(A, at(40), &settings()), Availability::HalfOpen);
    assert!(health.take_token(A, at(40), &settings()));
}

#[test]
fn after_a_try_that_was_served_elsewhere_the_next_waits_a_tenth_of_the_interval() {
    let mut health = Health::default();
    let _ = eject(&mut health, A, 0);
    assert!(health.take_token(A, at(30), &settings()));
    health.return_token(A, at(30), &settings());
    assert_eq!(health.availability(A, at(30), &settings()), Availability::HalfOpenBusy);
    assert!(health.take_token(A, at(31), &settings()));
}

#[test]
fn a_half_open_region_that_answers_is_in_use_again() {
    let mut health = Health::default();
    let _ = eject(&mut health, A, 0);
    assert_eq!(probe(&mut health, Outcome::Success, 30), Transition::Readmitted { ramps: false });
    assert_eq!(health.availability(A, at(30), &settings()), Availability::Usable);
}

#[test]
fn the_nth_ejection_in_a_row_lasts_n_times_as_long() {
    let mut health = Health::default();
    assert_eq!(duration(eject(&mut health, A, 0)), 30);
    assert_eq!(duration(probe(&mut health, Outcome::GatewayError, 30)), 60);
    assert_eq!(duration(probe(&mut health, Outcome::GatewayError, 90)), 90);
}

#[test]
fn no_ejection_lasts_longer_than_the_longest() {
    let mut health = Health::default();
    let (mut last, mut now) = (duration(eject(&mut health, A, 0)), 0);
    for _ in 0..20 {
        now += last;
        last = duration(probe(&mut health, Outcome::GatewayError, now));
    }
    assert_eq!(last, 300);
}

#[test]
fn silence_does_not_shorten_the_next_ejection() {
    let mut health = Health::default();
    let _ = eject(&mut health, A, 0);
    let _ = probe(&mut health, Outcome::Success, 30);
    assert_eq!(duration(eject(&mut health, A, 100_000)), 60);
}

#[test]
fn successes_over_time_shorten_the_next_ejection() {
    let mut health = Health::default();
    let _ = eject(&mut health, A, 0);
    let _ = probe(&mut health, Outcome::Success, 30);
    let _ = record(&mut health, A, Outcome::Success, 40);
    assert!(health.is_quiet(), "and then nothing is known against it");
    assert_eq!(duration(eject(&mut health, A, 41)), 30);
}

#[test]
fn a_burst_of_successes_is_one_piece_of_evidence() {
    let mut health = Health::default();
    let _ = eject(&mut health, A, 0);
    let _ = probe(&mut health, Outcome::GatewayError, 30);
    let _ = probe(&mut health, Outcome::Success, 90);
    for _ in 0..1000 {
        let _ = record(&mut health, A, Outcome::Success, 100);
    }
    assert_eq!(duration(eject(&mut health, A, 101)), 60);
}

#[test]
fn late_answers_from_before_the_ejection_change_nothing() {
    let mut health = Health::default();
    let _ = eject(&mut health, A, 0);
    assert_eq!(record(&mut health, A, Outcome::Success, 1), Transition::None);
    assert_eq!(record(&mut health, A, Outcome::GatewayError, 31), Transition::None);
    assert_eq!(record(&mut health, A, Outcome::Success, 31), Transition::None);
    assert_eq!(health.availability(A, at(31), &settings()), Availability::HalfOpen);
}

#[test]
fn one_region_may_always_be_ejected_and_the_next_only_within_the_percentage() {
    let mut half = settings();
    half.outlier_detection.max_ejection_percent = 50;
    let mut health = Health::default();
    for key in [A, B] {
        for _ in 0..3 {
            let _ = health.record(Event { key, outcome: Outcome::GatewayError, probe: false }, NOW, &half, 2);
        }
    }
    assert_eq!(health.state(A, NOW, &half), State::Ejected);
    assert_eq!(health.state(B, NOW, &half), State::Healthy);
}

#[test]
fn health_is_calm_while_errors_are_only_counted() {
    let mut health = Health::default();
    let _ = record(&mut health, A, Outcome::GatewayError, 0);
    assert!(health.is_calm() && !health.is_quiet());
    let _ = eject(&mut health, A, 0);
    assert!(!health.is_calm());
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// What can happen to one service in four regions, with the seconds since the last thing that happened.
    fn histories() -> impl Strategy<Value = Vec<(u16, u8, u64)>> {
        vec((0_u16..4, 0_u8..7, 0_u64..40), 0..200)
    }

    fn outcome(what: u8) -> Outcome {
        match what {
            0 => Outcome::Success,
            1 => Outcome::GatewayError,
            2 => Outcome::Retried,
            3 => Outcome::ServerError,
            4 => Outcome::Unreachable,
            5 => Outcome::Absent,
            _ => Outcome::Stalled,
        }
    }

    fn any_settings() -> impl Strategy<Value = HealthSettings> {
        let errors = (0_u32..4, 0_u32..4, proptest::option::of((1_u8..=100, 1_u32..10)));
        (errors, 1_u64..20, 1_u64..60, 1_u32..5, 0_u8..=100, 1_u64..10, 0_u64..60).prop_map(
            |((gateway, server, share), interval, base, times, percent, stall, ramp)| {
                let base = Duration::from_secs(base);
                let outlier_detection = OutlierDetection {
                    consecutive_gateway_errors: gateway,
                    consecutive_5xx_errors: server,
                    interval: Duration::from_secs(interval),
                    base_ejection_time: base,
                    max_ejection_time: base * times,
                    max_ejection_percent: percent,
                    failure_percentage: share
                        .map(|(threshold, request_volume)| FailurePercentage { threshold, request_volume }),
                    stall_timeout: Duration::from_secs(stall),
                };
                let warmup = Warmup { ramp: Ramp::new(Duration::from_secs(ramp), 10, 100), ..Warmup::default() };
                HealthSettings { outlier_detection, warmup, ..HealthSettings::default() }
            },
        )
    }

    fn replay(history: &[(u16, u8, u64)], mut each: impl FnMut(&Health, Timestamp)) -> Health {
        let (mut health, mut now) = (Health::default(), NOW);
        for (region, what, seconds) in history {
            let key = CellKey { service: ServiceId(0), region: RegionId(*region) };
            now = now.plus(Duration::from_secs(*seconds));
            let probe = health.take_token(key, now, &settings());
            let event = Event { key, outcome: outcome(*what), probe };
            let _ = health.record(event, now, &settings(), 4);
            each(&health, now);
        }
        health
    }

    proptest! {
        #[test]
        fn health_survives_the_way_through_bytes(history in histories()) {
            let health = replay(&history, |_, _| {});
            prop_assert_eq!(Health::from_bytes(&health.to_bytes()), Some(health));
        }

        #[test]
        fn any_bytes_are_health_or_nothing(bytes in vec(any::<u8>(), 0..200)) {
            if let Some(health) = Health::from_bytes(&bytes) {
                prop_assert_eq!(health.to_bytes(), bytes);
            }
        }

        #[test]
        fn nobody_is_ejected_for_longer_than_the_longest(history in histories()) {
            let longest = settings().outlier_detection.max_ejection_time;
            replay(&history, |health, now| {
                for region in 0..4 {
                    let key = CellKey { service: ServiceId(0), region: RegionId(region) };
                    if let Availability::Ejected(left) = health.availability(key, now, &settings()) {
                        assert!(left <= longest);
                    }
                }
            });
        }

        #[test]
        fn a_region_is_ejected_once_per_base_ejection_time_and_not_back_before_whatever_the_settings(
            settings in any_settings(), history in histories(),
        ) {
            let (mut health, mut now) = (Health::default(), NOW);
            let mut ejected = std::collections::BTreeMap::new();
            for (number, what, seconds) in &history {
                // Two services, so that a region can be lost whole.
                let key = CellKey { service: ServiceId(*number % 2), region: RegionId(*number / 2) };
                now = now.plus(Duration::from_secs(*seconds));
                let probe = health.take_token(key, now, &settings);
                let event = Event { key, outcome: outcome(*what), probe };
                let changes = health.record(event, now, &settings, 2).into_iter().flatten();
                for change in changes.chain(health.age(now, &settings)) {
                    let before = match change.transition {
                        Transition::Ejected { .. } => ejected.insert(change.key, now),
                        Transition::Readmitted { .. } => ejected.get(&change.key).copied(),
                        Transition::Warm | Transition::None => None,
                    };
                    let apart = before.map_or(Duration::MAX, |before| before.elapsed(now));
                    prop_assert!(apart >= settings.outlier_detection.base_ejection_time, "{change:?} after {apart:?}");
                }
            }
        }

        #[test]
        fn enough_real_successes_make_everything_quiet_again(history in histories()) {
            let mut health = replay(&history, |_, _| {});
            let mut now = NOW.plus(Duration::from_secs(1_000_000));
            for _ in 0..400 {
                now = now.plus(settings().outlier_detection.interval);
                for region in 0..4 {
                    let key = CellKey { service: ServiceId(0), region: RegionId(region) };
                    let probe = health.take_token(key, now, &settings());
                    let _ = health.record(Event { key, outcome: Outcome::Success, probe }, now, &settings(), 4);
                }
                let _ = health.age(now, &settings());
            }
            prop_assert!(health.is_quiet());
        }
    }
}
