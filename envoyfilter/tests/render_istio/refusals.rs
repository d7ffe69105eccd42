//! What cannot be kept is an error with its file, its place, and what to write instead.

use crate::manifests::{fixture, policy};
use meridian::istio::{Options, Sources, render};

/// What the renderer says to Bookinfo's manifests with a piece replaced.
fn refusal(file: &str, from: &str, to: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    for name in ["gateway.yaml", "reviews.yaml"] {
        let text = std::fs::read_to_string(fixture("bookinfo/given").join(name)).unwrap();
        let changed = if name == file { text.replacen(from, to, 1) } else { text.clone() };
        assert!(name != file || changed != text, "`{from}` still stands in {name}");
        std::fs::write(folder.path().join(name), changed).unwrap();
    }
    let policy = policy(&std::fs::read_to_string(fixture("bookinfo/policy.yaml")).unwrap());
    let given = Some(Sources::read(folder.path()).unwrap());
    let options = Options { given, clusters: vec!["west".to_owned()], ..Options::default() };
    render(&policy, &options).map(|_| String::new()).unwrap_or_else(|error| error.to_string())
}

#[test]
fn every_refusal_names_its_place() {
    let route = "route:\n    - destination: {host: ratings}";
    for (from, to, expected) in [
        (
            route,
            "delegate: {name: other}",
            "VirtualService bookinfo/ratings: spec.http[0].delegate: a delegate's routes",
        ),
        (
            "host: reviews, subset: v2",
            "host: details",
            "spec.http[0].route[0].destination.host: is no service of the policy",
        ),
        ("subset: v3", "subset: v9", "spec.http[1].route[2].destination.subset: there is no subset `v9`"),
        (
            "end-user: {exact: jason}",
            "region: {exact: eu}",
            "spec.http[0].match[0].headers.region: the policy matches on",
        ),
        (
            "labels: {version: v1}",
            "labels: {topology.istio.io/cluster: west}",
            "spec.subsets[0].labels.topology.istio.io/cluster: chooses",
        ),
        (
            "simple: RANDOM",
            "localityLbSetting: {distribute: []}",
            "spec.trafficPolicy.loadBalancer.localityLbSetting: this and the policy",
        ),
        (
            "  host: reviews\n",
            "  host: '*.bookinfo.svc.cluster.local'\n",
            "DestinationRule bookinfo/reviews: spec.host: a wildcard",
        ),
        (
            "  subsets:\n",
            "  subsets:\n  - name: v1-prefer-eu-west-1\n",
            "there is a subset `v1-prefer-eu-west-1` already",
        ),
        (
            "route:\n    - destination: {host: reviews, subset: v2}",
            "mirror: {host: details}\n    route:\n    - destination: {host: reviews, subset: v2}",
            "spec.http[0].mirror.host: mirrors requests of the rule `acme` out of its fence",
        ),
    ] {
        let said = refusal("reviews.yaml", from, to);
        assert!(said.contains(expected) && said.contains("reviews.yaml: "), "{to}: {said}");
    }
}

#[test]
fn every_refusal_comes_at_once_and_once() {
    let said = refusal("reviews.yaml", "hosts: [reviews]\n", "hosts: [reviews, reviews.example.com]\n");
    assert!(
        said.contains(
            "`reviews.bookinfo.svc.cluster.local` is fenced, and no rule holds for the host reviews.example.com"
        ),
        "{said}"
    );
    assert_eq!(said.matches("spec.http[0].route[0]").count(), 1, "{said}");
    // Both routes lead there; each is said.
    assert!(said.contains("spec.http[1].route[2]"), "{said}");
}

#[test]
fn a_rescue_that_cannot_leave_its_region_is_refused() {
    let text = std::fs::read_to_string(fixture("plain/policy.yaml")).unwrap();
    let said = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let file = policy(&text.replacen(from, to, 1));
        render(&file, &Options::default()).map(|_| String::new()).unwrap_or_else(|error| error.to_string())
    };
    let one = said("attempts: 2, perTryTimeout: 1s", "attempts: 1, perTryTimeout: 1s");
    assert_eq!(
        one,
        "policy: rules[1].rescue.attempts: 1 is too few: Istio leaves the region with the second retry, so no request would be \
         rescued\n  write 2 or more"
    );
    // Where there is one region, there is none to leave.
    let alone = said("attempts: 2, perTryTimeout: 2s", "attempts: 1, perTryTimeout: 2s");
    assert!(alone.starts_with("policy: rules[0].rescue.attempts: 1 is too few"), "{alone}");
    let text = text.replace("eu: [eu-west-1, eu-central-1]", "eu: [eu-west-1]");
    let file = policy(&text.replacen("attempts: 2, perTryTimeout: 2s", "attempts: 1, perTryTimeout: 2s", 1));
    assert!(render(&file, &Options::default()).is_ok());
}
