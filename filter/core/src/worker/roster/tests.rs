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

fn renew(member: &Member, host: &Host, now: Timestamp) -> Option<usize> {
    member.renew(host, now, queue).map(|renewed| renewed.number)
}

/// Workers that have taken their slots.
fn members(host: &Host, count: usize) -> Vec<Member> {
    let members: Vec<Member> = (0..count).map(|_| Member::default()).collect();
    for (number, member) in members.iter().enumerate() {
        assert_eq!(renew(member, host, NOW), Some(number));
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
        assert_eq!(renew(&members[1], &host, later(seconds)), Some(1));
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
    assert_eq!(renew(&Member::default(), &host, later(10)), Some(1));
    assert_eq!(slots(&host), 2);
}

#[test]
fn a_worker_that_was_taken_for_dead_takes_another_slot_and_leaves_that_one_alone() {
    let host = Host::default();
    let slow = members(&host, 1).remove(0);
    let heir = Member::default();
    assert_eq!(renew(&heir, &host, later(10)), Some(0));
    assert_eq!(renew(&slow, &host, later(11)), Some(1));
    assert_eq!(renew(&heir, &host, later(12)), Some(0));
}

/// Members that renew their slots every two seconds, from one second to another; who was told to have ended.
fn live(host: &Host, members: &[Member], seconds: std::ops::Range<u64>) -> Vec<usize> {
    let renewals = seconds.step_by(2).flat_map(|at| members.iter().map(move |member| (member, at)));
    renewals.filter_map(|(member, at)| member.renew(host, later(at), queue)).flat_map(|renewed| renewed.ended).collect()
}

#[test]
fn workers_that_made_room_for_new_ones_have_ended_and_that_is_told_once() {
    let host = Host::default();
    let old = members(&host, 2);
    assert!(live(&host, &old, 0..100).is_empty());
    let new: Vec<Member> = (0..2).map(|_| Member::default()).collect();
    assert!(live(&host, &new, 100..108).is_empty(), "the old ones may only be late");
    assert_eq!(live(&host, &new, 108..200), [0, 1]);
}

#[test]
fn a_worker_that_began_with_others_that_live_has_died_and_does_not_end() {
    let host = Host::default();
    let members = members(&host, 3);
    assert!(live(&host, &members[1..], 0..1000).is_empty());
}

#[test]
fn one_that_died_has_ended_when_new_ones_are_in_the_place_of_all() {
    let host = Host::default();
    let old = members(&host, 2);
    assert!(live(&host, &old[1..], 0..100).is_empty());
    let new = [Member::default()];
    assert_eq!(live(&host, &new, 200..300), [1], "the slot of the first is taken again");
}

#[test]
fn a_hundred_generations_of_workers_need_two_slots_each() {
    let host = Host::default();
    let mut old = members(&host, 4);
    for generation in 1..100 {
        let new: Vec<Member> = (0..4).map(|_| Member::default()).collect();
        live(&host, &old, generation * 60..generation * 60 + 1);
        live(&host, &new, generation * 60..generation * 60 + 60);
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
    assert_eq!(deaf.renew(&host, NOW, |_| None).unwrap().number, 0);
    assert!(Member::default().others(&host, NOW).is_empty());
}

#[test]
fn there_is_no_slot_beyond_the_last_one() {
    let host = Host::default();
    let _members = members(&host, SLOTS);
    assert_eq!(renew(&Member::default(), &host, NOW), None);
    assert_eq!(slots(&host), SLOTS);
}

#[test]
fn a_store_that_fails_has_no_slots() {
    let host = Host::default();
    host.broken.set(true);
    let member = Member::default();
    assert_eq!((renew(&member, &host, NOW), member.others(&host, NOW)), (None, vec![]));
}

#[test]
fn somebody_elses_bytes_are_no_slots() {
    let host = Host::default();
    *host.value.borrow_mut() = Some((vec![99; 7], 3));
    assert!(Member::default().others(&host, NOW).is_empty());
    *host.value.borrow_mut() = Some((vec![99; 7], u32::MAX));
    assert_eq!(renew(&Member::default(), &host, NOW), Some(0));
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
    assert_eq!(renew(&Member::default(), &host, now), Some(0));
}
