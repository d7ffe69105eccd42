use super::*;
#[cfg(target_arch = "wasm32")]
use crate::testing::test;
use crate::testing::{document, policy, problems, with_rules};
use serde_json::json;

/// The document with one value changed.
fn changed(pointer: &str, value: Value) -> Value {
    let mut document = document();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[key] = value;
    document
}

/// The one problem of a document.
fn problem(document: &Value) -> String {
    let problems = problems(document);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems[0].clone()
}

#[test]
fn every_error_is_reported_at_once_with_its_path() {
    let mut document = document();
    document["role"] = json!("edge");
    document["rules"] = json!([{"name": "a", "fence": "uk"}, {"name": "b", "timeout": 5}]);
    let problems = problems(&document);
    let at = |path: &str| problems.iter().any(|problem| problem.starts_with(&format!("{path}: ")));
    assert!(at("role") && at("rules[0].fence") && at("rules[1].timeout"), "{problems:#?}");
}

#[test]
fn a_slip_of_the_pen_gets_a_suggestion() {
    assert_eq!(
        problem(&with_rules(json!([{"name": "a", "fance": "eu"}]))),
        "rules[0].fance: is not a key of this document, did you mean `fence`?"
    );
    assert_eq!(
        problem(&with_rules(json!([{"name": "a", "fence": "eus"}]))),
        "rules[0].fence: unknown fence `eus`, did you mean `eu`?"
    );
}

#[test]
fn a_key_without_a_value_is_not_an_absent_key() {
    assert!(problem(&with_rules(json!([{"name": "a", "fence": null}]))).starts_with("rules[0].fence: is empty"));
    assert!(problem(&changed("/regionHeader", Value::Null)).starts_with("regionHeader: is empty"));
}

#[test]
fn a_tag_that_is_not_public_is_hidden_at_the_edge_and_nowhere_else() {
    for (role, public, hidden) in
        [("gateway", false, true), ("gateway", true, false), ("outbound", false, false), ("inbound", false, false)]
    {
        let mut document = changed("/role", json!(role));
        document["tag"] = json!({"public": public});
        assert_eq!(policy(&document).hides_tag(), hidden, "{role}, public: {public}");
    }
    assert!(!policy(&document()).hides_tag());
}

#[test]
fn the_filter_only_warns_of_keys_nobody_knows() {
    let document = changed("/rulez", json!([]));
    assert!(compile(&document, UnknownKeys::Refuse, &LocalHints::default()).is_err());
    let (_, warnings) = compile(&document, UnknownKeys::Warn, &LocalHints::default()).unwrap();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].severity, Severity::Warning);
}

#[test]
fn a_key_the_document_calls_critical_is_refused_by_a_filter_that_does_not_know_it() {
    let mut document = changed("/rulez", json!([]));
    document["critical"] = json!(["rulez"]);
    assert!(compile(&document, UnknownKeys::Warn, &LocalHints::default()).is_err());
}

#[test]
fn a_key_nobody_knows_is_no_worse_further_in() {
    let fill = json!([{"name": "a", "match": {"headers": [{"name": "x", "exact": "y"}]}, "rescue": {}}]);
    let mut document = changed("/outlierDetection", json!({"failurePercentage": {}}));
    document["rules"] = fill;
    for place in [
        "/regions/1",
        "/services/0",
        "/services/0/destination",
        "/rules/0",
        "/rules/0/match",
        "/rules/0/match/headers/0",
        "/rules/0/rescue",
        "/outlierDetection",
        "/outlierDetection/failurePercentage",
    ] {
        let mut document = document.clone();
        document.pointer_mut(place).unwrap()["tomorrow"] = json!({"is": "another day"});
        assert!(problem(&document).contains("tomorrow: is not a key of this document"), "{place}");
        let (_, warnings) = compile(&document, UnknownKeys::Warn, &LocalHints::default()).unwrap();
        assert!(matches!(warnings.as_slice(), [one] if one.path.ends_with("tomorrow")), "{place}: {warnings:?}");
        document["critical"] = json!(["tomorrow"]);
        let refused = compile(&document, UnknownKeys::Warn, &LocalHints::default()).unwrap_err();
        assert!(matches!(refused.as_slice(), [one] if one.severity == Severity::Error), "{place}: {refused:?}");
    }
}

#[test]
fn a_client_may_not_choose_its_fence_by_header() {
    let rules = json!([{"name": "a", "fence": "eu", "match": {"headers": [{"name": "x-tenant", "exact": "acme"}]}}]);
    assert!(problem(&with_rules(rules)).contains("trusted: true"));
}

#[test]
fn a_fence_may_hang_on_a_claim_which_stands_once_and_has_a_name() {
    let with = |claims: Value| with_rules(json!([{"name": "a", "fence": "eu", "match": {"claims": claims}}]));
    let claim = |claim: &str, value: &str| json!({"claim": claim, "value": value});
    assert!(problems(&with(json!([claim("tenant", "acme"), claim("realm.group", "ops")]))).is_empty());
    for (claims, says) in [
        (json!([claim("a b", "acme")]), "rules[0].match.claims[0].claim: `a b` is not a claim's name"),
        (json!([claim("tenant", "acme"), claim("tenant", "x")]), "rules[0].match.claims[1]: this claim stands twice"),
        (json!([{"claim": "tenant"}]), "rules[0].match.claims[0].value: is required and missing"),
        (json!([{"value": "acme"}]), "rules[0].match.claims[0].claim: is required and missing"),
    ] {
        let said = problem(&with(claims));
        assert!(said.starts_with(says), "{said}");
    }
}

#[test]
fn a_header_the_mesh_strips_is_no_header_to_route_by() {
    assert!(problem(&changed("/regionHeader", json!("X-Region-Route"))).contains("the mesh's own"));
}

#[test]
fn shares_add_up_to_a_hundred_inside_the_fence() {
    let shared = |shares: Value| with_rules(json!([{"name": "a", "fence": "eu", "distribute": shares}]));
    assert!(problems(&shared(json!({"eu-west-1": 60, "eu-central-1": 40}))).is_empty());
    assert!(problem(&shared(json!({"eu-west-1": 60, "eu-central-1": 30}))).contains("adds up to 90"));
    assert!(problem(&shared(json!({"eu-west-1": 60, "us-east-1": 40}))).contains("is outside the fence"));
}

#[test]
fn a_region_has_one_failover() {
    let usual = json!({"from": "us-east-1", "to": ["eu-west-1", "eu-central-1"]});
    let rules = json!([{"name": "a", "failover": [usual, {"from": "us-east-1", "to": []}]}]);
    assert!(problem(&with_rules(rules)).contains("has a failover already"));
}

#[test]
fn names_that_could_be_confused_are_refused() {
    let same_alias = changed("/regions/0/aliases", json!(["EU"]));
    assert!(problem(&same_alias).contains("already stands for region"));
    let same_cluster = changed("/regions/1/clusters", json!(["east"]));
    assert!(problem(&same_cluster).contains("already stands for region"));
    let same_host = changed("/services/1/hosts", json!(["PAGE.example.com"]));
    assert!(problems(&same_host)[0].contains("already belongs to `page`"));
}

#[test]
fn a_failover_may_not_lead_out_of_the_fence() {
    let rules = json!([{"name": "a", "fence": "eu", "failover": [{"from": "eu-west-1", "to": ["us-east-1"]}]}]);
    assert!(problem(&with_rules(rules)).starts_with("rules[0].failover[0].to[0]: is outside the fence"));
}

#[test]
fn two_plans_of_one_name_are_refused() {
    let mut document = with_rules(json!([
        {"name": "a", "failover": [{"from": "eu-west-1", "to": ["eu-central-1"]}]},
        {"name": "b", "fence": "a-eu-west-1"},
    ]));
    document["fences"]["a-eu-west-1"] = json!(["eu-west-1", "us-east-1"]);
    assert!(problems(&document).iter().any(|problem| problem.contains("would both be named")));
}

#[test]
fn a_plans_name_fits_a_subset() {
    let long = "r".repeat(63);
    let document = changed("/regions/0/name", json!(long));
    assert!(problems(&document).iter().any(|problem| problem.contains("more than 63 characters")));
}

#[test]
fn durations_have_one_unit_and_are_exact_to_the_millisecond() {
    for (text, millis) in [("10s", 10_000), ("250ms", 250), ("1.5m", 90_000), ("0.25s", 250), ("24h", 86_400_000)] {
        let policy = policy(&with_rules(json!([{"name": "a", "timeout": text}])));
        let rule = policy.rule_named(b"a").unwrap();
        assert_eq!(policy.rule(rule).unwrap().timeout.as_millis(), millis, "{text}");
    }
    for text in ["", "s", "10", "0s", "1.s", ".5s", "1e3s", "-1s", "25h", "0.0001s", "1m30s", "99999999999999999999s"] {
        assert!(!problems(&with_rules(json!([{"name": "a", "timeout": text}]))).is_empty(), "{text}");
    }
}

#[test]
fn a_drill_names_what_there_is_and_ends_after_it_begins() {
    let drill = |change: Value| {
        let mut drill = json!({
            "name": "q4", "region": "us-east-1", "percent": 10,
            "from": "2026-11-20T10:00:00Z", "until": "2026-11-20T11:00:00Z",
        });
        for (key, value) in change.as_object().unwrap() {
            drill[key] = value.clone();
        }
        changed("/drills", json!([drill]))
    };
    assert!(problems(&drill(json!({}))).is_empty());
    assert!(problem(&drill(json!({"region": "us-esat-1"}))).ends_with("did you mean `us-east-1`?"));
    assert!(problem(&drill(json!({"until": "2026-11-20T10:00:00Z"}))).starts_with("drills[0].until: is not after"));
    assert!(problem(&drill(json!({"from": "today"}))).starts_with("drills[0].from: `today` is not a time"));
    assert!(problem(&drill(json!({"percent": 0}))).starts_with("drills[0].percent: is 0"));
}

#[test]
fn the_local_region_is_the_documents_else_the_clusters_else_the_localitys() {
    let local = |document: &Value, cluster_id, locality_region| {
        let hints = LocalHints { cluster_id, locality_region, ..LocalHints::default() };
        let policy = compile(document, UnknownKeys::Refuse, &hints).unwrap().0;
        policy.local().map(|region| policy.region_name(region).to_owned())
    };
    let named = changed("/local", json!("eu-west-1"));
    assert_eq!(local(&named, Some("east"), None).as_deref(), Some("eu-west-1"));
    assert_eq!(local(&document(), Some("central"), Some("us-east-1")).as_deref(), Some("eu-central-1"));
    assert_eq!(local(&document(), Some("unheard-of"), Some("us-east-1")).as_deref(), Some("us-east-1"));
    assert_eq!(local(&document(), None, None), None);
}

#[test]
fn a_documents_fingerprint_does_not_depend_on_the_order_of_its_keys() {
    let one = serde_json::from_str(r#"{"a": 1, "b": [true, null]}"#).unwrap();
    let two = serde_json::from_str(r#"{"b": [true, null], "a": 1}"#).unwrap();
    assert_eq!(fingerprint(&one), fingerprint(&two));
    assert_ne!(fingerprint(&one), fingerprint(&json!({"a": 2, "b": [true, null]})));
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[ -~]{0,12}".prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            proptest::sample::select(vec!["eu", "us-east-1", "*", "10s", "/", "GET", "page"]).prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map("[a-zA-Z]{1,10}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Every place of a document.
    fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(i, item)| pointers(item, format!("{at}/{i}"), found));
            }
            Value::Object(map) => map.iter().for_each(|(key, item)| pointers(item, format!("{at}/{key}"), found)),
            _ => {}
        }
        found.push(at);
    }

    proptest! {
        #[test]
        fn any_tree_is_a_policy_or_a_list_of_problems(value in values()) {
            if let Err(problems) = compile(&value, UnknownKeys::Warn, &LocalHints::default()) {
                prop_assert!(problems.iter().any(|problem| problem.severity == Severity::Error));
            }
        }

        #[test]
        fn any_value_anywhere_is_a_policy_or_a_list_of_problems(place in any::<prop::sample::Index>(), value in values()) {
            let mut document = with_rules(json!([{
                "name": "a", "fence": "eu", "failover": [{"from": "eu-west-1", "to": ["eu-central-1"]}], "timeout": "1s",
                "match": {"services": ["page"], "hosts": ["page.example.com"], "pathPrefix": "/a", "methods": ["GET"],
                          "headers": [{"name": "x", "exact": "y", "trusted": true}]},
                "rescue": {"attempts": 1, "perTryTimeout": "1s", "methods": ["GET"]},
            }]));
            let mut places = Vec::new();
            pointers(&document, String::new(), &mut places);
            let place: &String = place.get(&places);
            *document.pointer_mut(place).unwrap() = value;
            if let Err(problems) = compile(&document, UnknownKeys::Refuse, &LocalHints::default()) {
                prop_assert!(!problems.is_empty());
            }
        }
    }
}

/// The document with a probe at the page, and these settings of the health check.
fn probed(check: Value) -> Value {
    let mut document = changed("/services/0/probe", json!({"path": "/healthz"}));
    document["activeHealthCheck"] = check;
    document
}

/// Whom the policy asks, e.g. `page in us-east-1 by only-us-east-1`.
fn probes(document: &Value) -> Vec<String> {
    let policy = policy(document);
    let tell = |probe: &crate::probe::Probe| {
        let service = &policy.service(probe.key.service).unwrap().name;
        format!("{service} in {} by {}", policy.region_name(probe.key.region), policy.plan_name(probe.plan).unwrap())
    };
    policy.probes().iter().map(tell).collect()
}

#[test]
fn a_service_with_a_probe_is_asked_in_every_region() {
    let expected =
        ["us-east-1", "eu-west-1", "eu-central-1"].map(|region| format!("page in {region} by only-{region}"));
    assert_eq!(probes(&probed(json!({}))), expected);
}

#[test]
fn nobody_asks_outside_of_a_fence() {
    let mut document = probed(json!({}));
    document["rules"] = json!([{"name": "residents", "match": {"services": ["page"]}, "fence": "eu"}]);
    assert_eq!(probes(&document), ["page in eu-west-1 by only-eu-west-1", "page in eu-central-1 by only-eu-central-1"]);
}

#[test]
fn a_sidecar_that_only_tags_asks_nobody() {
    let mut document = probed(json!({}));
    document["role"] = json!("inbound");
    assert!(probes(&document).is_empty());
}

#[test]
fn without_a_probe_nobody_is_asked_and_there_is_no_plan_for_it() {
    assert!(probes(&document()).is_empty());
    assert_eq!(policy(&document()).scopes.len(), 2, "all regions, and the fence");
}

#[test]
fn drills_and_probes_share_the_plan_of_a_region() {
    let mut document = probed(json!({}));
    document["fences"]["dublin"] = json!(["eu-west-1"]);
    document["rules"] = json!([{"name": "a", "fence": "dublin"}]);
    document["drills"] = json!([{"name": "q4", "region": "us-east-1", "percent": 10,
                                 "from": "2026-11-20T10:00:00Z", "until": "2026-11-20T11:00:00Z"}]);
    let policy = policy(&document);
    let named = |name: &str| policy.scopes.iter().flat_map(|scope| scope.plans()).filter(|(_, it)| *it == name).count();
    assert_eq!((named("only-eu-west-1"), named("only-us-east-1")), (1, 1));
}

#[test]
fn a_probe_says_what_it_asks_for() {
    let with = |probe: Value| changed("/services/0/probe", probe);
    assert_eq!(problem(&with(json!({}))), "services[0].probe.path: is required and missing; write e.g. `/healthz`");
    for path in ["", "healthz", "/health z", "/healthz#top", "/gesünd"] {
        assert!(problem(&with(json!({"path": path}))).contains("is not a path"), "{path}");
    }
    assert!(problems(&with(json!({"path": "/healthz?full=1"}))).is_empty());
}

#[test]
fn a_health_check_has_sensible_bounds() {
    for (check, says) in [
        (json!({"interval": "500ms"}), "activeHealthCheck.interval: is shorter than a second"),
        (json!({"interval": "2s", "timeout": "3s"}), "activeHealthCheck.timeout: is longer than `interval`"),
        (json!({"timeout": "4s"}), "activeHealthCheck.timeout: is longer than `interval`"),
        (json!({"unhealthyThreshold": 0}), "activeHealthCheck.unhealthyThreshold: is 0"),
        (json!({"healthyThreshold": 0}), "activeHealthCheck.healthyThreshold: is 0"),
        (json!({"expectedStatuses": []}), "activeHealthCheck.expectedStatuses: is empty"),
        (json!({"expectedStatuses": [100]}), "activeHealthCheck.expectedStatuses[0]: is 100"),
    ] {
        let said = problem(&probed(check));
        assert!(said.starts_with(says), "{said}");
    }
}
