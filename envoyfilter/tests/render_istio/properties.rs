//! For any policy: every route leads to a subset that exists, and under a fence to none that could hold a pod outside of it.

use crate::manifests::{keeps_the_plan_to_itself, list, of_kind, resources, text};
use meridian::istio::{Options, render};
use meridian::policy_file::PolicyFile;
use meridian_core::LocalHints;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A policy of up to four regions with a fence, and the clusters inside that fence.
fn policies() -> impl Strategy<Value = (Value, BTreeSet<String>)> {
    let region = |index: usize| {
        (1..3_usize).prop_map(move |clusters| {
            let names: Vec<_> = (0..clusters).map(|cluster| format!("c{index}-{cluster}")).collect();
            json!({"name": format!("r{index}"), "clusters": names, "aliases": [format!("Alias {index}")]})
        })
    };
    let regions = (2..5_usize).prop_flat_map(move |count| (0..count).map(region).collect::<Vec<_>>());
    let rule = (any::<bool>(), any::<bool>(), any::<bool>(), 0..4_usize, any::<bool>());
    (regions, 1..4_usize, prop::collection::vec(rule, 0..4), any::<bool>()).prop_map(|(regions, inside, rules, plans)| {
        let inside = inside.min(regions.len());
        let fence: Vec<_> = regions[..inside].iter().map(|region| region["name"].clone()).collect();
        let clusters = regions[..inside].iter().flat_map(|region| list(&region["clusters"]));
        let clusters = clusters.map(|cluster| text(cluster).to_owned()).collect();
        let make = |(index, (fenced, restricted, rescued, matched, split)): (usize, &(bool, bool, bool, usize, bool))| {
            let mut rule = json!({"name": format!("rule-{index}"), "match": {"services": ["page"]}});
            let members: Vec<_> = if *fenced { fence.clone() } else { regions.iter().map(|r| r["name"].clone()).collect() };
            if *fenced {
                rule["fence"] = json!("home");
            }
            if *restricted {
                rule["failover"] = json!([{"from": members[0], "to": members.iter().skip(1).take(1).collect::<Vec<_>>()}]);
            }
            if *rescued {
                rule["rescue"] = json!({"methods": ["GET"]});
            }
            if *split && members.len() > 1 {
                rule["distribute"] = json!({text(&members[0]): 60, text(&members[1]): 40});
            }
            match matched {
                0 => rule["match"]["pathPrefix"] = json!(format!("/{index}")),
                1 => rule["match"]["methods"] = json!(["GET", "POST"]),
                2 => rule["match"]["headers"] = json!([{"name": "x-tenant", "exact": "a", "trusted": true}]),
                _ => {}
            }
            rule
        };
        let document = json!({
            "apiVersion": "meridian/v1", "role": "gateway", "table": if plans { "plans" } else { "full" },
            "regions": regions, "fences": {"home": fence},
            "services": [
                {"name": "page", "hosts": ["page.example.com"], "destination": {"host": "page.shop.svc.cluster.local", "port": 80}},
                {"name": "other", "hosts": ["other.example.com"], "destination": {"host": "other.shop.svc.cluster.local", "port": 81}},
            ],
            "rules": rules.iter().enumerate().map(make).collect::<Vec<_>>(),
        });
        (document, clusters)
    })
}

/// The tables of one cluster: those of the others differ in the region of requests that ask for none.
fn one_cluster() -> Options {
    Options { clusters: vec!["c1-0".to_owned()], ..Options::default() }
}

/// Every subset of the `DestinationRule`s, by host and name.
fn subsets(resources: &[Value]) -> BTreeMap<(String, String), Value> {
    let rules = of_kind(resources, "DestinationRule").into_iter();
    let entries =
        rules.flat_map(|rule| list(&rule["spec"]["subsets"]).iter().map(|subset| (&rule["spec"]["host"], subset)));
    entries.map(|(host, subset)| ((text(host).to_owned(), text(&subset["name"]).to_owned()), subset.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_route_leads_to_a_subset_and_every_subset_is_led_to((document, _) in policies()) {
        let file = PolicyFile::parse("policy", &document.to_string(), &LocalHints::default());
        prop_assume!(file.is_ok());
        let resources = resources(&render(&file.unwrap(), &one_cluster()).unwrap());
        let subsets = subsets(&resources);
        let mut led_to = BTreeSet::new();
        for service in of_kind(&resources, "VirtualService") {
            for route in list(&service["spec"]["http"]) {
                for share in list(&route["route"]) {
                    let destination = &share["destination"];
                    let key = (text(&destination["host"]).to_owned(), text(&destination["subset"]).to_owned());
                    prop_assert!(subsets.contains_key(&key), "{route}");
                    led_to.insert(key);
                }
                prop_assert!(text(&route["timeout"]).ends_with('s'), "every route ends");
                prop_assert!(keeps_the_plan_to_itself(route), "{route}");
            }
        }
        prop_assert_eq!(led_to, subsets.into_keys().collect::<BTreeSet<_>>());
    }

    #[test]
    fn no_route_of_a_fenced_rule_can_reach_a_pod_outside((document, inside) in policies()) {
        let file = PolicyFile::parse("policy", &document.to_string(), &LocalHints::default());
        prop_assume!(file.is_ok());
        let file = file.unwrap();
        let files = render(&file, &Options::default()).unwrap();
        let all = resources(&render(&file, &one_cluster()).unwrap());
        let subsets = subsets(&all);
        let fenced: Vec<&str> = list(&document["rules"]).iter()
            .filter(|rule| rule.get("fence").is_some()).map(|rule| text(&rule["name"])).collect();
        // Which clusters' pods get which label, and where nothing may carry it.
        let labelled = |cluster: &str, label: &str| files.iter()
            .any(|(path, file)| path == format!("{cluster}/labels/kustomization.yaml") && file.contains(&format!("{label}: ")));
        let outside: Vec<&str> = list(&document["regions"]).iter().flat_map(|region| list(&region["clusters"]))
            .map(text).filter(|cluster| !inside.contains(*cluster)).collect();
        for service in of_kind(&all, "VirtualService") {
            for route in list(&service["spec"]["http"]) {
                let rule = text(&route["name"]).split('/').next().unwrap();
                if !fenced.contains(&rule) {
                    continue;
                }
                for share in list(&route["route"]) {
                    let destination = &share["destination"];
                    let key = (text(&destination["host"]).to_owned(), text(&destination["subset"]).to_owned());
                    let labels = subsets[&key]["labels"].as_object().cloned().unwrap_or_default();
                    prop_assert_eq!(labels.len(), 1, "{}", subsets[&key]);
                    let (label, value) = labels.iter().next().unwrap();
                    match label.as_str() {
                        "topology.istio.io/cluster" => prop_assert!(inside.contains(text(value))),
                        "topology.kubernetes.io/region" => {
                            let region = list(&document["regions"]).iter().find(|region| region["name"] == *value).unwrap();
                            prop_assert!(list(&region["clusters"]).iter().all(|cluster| inside.contains(text(cluster))));
                        }
                        _ => {
                            prop_assert!(label.starts_with("fence.meridian/"), "{label}");
                            for cluster in &outside {
                                prop_assert!(!labelled(cluster, label), "{label} in {cluster}");
                            }
                        }
                    }
                }
            }
        }
    }
}
