use super::*;
use crate::config::{LocalHints, UnknownKeys, compile};
#[cfg(target_arch = "wasm32")]
use crate::testing::test;
use crate::testing::{NOW, decided, document, ejected, get, policy, with_rules};
use serde_json::json;

/// The chosen region, the reason and the plan to write.
fn answer(policy: &Policy, health: &Health, headers: &[(&str, &str)]) -> (String, &'static str, Option<String>) {
    let decision = decided(policy, health, &get(headers));
    let chosen = decision.chosen().map_or("refused", |region| policy.region_name(region));
    let write = decision.write().and_then(|plan| policy.plan_name(plan)).map(str::to_owned);
    (chosen.to_owned(), decision.reason().as_str(), write)
}

fn said(chosen: &str, reason: &'static str, write: Option<&str>) -> (String, &'static str, Option<String>) {
    (chosen.to_owned(), reason, write.map(str::to_owned))
}

#[test]
fn a_request_that_asks_for_nothing_stays_local_and_writes_nothing() {
    let policy = policy(&document());
    assert_eq!(answer(&policy, &Health::default(), &[]), said("us-east-1", "local", None));
}

#[test]
fn a_listed_spelling_in_any_case_reaches_its_region_and_writes_nothing() {
    let policy = policy(&document());
    for spelling in ["eu-west-1", "EU", "dublin"] {
        let answer = answer(&policy, &Health::default(), &[("region", spelling)]);
        assert_eq!(answer, said("eu-west-1", "asked", None), "{spelling}");
    }
}

#[test]
fn an_unknown_region_is_ignored_unless_the_rule_rejects_it() {
    let ignoring = policy(&document());
    assert_eq!(answer(&ignoring, &Health::default(), &[("region", "mars")]), said("us-east-1", "unknown_region", None));
    let rejecting = policy(&with_rules(json!([{"name": "strict", "onUnknownRegion": "reject"}])));
    let decision = decided(&rejecting, &Health::default(), &get(&[("region", "mars")]));
    assert_eq!(decision.verdict, Verdict::Refuse { status: 400, reason: Reason::UnknownRegion });
}

#[test]
fn a_region_header_in_several_lines_is_never_left_to_the_native_table() {
    let policy = policy(&document());
    let lines = [("region", "eu"), ("region", "eu")];
    let answer = answer(&policy, &Health::default(), &lines);
    assert_eq!(answer, said("us-east-1", "unknown_region", Some("prefer-us-east-1")));
}

#[test]
fn an_ejected_region_is_left_for_the_next_in_order() {
    let policy = policy(&document());
    let health = ejected(&policy, &["eu-west-1"]);
    let answer = answer(&policy, &health, &[("region", "eu")]);
    assert_eq!(answer, said("us-east-1", "failover", Some("prefer-us-east-1")));
}

#[test]
fn failover_stays_inside_the_fence() {
    let policy = policy(&with_rules(json!([{"name": "residents", "fence": "eu"}])));
    let health = ejected(&policy, &["eu-west-1"]);
    let answer = answer(&policy, &health, &[("region", "eu")]);
    assert_eq!(answer, said("eu-central-1", "failover", Some("prefer-eu-central-1-in-eu")));
}

#[test]
fn a_wish_outside_the_fence_is_answered_inside_and_said_so() {
    let policy = policy(&with_rules(json!([{"name": "residents", "fence": "eu"}])));
    assert_eq!(answer(&policy, &Health::default(), &[("region", "us")]), said("eu-west-1", "fenced", None));
}

#[test]
fn an_exhausted_fence_tries_the_wanted_region_or_fails_as_the_rule_says() {
    let rules = |when| with_rules(json!([{"name": "residents", "fence": "eu", "whenExhausted": when}]));
    let trying = policy(&rules("preferred"));
    let health = ejected(&trying, &["eu-west-1", "eu-central-1"]);
    assert_eq!(answer(&trying, &health, &[]), said("eu-west-1", "exhausted", None));
    let failing = policy(&rules("fail"));
    let decision = decided(&failing, &health, &get(&[]));
    assert_eq!(decision.verdict, Verdict::Refuse { status: 503, reason: Reason::Exhausted });
}

#[test]
fn no_failover_means_only_the_wanted_region() {
    let rules = json!([{"name": "pinned", "failover": [{"from": "eu-west-1", "to": []}], "whenExhausted": "fail"}]);
    let policy = policy(&with_rules(rules));
    let plan = decided(&policy, &Health::default(), &get(&[("region", "eu")])).native.unwrap();
    assert_eq!(policy.plan_name(plan), Some("only-eu-west-1"));
    let health = ejected(&policy, &["eu-west-1"]);
    assert_eq!(decided(&policy, &health, &get(&[("region", "eu")])).chosen(), None);
}

#[test]
fn a_restricted_failover_is_a_fence_of_its_own() {
    let rules = json!([{"name": "near", "failover": [{"from": "eu-west-1", "to": ["eu-central-1"]}]}]);
    let policy = policy(&with_rules(rules));
    let health = ejected(&policy, &["eu-west-1"]);
    let answer = answer(&policy, &health, &[("region", "eu")]);
    assert_eq!(answer, said("eu-central-1", "failover", Some("prefer-eu-central-1-in-near-eu-west-1")));
}

#[test]
fn an_order_of_failover_is_kept() {
    let rules = json!([{"name": "ordered", "failover": [{"from": "us-east-1", "to": ["eu-central-1", "eu-west-1"]}]}]);
    let policy = policy(&with_rules(rules));
    let health = ejected(&policy, &["us-east-1"]);
    assert_eq!(answer(&policy, &health, &[]).0, "eu-central-1");
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = json!([
        {"name": "writes", "match": {"methods": ["POST"], "pathPrefix": "/api"}, "fence": "eu"},
        {"name": "tenant", "match": {"headers": [{"name": "X-Tenant", "exact": "acme", "trusted": true}]}, "fence": "eu"},
    ]);
    let policy = policy(&with_rules(rules));
    let rule = |headers: &[(&str, &str)]| {
        let decision = decided(&policy, &Health::default(), headers);
        policy.rule(decision.rule).unwrap().name.clone()
    };
    let post = [(":method", "POST"), (":authority", "page.example.com"), (":path", "/api/x")];
    assert_eq!(rule(&post), "writes");
    assert_eq!(rule(&get(&[("x-tenant", "acme")])), "tenant");
    assert_eq!(rule(&get(&[("x-tenant", "acme"), ("x-tenant", "acme")])), "default");
}

#[test]
fn a_rule_for_a_narrower_host_applies_there_alone() {
    let rules = json!([{"name": "german", "match": {"hosts": ["de.data.example.com"]}, "fence": "eu"}]);
    let policy = policy(&with_rules(rules));
    let rule = |host| {
        let headers = [(":method", "GET"), (":authority", host), (":path", "/")];
        let decision = decided(&policy, &Health::default(), &headers);
        policy.rule(decision.rule).unwrap().name.clone()
    };
    assert_eq!(rule("de.data.example.com"), "german");
    assert_eq!(rule("us.data.example.com"), "default");
}

#[test]
fn a_host_that_is_not_the_policys_is_left_alone() {
    let policy = policy(&document());
    let headers = vec![(":authority", "other.example.com"), (":path", "/"), (":method", "GET")];
    assert_eq!(decide(&policy, &Health::default(), &RequestFacts::new(&headers), NOW, 0), None);
}

#[test]
fn a_rule_may_share_out_what_asks_for_no_region() {
    let rules = json!([{"name": "shared", "distribute": {"us-east-1": 70, "eu-west-1": 30}}]);
    let policy = policy(&with_rules(rules));
    let decide = |health: &Health, headers: &[(&str, &str)], random| {
        decide(&policy, health, &RequestFacts::new(&get(headers)), NOW, random).unwrap()
    };
    let calm = Health::default();
    assert_eq!(decide(&calm, &[], 0).verdict, Verdict::Split { reason: Reason::Weighted });
    assert_eq!(decide(&calm, &[], 0).write(), None, "the native weights do it");
    assert_eq!(decide(&calm, &[("region", "eu-central-1")], 0).reason(), Reason::Asked);

    let health = ejected(&policy, &["eu-west-1"]);
    let chosen = |random| policy.region_name(decide(&health, &[], random).chosen().unwrap());
    assert_eq!((chosen(0), chosen(99)), ("us-east-1", "us-east-1"), "its share goes to the next in order");
    assert!(decide(&health, &[], 0).write().is_some(), "the native weights would still send to the lost region");
}

#[test]
fn a_region_header_in_several_lines_is_not_left_to_the_native_weights_either() {
    let rules = json!([{"name": "shared", "distribute": {"us-east-1": 70, "eu-west-1": 30}}]);
    let policy = policy(&with_rules(rules));
    let decision = decided(&policy, &Health::default(), &get(&[("region", "eu"), ("region", "us")]));
    assert_eq!(decision.write(), Some(Plan { scope: policy.rules()[0].scope(), first: decision.want }));
}

#[test]
fn shares_fall_as_they_are_written() {
    let rules = json!([{"name": "shared", "distribute": {"us-east-1": 70, "eu-west-1": 30}}]);
    let policy = policy(&with_rules(rules));
    let rule = policy.rule(policy.rule_named(b"shared").unwrap()).unwrap();
    let east = policy.region_named("us-east-1");
    let fell = (0..100).filter(|random| rule.split().unwrap().pick(*random) == east).count();
    assert_eq!(fell, 70);
}

#[test]
fn a_sidecar_knows_a_service_by_its_names_in_the_registry() {
    let mut document = with_rules(json!([{"name": "residents", "match": {"services": ["page"]}, "fence": "eu"}]));
    document["role"] = json!("outbound");
    let hints = LocalHints { namespace: Some("default"), ..LocalHints::default() };
    let (policy, _) = compile(&document, UnknownKeys::Refuse, &hints).unwrap();
    for host in ["page", "page.default", "page.default.svc", "page.default.svc.cluster.local:80", "page.example.com"] {
        let headers = [(":method", "GET"), (":authority", host), (":path", "/")];
        let decision = decided(&policy, &Health::default(), &headers);
        assert_eq!(policy.rule(decision.rule).unwrap().name, "residents", "{host}");
    }
}

#[test]
fn with_a_table_of_plans_the_filter_routes_the_header_itself() {
    let mut document = document();
    document["table"] = json!("plans");
    let policy = policy(&document);
    assert_eq!(
        answer(&policy, &Health::default(), &[("region", "eu")]),
        said("eu-west-1", "asked", Some("prefer-eu-west-1"))
    );
    assert_eq!(answer(&policy, &Health::default(), &[]), said("us-east-1", "local", None));
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::*;
    use crate::config::{LocalHints, UnknownKeys, compile};
    use crate::health::CellKey;
    use crate::ids::{RegionId, ServiceId};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::Value;
    use std::time::Duration;

    const REGIONS: usize = 6;

    /// A policy with one rule: random fence, failover, table and exhaustion.
    fn policies() -> impl Strategy<Value = Policy> {
        any::<bool>().prop_flat_map(policies_with)
    }

    /// The same, with a table of plans or a full one.
    fn policies_with(plans: bool) -> impl Strategy<Value = Policy> {
        let members = proptest::sample::subsequence((0..REGIONS).collect::<Vec<_>>(), 1..=REGIONS).prop_shuffle();
        let failover = (any::<prop::sample::Index>(), vec(any::<prop::sample::Index>(), 0..4));
        (members, proptest::option::of(failover), any::<[bool; 2]>(), 0..REGIONS).prop_map(
            move |(members, failover, [fenced, fail], local)| {
                let name = |region: usize| format!("r{region}");
                let regions: Vec<Value> = (0..REGIONS)
                    .map(|r| json!({"name": name(r), "clusters": [format!("c{r}")], "aliases": [format!("alias-{r}")]}))
                    .collect();
                let inside: Vec<usize> = if fenced { members.clone() } else { (0..REGIONS).collect() };
                let mut rule = json!({"name": "rule", "whenExhausted": if fail { "fail" } else { "preferred" }});
                if fenced {
                    rule["fence"] = json!("f");
                }
                if let Some((from, to)) = failover {
                    let from = *from.get(&inside);
                    let mut order: Vec<usize> = Vec::new();
                    for region in to.iter().map(|index| *index.get(&inside)) {
                        if region != from && !order.contains(&region) {
                            order.push(region);
                        }
                    }
                    let to: Vec<String> = order.into_iter().map(name).collect();
                    rule["failover"] = json!([{"from": name(from), "to": to}]);
                }
                let document = json!({
                    "apiVersion": "meridian/v1", "role": "gateway", "local": name(local), "regions": regions,
                    "fences": {"f": members.iter().map(|r| name(*r)).collect::<Vec<_>>()},
                    "services": [{"name": "page", "hosts": ["page.example.com"],
                                  "destination": {"host": "page.local", "port": 80}}],
                    "rules": [rule], "table": if plans { "plans" } else { "full" },
                });
                compile(&document, UnknownKeys::Refuse, &LocalHints::default()).unwrap().0
            },
        )
    }

    /// Header lines of a request: none, a good spelling, or anything at all.
    fn wishes() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let spelling = (0..REGIONS).prop_map(|r| format!("r{r}").into_bytes());
        let alias = (0..REGIONS).prop_map(|r| format!("ALIAS-{r}").into_bytes());
        vec(prop_oneof![spelling, alias, vec(any::<u8>(), 0..40)], 0..3)
    }

    fn healths() -> impl Strategy<Value = Health> {
        vec(proptest::option::of(0_u64..20_000), REGIONS).prop_map(|ejections| {
            let mut health = Health::default();
            for (region, left) in ejections.into_iter().enumerate() {
                if let Some(left) = left {
                    let key = CellKey { service: ServiceId(0), region: RegionId::at(region).unwrap() };
                    health.eject(key, Timestamp(NOW.0 - 10_000 + left));
                }
            }
            health
        })
    }

    fn ask(policy: &Policy, health: &Health, wish: &[Vec<u8>]) -> Decision {
        let mut lines: Vec<(&[u8], &[u8])> =
            vec![(b":method", b"GET"), (b":authority", b"page.example.com"), (b":path", b"/")];
        lines.extend(wish.iter().map(|value| (b"region".as_slice(), value.as_slice())));
        decide(policy, health, &RequestFacts::new(&lines), NOW, 0).unwrap()
    }

    proptest! {
        #[test]
        fn no_plan_ever_leads_out_of_the_fence(policy in policies(), health in healths(), wish in wishes()) {
            let decision = ask(&policy, &health, &wish);
            let rule = policy.rule(decision.rule).unwrap();
            let fence = policy.scope(rule.scope()).unwrap();
            if let Verdict::Route { plan, .. } = decision.verdict {
                prop_assert!(policy.scope(plan.scope).unwrap().order_from(plan.first).all(|region| fence.contains(region)));
            }
        }

        #[test]
        fn no_plan_leads_where_the_wanted_regions_failover_does_not(policy in policies(), health in healths(), wish in wishes()) {
            let decision = ask(&policy, &health, &wish);
            let rule = policy.rule(decision.rule).unwrap();
            if let Verdict::Route { plan, .. } = decision.verdict {
                prop_assert_eq!(plan.scope, rule.scope_for(decision.want));
            }
        }

        #[test]
        fn when_all_is_well_the_full_table_needs_no_help(policy in policies_with(false), wish in wishes()) {
            let wish = wish.get(..1).unwrap_or(&wish);
            prop_assert_eq!(ask(&policy, &Health::default(), wish).write(), None);
        }

        #[test]
        fn an_ejected_region_is_chosen_only_when_nothing_else_is_left(policy in policies(), health in healths(), wish in wishes()) {
            let decision = ask(&policy, &health, &wish);
            let is_usable = |region| {
                let key = CellKey { service: decision.service, region };
                matches!(health.availability(key, NOW, policy.health()), Availability::Usable | Availability::HalfOpen)
            };
            let any = candidates(&policy, &health, &decision, NOW).any(|candidate| is_usable(candidate.region));
            match decision.chosen() {
                Some(region) => prop_assert!(is_usable(region) || (!any && decision.reason() == Reason::Exhausted)),
                None => prop_assert!(!any),
            }
        }

        #[test]
        fn a_plans_cluster_tells_its_service_and_first_region(policy in policies(), wish in wishes()) {
            let decision = ask(&policy, &Health::default(), &wish);
            if let Verdict::Route { plan, .. } = decision.verdict {
                let service = policy.service(decision.service).unwrap();
                let cluster = service.destination.cluster(policy.plan_name(plan).unwrap());
                let found = policy.plan_of_cluster(cluster.as_bytes());
                // Two fences of the same regions have plans of one name, which are one plan.
                prop_assert_eq!(found.map(|(service, plan)| (service, policy.plan_name(plan))), Some((decision.service, policy.plan_name(plan))));
            }
        }

        #[test]
        fn one_version_of_a_service_is_under_the_same_plan(policy in policies(), wish in wishes(), version in "[a-z][a-z0-9-]{0,8}") {
            let decision = ask(&policy, &Health::default(), &wish);
            if let Verdict::Route { plan, .. } = decision.verdict {
                let service = policy.service(decision.service).unwrap();
                let cluster = service.destination.cluster(&format!("{version}-{}", policy.plan_name(plan).unwrap()));
                let found = policy.plan_of_cluster(cluster.as_bytes());
                // Two fences of the same regions have plans of one name, which are one plan.
                prop_assert_eq!(found.map(|(service, plan)| (service, policy.plan_name(plan))), Some((decision.service, policy.plan_name(plan))));
            }
        }

        #[test]
        fn a_region_comes_back_when_its_time_is_over(policy in policies(), left in 1_u64..100_000) {
            let key = CellKey { service: ServiceId(0), region: RegionId(0) };
            let mut health = Health::default();
            health.eject(key, Timestamp(NOW.0 + left));
            let later = NOW.plus(Duration::from_millis(left));
            prop_assert_eq!(health.availability(key, later, policy.health()), Availability::HalfOpen);
        }
    }
}
