use super::*;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;
use crate::testing::{document, key, policy};

struct Case {
    policy: Policy,
    status: u16,
    grpc: Option<u32>,
    attempts: u32,
    tag: Option<&'static str>,
    from: Option<&'static str>,
    tried: bool,
    answered: bool,
    probe: bool,
}

/// A request for the page that was sent to eu-west-1.
fn case(status: u16) -> Case {
    Case {
        policy: policy(&document()),
        status,
        grpc: None,
        attempts: 1,
        tag: None,
        from: Some("eu-west-1"),
        tried: true,
        answered: true,
        probe: false,
    }
}

impl Case {
    fn judge(&self) -> Judgement {
        let region = |name: &str| self.policy.region_named(name).unwrap();
        let wanted = key(&self.policy, "eu-west-1");
        let response = ResponseFacts {
            status: self.status,
            grpc_status: self.grpc,
            attempts: self.attempts,
            tagged: self.tag.and_then(|tag| self.policy.region_tagged(tag.as_bytes())),
        };
        let upstream =
            UpstreamFacts { tried: self.tried, answered: self.answered, region: self.from.map(region), planned: None };
        let expected = Expected { service: wanted.service, plan: plan(&self.policy, "eu-west-1"), probe: self.probe };
        judge(&self.policy, &response, Some(upstream), Some(expected))
    }

    /// Who is charged for what.
    fn charges(&self) -> Vec<(String, Outcome)> {
        let name = |event: &Event| (self.policy.region_name(event.key.region).to_owned(), event.outcome);
        self.judge().events.iter().flatten().map(name).collect()
    }
}

/// The plan of a region among all.
fn plan(policy: &Policy, region: &str) -> Plan {
    let (_, plan) = policy
        .plan_of_cluster(format!("outbound|80|prefer-{region}|page.default.svc.cluster.local").as_bytes())
        .unwrap();
    plan
}

fn charge(region: &str, outcome: Outcome) -> (String, Outcome) {
    (region.to_owned(), outcome)
}

#[test]
fn an_answer_counts_for_the_region_that_gave_it() {
    assert_eq!(case(200).charges(), [charge("eu-west-1", Outcome::Success)]);
    assert_eq!(case(404).charges(), [charge("eu-west-1", Outcome::Success)]);
    let signed = Case { tag: Some("WEST"), ..case(503) };
    assert_eq!(signed.charges(), [charge("eu-west-1", Outcome::GatewayError)]);
    assert_eq!(case(500).charges(), [charge("eu-west-1", Outcome::ServerError)]);
}

#[test]
fn a_failure_that_the_serving_side_did_not_sign_may_be_the_paths() {
    assert_eq!(case(503).charges(), [charge("eu-west-1", Outcome::Unreachable)]);
}

#[test]
fn a_grpc_status_counts_as_what_envoy_takes_it_for() {
    let grpc = |status| Case { grpc: Some(status), ..case(200) }.charges();
    assert_eq!(grpc(14), [charge("eu-west-1", Outcome::Unreachable)]);
    for error in [2, 12, 13, 15, 17, 99] {
        assert_eq!(grpc(error), [charge("eu-west-1", Outcome::ServerError)], "{error}");
    }
    assert_eq!(grpc(0), [charge("eu-west-1", Outcome::Success)]);
    assert_eq!(grpc(5), [charge("eu-west-1", Outcome::Success)], "the client's own mistake");
}

#[test]
fn a_rescuer_nobody_knows_is_not_taken_for_the_wanted_region() {
    let case = Case { attempts: 2, from: None, ..case(200) };
    assert_eq!(case.charges(), [charge("eu-west-1", Outcome::Retried)]);
}

#[test]
fn a_rescued_request_charges_the_wanted_region_and_credits_the_rescuer() {
    let case = Case { attempts: 2, from: Some("us-east-1"), ..case(200) };
    assert_eq!(case.charges(), [charge("eu-west-1", Outcome::Retried), charge("us-east-1", Outcome::Success)]);
    assert_eq!(case.judge().delivery, Delivery::Rescued);
}

#[test]
fn a_rescue_that_failed_charges_nobody_but_the_wanted_region() {
    let case = Case { attempts: 3, from: Some("us-east-1"), ..case(503) };
    assert_eq!(case.charges(), [charge("eu-west-1", Outcome::Retried)]);
}

#[test]
fn a_spilled_request_counts_where_it_was_served() {
    let case = Case { from: Some("us-east-1"), ..case(200) };
    let absent = charge("eu-west-1", Outcome::Absent);
    assert_eq!(case.charges(), [charge("us-east-1", Outcome::Success), absent]);
    assert_eq!(case.judge().delivery, Delivery::Spilled);
}

#[test]
fn an_answer_that_tried_no_upstream_charges_nobody() {
    let case = Case { tried: false, answered: false, from: None, ..case(503) };
    assert_eq!(case.charges(), []);
    assert_eq!(case.judge().delivery, Delivery::Refused);
}

#[test]
fn a_region_that_could_not_be_reached_is_charged_and_served_nothing() {
    let case = Case { answered: false, ..case(503) };
    assert_eq!(case.charges(), [charge("eu-west-1", Outcome::Unreachable)]);
    assert_eq!((case.judge().delivery, case.judge().served), (Delivery::Refused, None));
}

#[test]
fn a_probe_that_was_served_elsewhere_gives_its_token_back() {
    let case = Case { probe: true, from: Some("us-east-1"), ..case(200) };
    assert_eq!(case.judge().returned_token, Some(key(&case.policy, "eu-west-1")));
}

#[test]
fn a_probe_that_was_answered_keeps_its_token_for_the_record() {
    let case = Case { probe: true, ..case(200) };
    assert_eq!(case.judge().returned_token, None);
    assert!(case.judge().events[0].unwrap().probe);
}

#[test]
fn a_tag_that_contradicts_the_control_plane_is_a_mismatch() {
    assert!(Case { tag: Some("EAST"), ..case(200) }.judge().mismatch.is_some());
    assert!(Case { tag: Some("WEST"), ..case(200) }.judge().mismatch.is_none());
    assert!(case(200).judge().mismatch.is_none());
}

#[test]
fn an_answer_from_outside_the_plan_is_a_mismatch_and_names_both_regions() {
    let policy = policy(&crate::testing::with_rules(serde_json::json!([{"name": "a", "fence": "eu"}])));
    let cluster = b"outbound|80|prefer-eu-west-1-in-eu|page.default.svc.cluster.local";
    let region = |name: &str| policy.region_named(name).unwrap();
    let judged = |from: &str| {
        let (response, planned) = (
            ResponseFacts { status: 200, grpc_status: None, attempts: 1, tagged: None },
            policy.plan_of_cluster(cluster),
        );
        let upstream = UpstreamFacts { tried: true, answered: true, region: Some(region(from)), planned };
        judge(&policy, &response, Some(upstream), None).mismatch
    };
    assert_eq!(judged("eu-central-1"), None, "Envoy may move inside the fence");
    assert_eq!(judged("us-east-1"), Some(Mismatch { chosen: Some(region("eu-west-1")), served: region("us-east-1") }));
}

#[test]
fn a_plain_answer_is_tagged_by_the_chosen_region_below_500_and_not_retried() {
    let policy = policy(&document());
    let wanted = key(&policy, "eu-west-1");
    let expected = Some(Expected { service: wanted.service, plan: plan(&policy, "eu-west-1"), probe: false });
    let plain = |status, attempts, tag: Option<&'static str>| {
        let tagged = tag.and_then(|tag| policy.region_tagged(tag.as_bytes()));
        is_plain(&ResponseFacts { status, grpc_status: None, attempts, tagged }, expected)
    };
    assert!(plain(200, 1, Some("WEST")));
    assert!(!plain(503, 1, Some("WEST")));
    assert!(!plain(200, 2, Some("WEST")));
    assert!(!plain(200, 1, Some("EAST")));
    assert!(!plain(200, 1, None));
    assert!(!plain(0, 1, Some("WEST")));
}
