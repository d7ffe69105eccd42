//! The way back: a share that grows.

use super::*;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;

/// A minute from a tenth on, in a straight line.
fn ramped() -> HealthSettings {
    HealthSettings { warmup: Warmup::default(), ..settings() }
}

fn back_at_30() -> Health {
    let mut health = Health::default();
    health.eject(A, at(30));
    assert!(health.take_token(A, at(30), &ramped()));
    let event = Event { key: A, outcome: Outcome::Success, probe: true };
    assert_eq!(only(health.record(event, at(30), &ramped(), 2)), Transition::Readmitted { ramps: true });
    health
}

#[test]
fn a_region_that_comes_back_gets_a_share_that_grows() {
    let health = back_at_30();
    for (second, percent) in [(30, 10), (36, 10), (45, 25), (60, 50), (89, 98)] {
        assert_eq!(health.availability(A, at(second), &ramped()), Availability::Ramping(percent), "at {second} s");
    }
    assert_eq!(health.availability(A, at(90), &ramped()), Availability::Usable);
}

#[test]
fn the_native_table_is_not_right_before_the_ramp_is_over() {
    let mut health = back_at_30();
    assert!(!health.is_calm());
    assert!(health.age(at(89), &ramped()).is_empty());
    let warm = health.age(at(90), &ramped());
    assert_eq!(warm, [Change { key: A, transition: Transition::Warm }]);
    assert!(health.is_calm());
}

#[test]
fn a_region_that_fails_on_its_ramp_is_ejected_for_longer() {
    let mut health = back_at_30();
    assert_eq!(duration(eject(&mut health, A, 40)), 60);
}

#[test]
fn an_aggressive_ramp_is_steep_at_first() {
    let (straight, steep) = (Ramp::new(Duration::from_secs(100), 0, 100), Ramp::new(Duration::from_secs(100), 0, 200));
    assert_eq!(straight.percent(Duration::from_secs(25)), 25);
    assert_eq!(steep.percent(Duration::from_secs(25)), 50);
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_ramp_never_goes_down(
            (seconds, minimum, aggression) in (0_u64..10_000, 0_u8..=100, 10_u32..=1_000),
            (early, late) in (0_u64..20_000_000, 0_u64..20_000_000),
        ) {
            let ramp = Ramp::new(Duration::from_secs(seconds), minimum, aggression);
            let (early, late) = (early.min(late), early.max(late));
            let (before, after) = (ramp.percent(Duration::from_millis(early)), ramp.percent(Duration::from_millis(late)));
            prop_assert!(minimum <= before && before <= after && after <= 100);
        }
    }
}
