use super::*;
use crate::site::{Endpoint, Node as SiteNode};
use serde_json::json;
use std::path::PathBuf;

const POLICY: &str = "
apiVersion: meridian/v1
role: gateway
regions:
- {name: us, clusters: [a], aliases: [usa]}
- {name: eu-1, clusters: [b]}
- {name: eu-2, clusters: [c]}
fences: {eu: [eu-1, eu-2]}
services:
- {name: page, hosts: [page.example.com], destination: {host: page.local, port: 80}}
rules:
- {name: residents, match: {pathPrefix: /eu, headers: [{name: x-tenant, exact: acme, trusted: true}]}, fence: eu, timeout: 3s,
   rescue: {attempts: 2, perTryTimeout: 1s, methods: [GET, HEAD]}}
";

fn site() -> Site {
    let endpoint = |region: &str, host: u8| Endpoint {
        service: "page".to_owned(),
        region: region.to_owned(),
        address: ([10, 0, 0, host], 80).into(),
        workload: ";;;;x".to_owned(),
    };
    Site {
        node: SiteNode { id: "edge".to_owned(), cluster: "a".to_owned(), region: None },
        listen: ([127, 0, 0, 1], 8080).into(),
        admin: ([127, 0, 0, 1], 9901).into(),
        module: Some(PathBuf::from("/meridian.wasm")),
        endpoints: vec![endpoint("us", 1), endpoint("eu-1", 2), endpoint("eu-2", 3)],
    }
}

fn rendered(policy: &str) -> Value {
    serde_json::to_value(gateway(policy, &site()).unwrap()).unwrap()
}

fn manager(bootstrap: &Value) -> &Value {
    &bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
}

fn routes(bootstrap: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = manager(bootstrap)["route_config"]["virtual_hosts"][0]["routes"].as_array().unwrap();
    list.iter().map(|route| (text(&route["name"]), text(&route["route"]["cluster"]))).collect()
}

/// The addresses behind a plan, in the order of its priorities.
fn order(bootstrap: &Value, plan: &str) -> Vec<String> {
    let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
    let cluster = clusters.iter().find(|cluster| cluster["name"] == format!("outbound|80|{plan}|page.local")).unwrap();
    let localities = cluster["load_assignment"]["endpoints"].as_array().unwrap();
    let numbered = localities.iter().enumerate().all(|(index, locality)| locality["priority"] == json!(index));
    assert!(numbered, "priorities are numbered without a gap");
    localities.iter().map(|locality| locality["locality"]["region"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_rules_routes_stand_in_the_order_of_how_often_they_are_taken() {
    let names: Vec<String> = routes(&rendered(POLICY)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names[..6],
        [
            "residents/local",
            "residents/asked/eu-1",
            "residents/asked/eu-2",
            "residents/plan/prefer-eu-1-in-eu",
            "residents/plan/prefer-eu-2-in-eu",
            "residents/local/else",
        ]
    );
    assert_eq!(names.last().unwrap(), "default/local/else");
}

#[test]
fn no_route_of_a_fenced_rule_leads_out_of_its_fence() {
    let bootstrap = rendered(POLICY);
    for (name, cluster) in routes(&bootstrap).into_iter().filter(|(name, _)| name.starts_with("residents/")) {
        let plan = cluster.split('|').nth(2).unwrap();
        assert!(!order(&bootstrap, plan).contains(&"us".to_owned()), "{name} leads to {cluster}");
    }
}

#[test]
fn a_plans_priorities_are_its_order_and_its_endpoints_its_fence() {
    let bootstrap = rendered(POLICY);
    assert_eq!(order(&bootstrap, "prefer-eu-2"), ["eu-2", "us", "eu-1"]);
    assert_eq!(order(&bootstrap, "prefer-eu-2-in-eu"), ["eu-2", "eu-1"]);
}

#[test]
fn a_table_of_plans_lists_no_spellings() {
    let names = routes(&rendered(&format!("{POLICY}table: plans\n")));
    assert!(names.iter().all(|(name, _)| !name.contains("/asked/")), "{names:?}");
}

#[test]
fn headers_that_are_the_meshs_own_are_stripped_before_anything_reads_them() {
    let bootstrap = rendered(POLICY);
    let mutations = &manager(&bootstrap)["early_header_mutation_extensions"][0]["typed_config"]["mutations"];
    let stripped: Vec<&str> = mutations.as_array().unwrap().iter().map(|m| m["remove"].as_str().unwrap()).collect();
    assert!(stripped.contains(&"x-region-route"), "what the filter writes");
    assert!(stripped.contains(&"x-tenant"), "what a rule trusts");
}

#[test]
fn a_tag_that_clients_may_not_see_is_taken_out_by_the_filter_that_sees_an_answer_last() {
    let filters = |policy: &str| manager(&rendered(policy))["http_filters"].as_array().unwrap().clone();
    let private = filters(&format!("{POLICY}tag: {{public: false}}\nheaders: {{servedBy: x-cell}}\n"));
    let mutations = json!({"response_mutations": [{"remove": "x-cell"}]});
    assert_eq!(private[0]["typed_config"]["mutations"], mutations, "the first of the chain");
    let names = |filters: &[Value]| filters.iter().map(|filter| filter["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&private[1..]), names(&filters(POLICY)));
}

#[test]
fn where_a_fence_depends_on_the_path_an_escaped_slash_is_a_slash() {
    let action = |policy: &str| manager(&rendered(policy))["path_with_escaped_slashes_action"].clone();
    assert_eq!(action(POLICY), "UNESCAPE_AND_FORWARD");
    assert_eq!(action(&POLICY.replace("pathPrefix: /eu, ", "")), Value::Null);
}

#[test]
fn every_route_ends_in_time_and_rescues_only_what_the_rule_allows() {
    let bootstrap = rendered(POLICY);
    let routes = manager(&bootstrap)["route_config"]["virtual_hosts"][0]["routes"].as_array().unwrap();
    assert!(routes.iter().all(|route| route["route"]["timeout"].is_string()));
    let policy = &routes[0]["route"]["retry_policy"];
    assert_eq!((&policy["num_retries"], &policy["per_try_timeout"]), (&json!(2), &json!("1s")));
    let methods = policy["retriable_request_headers"].as_array().unwrap().iter();
    let methods: Vec<_> = methods.map(|header| (&header["name"], &header["string_match"]["exact"])).collect();
    assert_eq!(methods, [(&json!(":method"), &json!("GET")), (&json!(":method"), &json!("HEAD"))]);
    assert!(routes.last().unwrap()["route"].get("retry_policy").is_none(), "the implied rule rescues nothing");
}

#[test]
fn shares_become_weights_over_plans() {
    let shared = POLICY.replace("fence: eu, timeout", "fence: eu, distribute: {eu-1: 60, eu-2: 40}, timeout");
    let bootstrap = rendered(&shared);
    let route = &manager(&bootstrap)["route_config"]["virtual_hosts"][0]["routes"][0]["route"];
    let expected = json!([
        {"name": "outbound|80|prefer-eu-1-in-eu|page.local", "weight": 60},
        {"name": "outbound|80|prefer-eu-2-in-eu|page.local", "weight": 40},
    ]);
    assert_eq!(route["weighted_clusters"]["clusters"], expected);
}

#[test]
fn without_a_module_the_native_table_stands_alone() {
    let alone = Site { module: None, ..site() };
    let bootstrap = serde_json::to_value(gateway(POLICY, &alone).unwrap()).unwrap();
    assert_eq!(manager(&bootstrap)["http_filters"].as_array().unwrap().len(), 1);
    assert_eq!(routes(&bootstrap), routes(&rendered(POLICY)));
}

#[test]
fn a_service_with_too_many_plans_is_refused_with_a_way_out() {
    let regions: String = (0..60).map(|n| format!("- {{name: r{n}, clusters: [c{n}]}}\n")).collect();
    let policy = format!(
        "apiVersion: meridian/v1\nrole: gateway\nregions:\n{regions}services:\n\
         - {{name: page, hosts: [\"*\"], destination: {{host: page.local, port: 80}}}}\n"
    );
    let error = gateway(&policy, &site()).unwrap_err().to_string();
    assert!(error.contains("service `page` would need 60 plans; the limit is 50"), "{error}");
}
