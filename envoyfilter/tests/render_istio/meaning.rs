//! Public samples through the renderer: without a region header, and with everything healthy, a request meets what it met before.
//!
//! The routes are read by a small evaluator of Istio's matching, written from its reference and not from the renderer.

use crate::manifests::{documents, fixture, keeps_the_plan_to_itself, list, named, of_kind, rendered, resources, text};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a route looks at.
struct Request<'a> {
    path: &'a str,
    method: &'a str,
    headers: &'a [(&'a str, &'a str)],
}

fn string(matcher: &Value, value: &str) -> bool {
    let with = |key: &str| matcher.get(key).and_then(Value::as_str);
    match (with("exact"), with("prefix"), with("regex")) {
        (Some(exact), ..) => value == exact,
        (_, Some(prefix), _) => value.starts_with(prefix),
        (.., Some(regex)) => match regex.strip_prefix("(?i)") {
            Some(word) => value.eq_ignore_ascii_case(word),
            None => regex.split('|').any(|word| word == value),
        },
        _ => true,
    }
}

fn matches(route: &Value, request: &Request<'_>) -> bool {
    let header = |name: &str| request.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let one = |matcher: &Value| {
        let all = |key: &str| matcher[key].as_object().cloned().unwrap_or_default();
        string(&matcher["uri"], request.path)
            && string(&matcher["method"], request.method)
            && all("headers").iter().all(|(name, matcher)| header(name).is_some_and(|value| string(matcher, value)))
            && all("withoutHeaders")
                .iter()
                .all(|(name, matcher)| !header(name).is_some_and(|value| string(matcher, value)))
    };
    list(&route["match"]).is_empty() || list(&route["match"]).iter().any(one)
}

fn taken<'a>(service: &'a Value, request: &Request<'_>) -> Option<&'a Value> {
    list(&service["spec"]["http"]).iter().find(|route| matches(route, request))
}

/// Destinations without their plans, each with its share in thousandths.
fn shares(route: &Value, plans: &[&str]) -> BTreeMap<String, u64> {
    let shares = list(&route["route"]);
    let weight = |share: &Value| share["weight"].as_u64().unwrap_or(u64::from(shares.len() == 1));
    let whole: u64 = shares.iter().map(weight).sum();
    let mut found = BTreeMap::new();
    for share in shares {
        let mut share = share.clone();
        let thousandths = weight(&share) * 1000 / whole;
        without_plan(&mut share["destination"], plans);
        share.as_object_mut().unwrap().remove("weight");
        *found.entry(share.to_string()).or_insert(0) += thousandths;
    }
    found
}

fn without_plan(destination: &mut Value, plans: &[&str]) {
    let Some(subset) = destination.get("subset").and_then(Value::as_str).map(str::to_owned) else { return };
    let destination = destination.as_object_mut().unwrap();
    for plan in plans {
        if subset == *plan {
            destination.remove("subset");
        } else if let Some(version) = subset.strip_suffix(&format!("-{plan}")) {
            destination.insert("subset".to_owned(), json!(version));
        }
    }
}

/// What a route does beside choosing a destination, without what the policy adds.
fn manner(route: &Value, plans: &[&str], policy_adds: &[&str]) -> Map<String, Value> {
    let mut manner = route.as_object().unwrap().clone();
    manner.retain(|key, _| !["name", "match", "route"].contains(&key.as_str()) && !policy_adds.contains(&key.as_str()));
    if let Some(mirror) = manner.get_mut("mirror") {
        without_plan(mirror, plans);
    }
    manner
}

/// Holds every request's route before against the one after.
fn same(before: &Value, after: &Value, plans: &[&str], requests: &[Request<'_>]) {
    for request in requests {
        let (method, path) = (request.method, request.path);
        let (old, new) = (taken(before, request), taken(after, request));
        let (Some(old), Some(new)) = (old, new) else {
            assert!(old.is_none() && new.is_none(), "{method} {path}: only one of them has a route");
            continue;
        };
        if old.get("route").is_none() {
            assert_eq!(old, new, "{method} {path}");
            continue;
        }
        assert_eq!(shares(old, &[]), shares(new, plans), "{method} {path}");
        // A timeout only where there was none, the retries of a rescued method, and the plan's header taken out if it can be there.
        let mut adds = vec!["headers"];
        adds.extend(old.get("timeout").is_none().then_some("timeout"));
        adds.extend((method == "GET").then_some("retries"));
        assert_eq!(manner(old, &[], &adds), manner(new, plans, &adds), "{method} {path}");
        assert!(keeps_the_plan_to_itself(new), "{method} {path}");
    }
}

fn given(path: &str, kind: &str, name: &str) -> Value {
    let text = std::fs::read_to_string(fixture(path)).unwrap();
    named(&documents(&text), kind, name).clone()
}

fn requests<'a>(paths: &[&'a str], headers: &'a [(&'a str, &'a str)]) -> Vec<Request<'a>> {
    let with = |path: &&'a str| ["GET", "POST"].map(|method| Request { path, method, headers });
    paths.iter().flat_map(with).collect()
}

#[test]
fn bookinfos_paths_lead_where_they_led() {
    let before = given("bookinfo/given/gateway.yaml", "VirtualService", "bookinfo");
    let resources = resources(&rendered("bookinfo", "west"));
    let after = named(&resources, "VirtualService", "bookinfo.bookinfo.example.com");
    assert_eq!(after["spec"]["hosts"], json!(["bookinfo.example.com"]));
    assert_eq!(after["spec"]["gateways"], before["spec"]["gateways"]);
    let paths = ["/productpage", "/productpage/2", "/static/a.css", "/login", "/logout", "/api/v1/products/0", "/"];
    same(&before, after, &["prefer-eu-west-1"], &requests(&paths, &[]));
}

#[test]
fn bookinfos_versions_keep_their_shares_and_her_ratings_stay_late() {
    let resources = resources(&rendered("bookinfo", "west"));
    for name in ["reviews", "ratings"] {
        let before = given("bookinfo/given/reviews.yaml", "VirtualService", name);
        let after = named(&resources, "VirtualService", name);
        for headers in [&[][..], &[("end-user", "jason")]] {
            same(&before, after, &["prefer-eu-west-1"], &requests(&["/", "/reviews/0"], headers));
        }
    }
}

#[test]
fn a_tenants_request_has_the_same_version_inside_the_fence() {
    let resources = resources(&rendered("bookinfo", "west"));
    let before = given("bookinfo/given/reviews.yaml", "VirtualService", "reviews");
    let after = named(&resources, "VirtualService", "reviews");
    let request = Request { path: "/", method: "POST", headers: &[("x-tenant", "acme")] };
    let route = taken(after, &request).unwrap();
    assert!(text(&route["name"]).starts_with("acme/local"), "{route}");
    assert_eq!(shares(route, &["prefer-eu-west-1-in-eu"]), shares(taken(&before, &request).unwrap(), &[]));
}

#[test]
fn helloworlds_canary_redirect_rewrite_and_mirror_are_as_they_were() {
    let before = given("helloworld/given/helloworld.yaml", "VirtualService", "helloworld");
    let resources = resources(&rendered("helloworld", "primary"));
    let after = named(&resources, "VirtualService", "helloworld");
    let plans = ["prefer-us-sanjose-1", "prefer-us-chicago-1"];
    same(&before, after, &plans, &requests(&["/hello", "/hi", "/v2/hello", "/other"], &[]));
}

#[test]
fn a_host_the_policy_does_not_have_keeps_its_routes_untouched() {
    let before = given("helloworld/given/helloworld.yaml", "VirtualService", "helloworld");
    let resources = resources(&rendered("helloworld", "primary"));
    let after = named(&resources, "VirtualService", "helloworld.old.example.com");
    assert_eq!(after["spec"]["http"], before["spec"]["http"]);
    assert_eq!(after["spec"]["hosts"], json!(["old.example.com"]));
}

#[test]
fn a_region_that_is_asked_for_changes_the_place_and_nothing_else() {
    let resources = resources(&rendered("bookinfo", "west"));
    let after = named(&resources, "VirtualService", "reviews");
    let request = Request { path: "/", method: "GET", headers: &[("region", "US")] };
    let route = taken(after, &request).unwrap();
    let home = taken(after, &Request { headers: &[], ..request }).unwrap();
    assert_eq!(shares(route, &["prefer-us-sanjose-1"]), shares(home, &["prefer-eu-west-1"]));
}

#[test]
fn a_users_destination_rule_is_extended_and_never_changed() {
    let cases = [("bookinfo", "west", "reviews"), ("helloworld", "primary", "helloworld")];
    for (case, cluster, name) in cases {
        let before = given(&format!("{case}/given/{name}.yaml"), "DestinationRule", name);
        let resources = resources(&rendered(case, cluster));
        let after = named(&resources, "DestinationRule", name);
        assert_eq!(before["spec"]["trafficPolicy"], after["spec"]["trafficPolicy"]);
        let (old, new) = (list(&before["spec"]["subsets"]), list(&after["spec"]["subsets"]));
        assert_eq!(old, &new[..old.len()]);
        for subset in &new[old.len()..] {
            let version = old.iter().find(|old| text(&subset["name"]).starts_with(&format!("{}-", text(&old["name"]))));
            let inherited = version.map(|version| &version["trafficPolicy"]["loadBalancer"]);
            let balancer =
                inherited.filter(|own| own.is_object()).unwrap_or(&before["spec"]["trafficPolicy"]["loadBalancer"]);
            let mut theirs = subset["trafficPolicy"]["loadBalancer"].as_object().unwrap().clone();
            theirs.remove("localityLbSetting");
            assert_eq!(theirs, balancer.as_object().cloned().unwrap_or_default(), "{subset}");
            for (key, value) in version.and_then(|version| version["labels"].as_object()).into_iter().flatten() {
                assert_eq!(subset["labels"][key], *value);
            }
        }
    }
}

#[test]
fn every_file_holds_one_resource() {
    for (_, file) in rendered("bookinfo", "west").iter() {
        assert!(documents(file).len() <= 1);
    }
    assert!(!of_kind(&resources(&rendered("bookinfo", "west")), "EnvoyFilter").is_empty());
}

#[test]
fn a_gateways_own_table_for_a_name_of_the_registry_leaves_the_mesh_its_fence() {
    let text = std::fs::read_to_string(fixture("bookinfo/given/reviews.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let changed = text.replacen("hosts: [reviews]\n", "hosts: [reviews]\n  gateways: [bookinfo-gateway]\n", 1);
    std::fs::write(folder.path().join("reviews.yaml"), changed).unwrap();
    let policy = crate::manifests::policy(&std::fs::read_to_string(fixture("bookinfo/policy.yaml")).unwrap());
    let given = Some(meridian::istio::Sources::read(folder.path()).unwrap());
    let options = meridian::istio::Options { given, ..Default::default() };
    let resources = resources(&meridian::istio::render(&policy, &options).unwrap());
    let mesh = named(&resources, "VirtualService", "reviews.mesh");
    assert_eq!(mesh["spec"]["gateways"], json!(["mesh"]));
    assert_eq!(mesh["spec"]["hosts"], json!(["reviews.bookinfo.svc.cluster.local"]));
}
