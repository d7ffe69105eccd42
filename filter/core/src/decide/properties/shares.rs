//! Shares: of many requests with numbers of their own, each region gets what the policy says, within six standard deviations.

use super::*;

const REQUESTS: u32 = 2_000;
const NOW: Timestamp = Timestamp(1_000_000);

/// Random numbers as the filter makes them (splitmix64).
fn numbers(seed: u64) -> impl Iterator<Item = u32> {
    (1..=u64::from(REQUESTS)).map(move |step| {
        let state = seed.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 32) as u32
    })
}

/// Whether so many of them are about so many percent.
fn is_about(percent: f64, count: usize, of: usize) -> bool {
    let (share, of) = (percent / 100.0, of as f64);
    (count as f64 - share * of).abs() <= 6.0 * (share * (1.0 - share) * of).sqrt() + 1.0
}

/// A rule that shares its requests out, asked for nothing, with no drill at that time.
fn shared() -> impl Strategy<Value = (Drawn, Ask)> {
    let is_shared = |(drawn, ask): &(Drawn, Ask)| !drawn.rule(ask).distribute.is_empty();
    let nothing = |(drawn, mut ask): (Drawn, Ask)| {
        ask.wish = Wish::Nothing;
        (drawn, ask)
    };
    (policies(), asks()).prop_map(nothing).prop_filter("a rule that shares out", is_shared)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn an_ejected_regions_share_goes_to_the_next_in_order_and_the_others_keep_theirs((drawn, ask) in shared(), seed in any::<u64>()) {
        let rule = drawn.rule(&ask);
        let (lost, share) = rule.distribute[0];
        let mut health = Health::default();
        health.eject(key(ask.service, lost), Timestamp(NOW.0 + 1_000));
        let decisions: Vec<Decision> = numbers(seed).map(|random| drawn.decide(&health, &ask, Timestamp(1), random)).collect();
        for (region, share) in &rule.distribute {
            let count = decisions.iter().filter(|decision| decision.want.index() == *region).count();
            prop_assert!(is_about(f64::from(*share), count, decisions.len()), "{count} want r{region}, which has {share} %");
        }
        let next = rule.order(lost).get(1).copied();
        for decision in decisions.iter().filter(|decision| decision.want.index() == lost) {
            let chosen = decision.chosen().map(RegionId::index);
            prop_assert_eq!(chosen, next.or((!rule.fails).then_some(lost)), "of {} %", share);
        }
    }

    #[test]
    fn a_returning_region_gets_the_ramps_share_of_what_wants_it_whatever_distribute_did((drawn, ask) in shared(), seed in any::<u64>(), ago in 0_u64..60_000) {
        let rule = drawn.rule(&ask);
        let (back, _) = rule.distribute[0];
        let key = key(ask.service, back);
        let mut health = Health::default();
        bring_back(&mut health, &drawn.policy, key, Timestamp(NOW.0 - ago));
        let Availability::Ramping(percent) = health.availability(key, NOW, drawn.policy.health()) else { return Ok(()) };
        let decisions = numbers(seed).map(|random| drawn.decide(&health, &ask, NOW, random));
        let wanting: Vec<Decision> = decisions.filter(|decision| decision.want.index() == back && decision.drilled.is_empty()).collect();
        // A drill that has begun takes its share of the numbers away, and where there is nobody else the region gets everything.
        if drawn.policy.is_drilling(NOW) || rule.order(back).len() == 1 {
            return Ok(());
        }
        let count = wanting.iter().filter(|decision| decision.chosen() == Some(key.region)).count();
        prop_assert!(is_about(f64::from(percent), count, wanting.len()), "{count} of {} for {percent} %", wanting.len());
    }

    #[test]
    fn drills_take_as_much_as_the_largest_of_them_says(drawn in policies(), ask in asks(), seed in any::<u64>()) {
        let service = key(ask.service, 0).service;
        for region in (0..REGIONS).map(|region| RegionId::at(region).unwrap()) {
            let runs = |drill: &&crate::Drill| {
                let about = drill.services.is_empty() || drill.services.contains(&service);
                drill.region == region && drill.from <= NOW && NOW < drill.until && about
            };
            let percent = drawn.policy.drills().iter().filter(runs).map(|drill| drill.percent).max().unwrap_or(0);
            let decisions = numbers(seed).map(|random| drawn.decide(&Health::default(), &ask, NOW, random));
            let count = decisions.filter(|decision| decision.drilled.takes(region, drawn.policy.drills())).count();
            prop_assert!(is_about(f64::from(percent), count, REQUESTS as usize), "{count} for {percent} %");
        }
    }
}
