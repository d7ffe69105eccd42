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
