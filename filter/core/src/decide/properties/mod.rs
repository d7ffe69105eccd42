//! What holds for any policy, health, request, time and random number.

mod drawn;
mod history;
mod shares;

use super::*;
use crate::ids::RegionId;
use crate::policy::Table;
use drawn::{Ask, Drawn, REGIONS, Wish, asks, policies};
use history::{History, bring_back, health, histories, key};
use proptest::prelude::*;
use std::time::Duration;

/// Everything that a decision is made of.
#[derive(Clone, Debug)]
struct Case {
    drawn: Drawn,
    history: History,
    ask: Ask,
    /// Milliseconds since the last thing that happened.
    later: u64,
    random: u32,
}

fn cases() -> impl Strategy<Value = Case> {
    (policies(), histories(), asks(), 0_u64..20_000, any::<u32>())
        .prop_map(|(drawn, history, ask, later, random)| Case { drawn, history, ask, later, random })
}

impl Case {
    fn health(&self) -> (Health, Timestamp) {
        let (health, now) = health(&self.drawn.policy, &self.history, self.ask.service);
        (health, now.plus(Duration::from_millis(self.later)))
    }

    fn decide(&self) -> Decision {
        let (health, now) = self.health();
        self.drawn.decide(&health, &self.ask, now, self.random)
    }

    /// The regions of the request's order, as the document has it, each with whether it can be used.
    fn candidates(&self, decision: &Decision) -> Vec<(usize, Availability)> {
        let ((health, now), policy) = (self.health(), &self.drawn.policy);
        let one = |region: usize| {
            let id = RegionId::at(region).unwrap();
            let taken = decision.drilled.takes(id, policy.drills());
            let key = key(self.ask.service, region);
            (region, if taken { Availability::Drilled } else { health.availability(key, now, policy.health()) })
        };
        self.drawn.rule(&self.ask).order(decision.want.index()).into_iter().map(one).collect()
    }
}

/// Nothing but a token gets a request there.
fn is_out(availability: Availability) -> bool {
    matches!(availability, Availability::Ejected(_) | Availability::HalfOpenBusy | Availability::Drilled)
}

proptest! {
    #[test]
    fn whatever_is_chosen_and_wherever_a_retry_goes_is_inside_the_fence(case in cases()) {
        let (decision, rule) = (case.decide(), case.drawn.rule(&case.ask));
        let (inside, order) = (rule.inside(), rule.order(decision.want.index()));
        if let Verdict::Route { plan, .. } = decision.verdict {
            for region in case.drawn.policy.scope(plan.scope).unwrap().order_from(plan.first) {
                prop_assert!(inside.contains(&region.index()) && order.contains(&region.index()), "{region:?}: {decision:?}");
            }
        } else if let Verdict::Split { .. } = decision.verdict {
            prop_assert!(rule.distribute.iter().all(|(region, _)| inside.contains(region)));
        }
    }

    #[test]
    fn the_same_input_has_the_same_answer_for_every_worker_that_reads_the_same_bytes(case in cases()) {
        let (health, now) = case.health();
        let read = Health::from_bytes(&health.to_bytes()).unwrap();
        let again = case.drawn.decide(&read, &case.ask, now, case.random);
        prop_assert_eq!(case.decide(), again);
    }

    #[test]
    fn a_request_wants_what_it_asks_for_or_else_what_its_rule_says(case in cases()) {
        let (want, rule) = (case.decide().want.index(), case.drawn.rule(&case.ask));
        let inside = rule.inside();
        match &case.ask.wish {
            Wish::Region(region, _) if inside.contains(region) => prop_assert_eq!(want, *region),
            _ if !rule.distribute.is_empty() => prop_assert!(rule.distribute.iter().any(|(region, _)| *region == want)),
            _ if inside.contains(&case.drawn.local) => prop_assert_eq!(want, case.drawn.local),
            _ => prop_assert_eq!(want, inside[0]),
        }
    }

    #[test]
    fn the_first_region_of_the_order_that_can_be_used_is_chosen(case in cases()) {
        let decision = case.decide();
        let Verdict::Route { plan, reason } = decision.verdict else { return Ok(()) };
        if reason == Reason::Exhausted {
            return Ok(());
        }
        let candidates = case.candidates(&decision);
        let place = candidates.iter().position(|(region, _)| *region == plan.first.index()).unwrap();
        prop_assert!(!is_out(candidates[place].1), "{decision:?}: {candidates:?}");
        for (_, passed_over) in &candidates[..place] {
            prop_assert!(is_out(*passed_over) || matches!(passed_over, Availability::Ramping(_)), "{decision:?}: {candidates:?}");
        }
        prop_assert_eq!(reason == Reason::HalfOpen, candidates[place].1 == Availability::HalfOpen);
    }

    #[test]
    fn a_request_is_given_up_only_when_nothing_can_be_used_and_as_its_rule_says(case in cases()) {
        let (decision, rule) = (case.decide(), case.drawn.rule(&case.ask));
        let nothing = case.candidates(&decision).iter().all(|(_, availability)| is_out(*availability));
        match decision.verdict {
            Verdict::Refuse { status: 400, .. } => prop_assert!(rule.rejects && decision.asked == Asked::Unknown),
            Verdict::Refuse { status, reason } => prop_assert!((status, reason, rule.fails, nothing) == (503, Reason::Exhausted, true, true)),
            Verdict::Route { plan, reason: Reason::Exhausted } => prop_assert!(!rule.fails && nothing && plan.first == decision.want),
            Verdict::Route { .. } | Verdict::Split { .. } => prop_assert!(!nothing),
        }
    }

    #[test]
    fn the_native_weights_are_left_alone_only_while_all_of_their_regions_can_be_used(case in cases()) {
        let decision = case.decide();
        let (health, now) = case.health();
        if let Verdict::Split { .. } = decision.verdict {
            for (region, _) in &case.drawn.rule(&case.ask).distribute {
                let key = key(case.ask.service, *region);
                prop_assert_eq!(health.availability(key, now, case.drawn.policy.health()), Availability::Usable);
            }
        }
    }

    #[test]
    fn when_all_is_well_the_full_table_needs_no_help(drawn in policies(), ask in asks(), random in any::<u32>()) {
        let calm = drawn.decide(&Health::default(), &ask, Timestamp(1), random);
        let several = matches!(&ask.wish, Wish::Anything(_));
        prop_assert!(calm.write().is_none() || several || drawn.policy.table() == Table::Plans, "{calm:?}");
    }

    /// A client that was taken back stays: its number is in the share of every later moment.
    #[test]
    fn who_is_in_a_returning_regions_share_is_in_it_for_good(
        drawn in policies(), ask in asks(), random in any::<u32>(), ago in 0_u64..20_000, later in 0_u64..20_000,
    ) {
        let now = Timestamp(1_000_000);
        let want = drawn.decide(&Health::default(), &ask, now, random).want;
        let mut health = Health::default();
        bring_back(&mut health, &drawn.policy, key(ask.service, want.index()), Timestamp(now.0 - ago));
        let (first, second) = (
            drawn.decide(&health, &ask, now, random),
            drawn.decide(&health, &ask, now.plus(Duration::from_millis(later)), random),
        );
        // A drill is another matter, and so is a share that the native weights give.
        if first.reason() == Reason::Ramp && first.chosen() == Some(want) && first.drilled.is_empty() && second.drilled.is_empty() {
            prop_assert!(second.chosen().is_none_or(|region| region == want), "{first:?} {second:?}");
        }
    }

    #[test]
    fn a_region_that_is_drilled_for_a_request_is_in_no_plan_of_it(case in cases()) {
        let (decision, drills) = (case.decide(), case.drawn.policy.drills());
        if let Verdict::Route { plan, reason } = decision.verdict && reason != Reason::Exhausted {
            let mut regions = case.drawn.policy.scope(plan.scope).unwrap().order_from(plan.first);
            prop_assert!(regions.all(|region| !decision.drilled.takes(region, drills)), "{decision:?}");
        }
    }

    #[test]
    fn a_plans_cluster_and_that_of_each_version_tell_its_service_and_first_region(case in cases(), version in "[a-z][a-z0-9-]{0,8}") {
        let (decision, policy) = (case.decide(), &case.drawn.policy);
        if let Verdict::Route { plan, .. } = decision.verdict {
            let (service, name) = (policy.service(decision.service).unwrap(), policy.plan_name(plan).unwrap());
            for subset in [name.to_owned(), format!("{version}-{name}")] {
                let cluster = service.destination.cluster(&subset);
                // Two fences of the same regions have plans of one name, which are one plan.
                let found = policy.plan_of_cluster(cluster.as_bytes());
                prop_assert_eq!(found.map(|(service, plan)| (service, policy.plan_name(plan))), Some((decision.service, Some(name))));
            }
        }
    }

    #[test]
    fn any_bytes_at_all_are_a_request(
        drawn in policies(),
        lines in proptest::collection::vec((prop_oneof![
            Just(b":authority".to_vec()), Just(b":path".to_vec()), Just(b":method".to_vec()), Just(b"region".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..20),
        ], prop_oneof![Just(b"s0.example.com".to_vec()), proptest::collection::vec(any::<u8>(), 0..200)]), 0..12),
        random in any::<u32>(),
    ) {
        let lines: Vec<(&[u8], &[u8])> = lines.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        if let Some(decision) = decide(&drawn.policy, &Health::default(), &RequestFacts::new(&lines), Timestamp(1), random) {
            prop_assert!(decision.want.index() < REGIONS);
        }
    }
}
