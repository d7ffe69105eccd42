//! The lease: never two, and never nobody for long.

use super::*;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;

const TERM: Duration = Duration::from_secs(3);

fn worker() -> Lease {
    Lease::new(TERM, NOW, 1)
}

#[test]
fn the_first_one_takes_it_and_the_others_do_not() {
    let (host, mut one, mut other) = (Host::default(), worker(), worker());
    assert!(one.hold(&host, NOW));
    assert!(!other.hold(&host, NOW));
}

#[test]
fn the_holder_keeps_it_for_as_long_as_it_comes_back_in_time() {
    let (host, mut one, mut other) = (Host::default(), worker(), worker());
    for tick in 0..400 {
        assert!(one.hold(&host, later(tick * 250)));
        assert!(!other.hold(&host, later(tick * 250 + 100)));
    }
    assert!(host.writes.get() <= 70, "it is renewed when half of it is over: {}", host.writes.get());
}

#[test]
fn another_takes_over_within_two_intervals_after_the_holder_is_gone() {
    let (host, mut one, mut other) = (Host::default(), worker(), worker());
    let mut gone = 0;
    while gone <= 5_000 {
        let _ = one.hold(&host, later(gone));
        gone += 250;
    }
    let taken = (gone..).step_by(250).find(|millis| other.hold(&host, later(*millis))).unwrap();
    assert!(later(taken).since(later(gone)) <= TERM * 2, "{taken} - {gone}");
}

#[test]
fn a_holder_that_comes_back_late_does_not_ask_beside_the_new_one() {
    let (host, mut one, mut other) = (Host::default(), worker(), worker());
    assert!(one.hold(&host, NOW));
    assert!(other.hold(&host, later(3_000)));
    assert!(!one.hold(&host, later(3_001)));
    assert!(other.hold(&host, later(3_250)));
}

#[test]
fn a_worker_of_a_newer_configuration_takes_it_at_once_and_the_old_one_never_back() {
    let (host, mut old) = (Host::default(), worker());
    assert!(old.hold(&host, NOW));
    let mut new = Lease::new(Duration::from_secs(60), later(10), 2);
    assert!(new.hold(&host, later(10)));
    for tick in 1..100 {
        assert!(!old.hold(&host, later(tick * 250)));
        assert!(new.hold(&host, later(tick * 250)));
    }
}

#[test]
fn workers_of_one_configuration_wait_for_each_other_however_late_they_were_configured() {
    let (host, mut one, mut other) = (Host::default(), worker(), Lease::new(TERM, later(10), 1));
    assert!(one.hold(&host, NOW));
    assert!(!other.hold(&host, later(10)));
    assert!(one.hold(&host, later(250)));
}

#[test]
fn a_clock_that_is_set_back_does_not_leave_everybody_silent() {
    let (host, mut one, mut other) =
        (Host::default(), Lease::new(TERM, Timestamp(0), 1), Lease::new(TERM, Timestamp(0), 1));
    assert!(one.hold(&host, NOW));
    let back = Timestamp(NOW.0 - 600_000);
    assert!(other.hold(&host, back));
    assert!(!one.hold(&host, back));
}

#[test]
fn a_clock_that_is_set_forward_leaves_one_of_them() {
    let (host, mut one, mut other) = (Host::default(), worker(), worker());
    assert!(one.hold(&host, NOW));
    let forward = later(86_400_000);
    let holders = [other.hold(&host, forward), one.hold(&host, forward)];
    assert_eq!(holders, [true, false]);
}

#[test]
fn who_cannot_read_the_store_does_not_ask() {
    let (host, mut one) = (Host::default(), worker());
    assert!(one.hold(&host, NOW));
    host.broken.set(true);
    assert!(!one.hold(&host, later(250)));
    host.broken.set(false);
    assert!(one.hold(&host, later(500)));
}

#[test]
fn somebody_elses_bytes_are_no_lease() {
    let (host, mut one) = (Host::default(), worker());
    *host.value.borrow_mut() = Some((vec![7; 41], 9));
    assert!(one.hold(&host, NOW));
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        /// Workers look in any order, at any time, some from a newer configuration, and the clock is set as it likes.
        #[test]
        fn two_never_hold_it_at_once(
            births in vec((0_u64..3, 0_u16..2), 4),
            looks in vec((0_usize..4, -4_000_i64..4_000), 1..200),
        ) {
            let host = Host::default();
            let mut workers: Vec<_> = births.iter().map(|(born, revision)| Lease::new(TERM, later(born * 1_000), *revision)).collect();
            let mut now = later(600_000);
            let mut holder = None;
            for (index, step) in looks {
                now = Timestamp(now.0.saturating_add_signed(step));
                if workers[index].hold(&host, now) {
                    holder = Some(index);
                }
                // Whoever else thinks it holds it learns otherwise when it looks, and nobody asks without looking.
                let mut again: Vec<_> = workers.to_vec();
                let holding: Vec<_> = (0..4).filter(|at| Some(*at) != holder && is_held_by(&mut again[*at], &host)).collect();
                prop_assert!(holding.is_empty(), "{holding:?} beside {holder:?}");
            }
        }
    }

    /// Whether what is in the store is what this worker wrote.
    fn is_held_by(worker: &mut Lease, host: &Host) -> bool {
        let bytes = host.value.borrow().as_ref().map(|(bytes, _)| bytes.clone());
        worker.is_written(&bytes.unwrap_or_default())
    }
}
