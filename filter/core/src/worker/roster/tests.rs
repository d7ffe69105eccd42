//! Members of one list in one store.

use super::*;
use crate::testing::Host;
use crate::testing::NOW;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;

/// The queue of a slot, as the host numbers it.
fn queue(number: usize) -> Option<u32> {
    u32::try_from(number + 100).ok()
}

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

/// Workers that have taken their slots.
fn members(host: &Host, count: usize) -> Vec<Member> {
    let members: Vec<Member> = (0..count).map(|_| Member::default()).collect();
    for (number, member) in members.iter().enumerate() {
        assert_eq!(member.renew(host, NOW, queue), Some(number));
    }
    members
}

fn slots(host: &Host) -> usize {
    host.value.borrow().as_ref().map_or(0, |(bytes, _)| bytes.len() / RECORD)
}

#[test]
fn each_worker_finds_the_queues_of_all_others_and_not_its_own() {
    let host = Host::default();
    let members = members(&host, 3);
    let others: Vec<Vec<u32>> = members.iter().map(|member| member.others(&host, NOW)).collect();
    assert_eq!(others, [vec![101, 102], vec![100, 102], vec![100, 101]]);
}

#[test]
fn a_worker_without_a_slot_rings_everybody() {
    let host = Host::default();
    let _members = members(&host, 2);
    assert_eq!(Member::default().others(&host, NOW), [100, 101]);
}

#[test]
fn a_worker_keeps_its_slot_as_long_as_it_renews_it() {
    let host = Host::default();
    let members = members(&host, 2);
    for seconds in 1..60 {
        assert_eq!(members[1].renew(&host, later(seconds), queue), Some(1));
    }
    assert_eq!(slots(&host), 2);
}

#[test]
fn a_worker_that_does_not_renew_its_slot_is_not_rung_any_more() {
    let host = Host::default();
    let members = members(&host, 2);
    assert_eq!(members[0].others(&host, later(9)), [101]);
    assert!(members[0].others(&host, later(10)).is_empty());
}

#[test]
fn the_next_worker_takes_the_slot_of_one_that_died() {
    let host = Host::default();
    let members = members(&host, 2);
    members[0].renew(&host, later(10), queue);
    assert_eq!(Member::default().renew(&host, later(10), queue), Some(1));
    assert_eq!(slots(&host), 2);
}

#[test]
fn the_next_worker_takes_the_slot_of_one_that_left_at_once() {
    let host = Host::default();
    let members = members(&host, 2);
    assert_eq!(members[0].leave(&host), Some(0));
    assert!(members[1].others(&host, NOW).is_empty());
    assert_eq!(Member::default().renew(&host, NOW, queue), Some(0));
}

#[test]
fn a_worker_that_was_taken_for_dead_takes_another_slot_and_leaves_that_one_alone() {
    let host = Host::default();
    let slow = members(&host, 1).remove(0);
    let heir = Member::default();
    assert_eq!(heir.renew(&host, later(10), queue), Some(0));
    assert_eq!(slow.renew(&host, later(11), queue), Some(1));
    assert_eq!(heir.renew(&host, later(12), queue), Some(0));
}

#[test]
fn a_worker_that_was_taken_for_dead_does_not_give_back_what_is_another_ones() {
    let host = Host::default();
    let slow = members(&host, 1).remove(0);
    let heir = Member::default();
    heir.renew(&host, later(10), queue);
    assert_eq!(slow.leave(&host), None);
    assert_eq!(slow.others(&host, later(10)), [100]);
}

#[test]
fn a_hundred_generations_of_workers_that_leave_in_order_need_two_slots_each() {
    let host = Host::default();
    let mut old = members(&host, 4);
    for generation in 0..100 {
        let new: Vec<Member> = (0..4).map(|_| Member::default()).collect();
        new.iter().for_each(|member| assert!(member.renew(&host, later(generation), queue).is_some()));
        old.iter().for_each(|member| assert!(member.leave(&host).is_some()));
        old = new;
    }
    assert_eq!(slots(&host), 8);
}

#[test]
fn who_registers_a_queue_holds_its_slot_whoever_races_for_it() {
    let host = Host::default();
    let (one, other) = (Member::default(), Member::default());
    let mut registered = Vec::new();
    one.renew(&host, NOW, |number| {
        registered.push(number);
        // Somebody else begins in between, and the write that was under way is lost.
        if other.is_due(NOW) {
            other.renew(&host, NOW, queue);
        }
        queue(number)
    });
    assert_eq!((registered, one.others(&host, NOW), other.others(&host, NOW)), (vec![0, 0], vec![101], vec![100]));
}

#[test]
fn a_worker_whose_queue_the_host_refuses_has_a_slot_and_is_not_rung() {
    let host = Host::default();
    let deaf = Member::default();
    assert_eq!(deaf.renew(&host, NOW, |_| None), Some(0));
    assert!(Member::default().others(&host, NOW).is_empty());
}

#[test]
fn there_is_no_slot_beyond_the_last_one() {
    let host = Host::default();
    let _members = members(&host, SLOTS);
    assert_eq!(Member::default().renew(&host, NOW, queue), None);
    assert_eq!(slots(&host), SLOTS);
}

#[test]
fn a_store_that_fails_has_no_slots() {
    let host = Host::default();
    host.broken.set(true);
    let member = Member::default();
    assert_eq!((member.renew(&host, NOW, queue), member.others(&host, NOW)), (None, vec![]));
}

#[test]
fn somebody_elses_bytes_are_no_slots() {
    let host = Host::default();
    *host.value.borrow_mut() = Some((vec![99; 7], 3));
    assert!(Member::default().others(&host, NOW).is_empty());
    *host.value.borrow_mut() = Some((vec![99; 7], u32::MAX));
    assert_eq!(Member::default().renew(&host, NOW, queue), Some(0));
}

#[test]
fn renewing_is_due_every_two_seconds_and_when_the_clock_was_put_back() {
    let member = Member::default();
    member.renew(&Host::default(), NOW, queue);
    let before = Timestamp(NOW.0 - 1);
    assert_eq!([NOW, later(1), later(2), before].map(|now| member.is_due(now)), [false, false, true, true]);
}

#[test]
fn a_slot_that_was_renewed_far_ahead_of_the_clock_is_not_held_for_good() {
    let host = Host::default();
    let _ahead = members(&host, 1);
    let now = Timestamp(NOW.0 - 60_000);
    assert_eq!(Member::default().renew(&host, now, queue), Some(0));
}
