//! Each trap of Istio's that the rendered manifests have to step around, by name: what would go wrong is in the name, and the test
//! fails as soon as the step around it is taken back.

// What the tests share may fail them as they may themselves.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "render_istio/manifests.rs"]
#[allow(dead_code, reason = "only a part is used here")]
mod manifests;

use manifests::{documents, list, of_kind, policy, text};
use meridian::istio::{Files, Module, Options, Source, Sources, Tag, render};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

const POLICY: &str = "
apiVersion: meridian/v1
role: gateway
regions:
- {name: us-1, clusters: [a], aliases: [us]}
- {name: eu-1, clusters: [b, b2], aliases: [eu]}
- {name: eu-2, clusters: [c]}
fences: {eu: [eu-1, eu-2], dublin: [eu-1]}
services:
- {name: page, hosts: [page.example.com], destination: {host: page.shop.svc.cluster.local, port: 80}}
- {name: bank, hosts: [bank.example.com], destination: {host: bank.vault.svc.cluster.local, port: 80}}
rules:
- {name: residents, match: {services: [bank], headers: [{name: x-tenant, exact: acme, trusted: true}]}, fence: eu}
- {name: dubliners, match: {services: [bank], pathPrefix: /d}, fence: dublin}
- {name: everyone, rescue: {attempts: 2, methods: [GET]}}
";

/// What somebody has for the services already: one that ejects, and does not say how much, and one without a word about it.
const GIVEN: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: page, namespace: shop}
spec:
  host: page
  trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}, outlierDetection: {consecutiveGatewayErrors: 3}}
  subsets: [{name: v1, labels: {version: v1}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: bank, namespace: vault}
spec:
  host: bank.vault.svc.cluster.local
";

/// A module of so many bytes that logs and ticks.
fn module(padding: usize) -> Source {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.wasm");
    let imports = b"\x02\x11\x01\x03env\x09proxy_log\x00\x03".to_vec();
    let exports = b"\x07\x11\x01\x0dproxy_on_tick\x00\x05".to_vec();
    let mut size = padding + 1;
    let mut custom = vec![0];
    // An unsigned LEB128 number.
    while size >= 0x80 {
        custom.push(u8::try_from(size & 0x7f).unwrap() | 0x80);
        size >>= 7;
    }
    custom.push(u8::try_from(size).unwrap());
    custom.extend(vec![0; padding + 1]);
    std::fs::write(&path, [b"\0asm\x01\0\0\0".to_vec(), imports, exports, custom].concat()).unwrap();
    Source::File(Module::load(&path, "/etc/meridian").unwrap())
}

fn options() -> Options {
    Options {
        gateway_namespace: "edge".to_owned(),
        gateways: vec!["edge/public".to_owned()],
        outbound: vec!["shop".to_owned()],
        tag: Tag::Filter,
        module: Some(module(0)),
        ..Options::default()
    }
}

fn rendered(options: &Options) -> Files {
    render(&policy(POLICY), options).unwrap()
}

fn given() -> Options {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("page.yaml"), GIVEN).unwrap();
    Options { given: Some(Sources::read(folder.path()).unwrap()), ..options() }
}

/// Everything that is rendered, with the cluster it is for: with and without what a user has, natively tagged and by the filter.
fn everything() -> &'static [(String, Value)] {
    static ALL: LazyLock<Vec<(String, Value)>> = LazyLock::new(render_everything);
    &ALL
}

fn render_everything() -> Vec<(String, Value)> {
    let native = Options { tag: Tag::Native, module: None, ..options() };
    let oci = Options { module: Some(Source::Oci("registry.example.com/meridian:1".to_owned())), ..options() };
    let all = [options(), given(), native, oci].map(|options| resources(&rendered(&options)));
    all.into_iter().flatten().collect()
}

fn resources(files: &Files) -> Vec<(String, Value)> {
    let cluster = |path: &str| path.split('/').next().unwrap().to_owned();
    files.iter().flat_map(|(path, text)| documents(text).into_iter().map(move |value| (cluster(path), value))).collect()
}

fn kind(kind: &str) -> Vec<Value> {
    let found: Vec<Value> =
        everything().iter().map(|(_, value)| value.clone()).filter(|value| value["kind"] == kind).collect();
    assert!(!found.is_empty(), "there is no {kind}");
    found
}

/// The patches of every `EnvoyFilter`.
fn patches() -> Vec<Value> {
    kind("EnvoyFilter").iter().flat_map(|filter| list(&filter["spec"]["configPatches"]).to_vec()).collect()
}

/// Those that put a filter into a chain, and those that say what it is.
fn patches_of(apply_to: &str) -> Vec<Value> {
    let found: Vec<Value> = patches().into_iter().filter(|patch| patch["applyTo"] == apply_to).collect();
    assert!(!found.is_empty(), "there is no patch of {apply_to}");
    found
}

/// Every object below a value, itself included.
fn objects(value: &Value) -> Vec<&Map<String, Value>> {
    match value {
        Value::Object(map) => std::iter::once(map).chain(map.values().flat_map(objects)).collect(),
        Value::Array(items) => items.iter().flat_map(objects).collect(),
        _ => Vec::new(),
    }
}

fn has_key(value: &Value, keys: &[&str]) -> bool {
    objects(value).iter().any(|object| keys.iter().any(|key| object.contains_key(*key)))
}

/// The subsets a `DestinationRule` has for plans.
fn plans(rule: &Value) -> Vec<&Value> {
    let subsets = list(&rule["spec"]["subsets"]).iter();
    let plans: Vec<_> =
        subsets.filter(|subset| ["only-", "prefer-"].iter().any(|it| text(&subset["name"]).contains(it))).collect();
    assert!(!plans.is_empty(), "{rule}");
    plans
}

#[test]
fn an_east_west_gateway_answers_nothing_for_a_subset_that_its_own_cluster_does_not_have() {
    for options in [options(), given()] {
        let mut defined: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
        let mut named: BTreeSet<(String, String)> = BTreeSet::new();
        for (cluster, value) in resources(&rendered(&options)) {
            for subset in list(&value["spec"]["subsets"]) {
                let host = text(&value["spec"]["host"]).replace("page.shop.svc.cluster.local", "page");
                defined.entry(cluster.clone()).or_default().insert((host, text(&subset["name"]).to_owned()));
            }
            for share in list(&value["spec"]["http"]).iter().flat_map(|route| list(&route["route"])) {
                let host = text(&share["destination"]["host"]).replace("page.shop.svc.cluster.local", "page");
                named.insert((host, text(&share["destination"]["subset"]).to_owned()));
            }
        }
        assert_eq!(defined.keys().collect::<Vec<_>>(), ["a", "b", "b2", "c"]);
        assert!(!named.is_empty());
        for (cluster, subsets) in defined {
            let missing: Vec<_> = named.difference(&subsets).collect();
            assert!(missing.is_empty(), "cluster {cluster} has not {missing:?}");
        }
    }
}

#[test]
fn added_a_filter_stands_behind_the_router_and_the_listener_is_refused() {
    for patch in patches_of("HTTP_FILTER") {
        assert_eq!(patch["patch"]["operation"], "INSERT_FIRST", "{patch}");
    }
}

#[test]
fn the_class_of_a_filter_is_a_field_that_nobody_reads() {
    assert!(patches().iter().all(|patch| !has_key(patch, &["filterClass"])));
}

#[test]
fn without_a_priority_the_order_of_filters_is_that_of_their_creation() {
    for filter in kind("EnvoyFilter") {
        assert!(filter["spec"]["priority"].is_i64(), "{filter}");
    }
}

#[test]
fn what_stands_in_for_a_module_that_cannot_be_fetched_is_refused_unless_its_type_is_listed() {
    for patch in patches_of("HTTP_FILTER") {
        let discovery = &patch["patch"]["value"]["config_discovery"];
        let types: Vec<&str> = list(&discovery["type_urls"]).iter().map(text).collect();
        for expected in ["envoy.extensions.filters.http.wasm.v3.Wasm", "envoy.extensions.filters.http.rbac.v3.RBAC"] {
            assert!(types.contains(&format!("type.googleapis.com/{expected}").as_str()), "{types:?}");
        }
    }
}

#[test]
fn a_plugin_of_a_type_that_its_listener_does_not_list_is_refused() {
    let lists = patches_of("HTTP_FILTER");
    for extension in patches_of("EXTENSION_CONFIG") {
        let value = &extension["patch"]["value"];
        let mut found = lists.iter().map(|patch| &patch["patch"]["value"]).filter(|list| list["name"] == value["name"]);
        let types = &found.next().unwrap()["config_discovery"]["type_urls"];
        assert!(list(types).contains(&value["typed_config"]["@type"]), "{types}");
    }
}

#[test]
fn a_gateway_that_waits_for_its_module_for_ever_never_serves() {
    for patch in patches_of("HTTP_FILTER") {
        let discovery = &patch["patch"]["value"]["config_discovery"];
        let timeout = text(&discovery["config_source"]["initial_fetch_timeout"]).strip_suffix('s').unwrap_or_default();
        assert!(timeout.parse::<f64>().is_ok_and(|seconds| seconds > 0.0), "{discovery}");
        // What stands in is there at once, and lets everything pass: an RBAC filter with rules would not.
        let stand_in = discovery["default_config"].as_object().unwrap();
        assert_eq!(stand_in.keys().collect::<Vec<_>>(), ["@type"]);
        assert!(list(&discovery["type_urls"]).contains(&stand_in["@type"]));
    }
}

#[test]
fn a_module_inline_in_the_chain_takes_its_listener_with_it() {
    for patch in patches_of("HTTP_FILTER") {
        let value = &patch["patch"]["value"];
        assert!(value.get("typed_config").is_none() && value.get("config_discovery").is_some(), "{patch}");
    }
    // Nor is it fetched by Envoy itself, which would hold the listener up.
    assert!(patches().iter().all(|patch| !has_key(patch, &["remote", "http_uri"])));
}

#[test]
fn two_plugins_of_one_name_overwrite_each_other_in_a_proxy() {
    let filters = resources(&rendered(&options()));
    let filters: Vec<Value> =
        filters.into_iter().filter(|(cluster, _)| cluster == "a").map(|(_, value)| value).collect();
    let mut names = BTreeSet::new();
    for filter in of_kind(&filters, "EnvoyFilter") {
        let patches = list(&filter["spec"]["configPatches"]).iter();
        let of = |kind: &str| -> Vec<String> {
            let found = patches.clone().filter(|patch| patch["applyTo"] == kind);
            found.map(|patch| text(&patch["patch"]["value"]["name"]).to_owned()).collect()
        };
        let (extensions, inserted) = (of("EXTENSION_CONFIG"), of("HTTP_FILTER"));
        // What is put into the chain is what is known by that name.
        assert_eq!(extensions, inserted);
        for name in extensions {
            assert!(name.starts_with(&format!("{}/", text(&filter["metadata"]["namespace"]))), "{name}");
            assert!(names.insert(name.clone()), "{name} is there twice");
        }
    }
    assert!(names.len() > 2, "{names:?}");
}

#[test]
fn istio_has_no_word_for_what_these_patches_would_do() {
    for patch in patches() {
        let (place, operation) = (text(&patch["applyTo"]), text(&patch["patch"]["operation"]));
        let known = [
            ("EXTENSION_CONFIG", "ADD"),
            ("HTTP_FILTER", "INSERT_FIRST"),
            ("NETWORK_FILTER", "MERGE"),
            ("VIRTUAL_HOST", "MERGE"),
            ("ROUTE_CONFIGURATION", "MERGE"),
        ];
        assert!(known.contains(&(place, operation)), "{place} {operation}");
        let context = text(&patch["match"]["context"]);
        assert!(["GATEWAY", "SIDECAR_OUTBOUND", "SIDECAR_INBOUND"].contains(&context), "{context}");
    }
}

#[test]
fn a_gateways_port_is_another_one_in_each_way_to_install_istio() {
    assert!(patches().iter().all(|patch| !has_key(patch, &["portNumber", "port_number"])));
}

#[test]
fn a_filter_for_one_version_of_the_proxy_is_gone_after_an_upgrade() {
    assert!(patches().iter().all(|patch| !has_key(patch, &["proxyVersion"])));
}

#[test]
fn a_client_that_names_a_cluster_reaches_the_proxys_own_administration() {
    for (_, resource) in everything() {
        assert!(!has_key(resource, &["cluster_header", "clusterHeader"]), "{resource}");
    }
}

#[test]
fn a_header_that_routes_are_chosen_by_comes_from_a_client_unless_it_is_taken_out_first() {
    let edges: Vec<Value> = patches_of("NETWORK_FILTER");
    for context in ["GATEWAY", "SIDECAR_OUTBOUND"] {
        let edge = edges.iter().find(|patch| patch["match"]["context"] == context).unwrap();
        let early = &edge["patch"]["value"]["typed_config"]["early_header_mutation_extensions"];
        let removed: Vec<&str> = objects(early).iter().filter_map(|object| object.get("remove").map(text)).collect();
        assert!(removed.contains(&"x-region-route"), "{context}: {removed:?}");
        // What rules trust is set behind the gateway's door, and passed on from there.
        assert_eq!(removed.contains(&"x-tenant"), context == "GATEWAY", "{context}: {removed:?}");
    }
    for cluster in ["a", "b", "b2", "c"] {
        for options in [options(), Options { module: None, ..options() }] {
            let files = rendered(&options);
            let edge =
                files.iter().any(|(path, _)| path == format!("{cluster}/edge/envoyfilter.edge.meridian-edge.yaml"));
            assert!(edge, "{cluster}: the routes trust it with the filter or without");
        }
    }
}

#[test]
fn a_plan_that_is_matched_loosely_is_a_plan_that_nobody_declared() {
    for service in kind("VirtualService") {
        for route in list(&service["spec"]["http"]) {
            for wanted in list(&route["match"]) {
                if let Some(plan) = wanted["headers"].get("x-region-route") {
                    assert_eq!(plan.as_object().unwrap().keys().collect::<Vec<_>>(), ["exact"], "{route}");
                }
            }
            // Nobody behind the proxy is told: it is taken out, or it was not there.
            let removed = list(&route["headers"]["request"]["remove"]).contains(&json!("x-region-route"));
            let mut matches = list(&route["match"]).iter();
            let absent = !list(&route["match"]).is_empty()
                && matches.all(|wanted| wanted["withoutHeaders"]["x-region-route"] == json!({}));
            assert!(removed || absent, "{route}");
        }
    }
}

#[test]
fn across_networks_an_endpoint_is_a_gateway_and_has_no_label_of_its_region() {
    for rule in kind("DestinationRule") {
        for subset in plans(&rule) {
            let policy = &subset["trafficPolicy"]["loadBalancer"]["localityLbSetting"];
            for first in list(&policy["failoverPriority"]) {
                // With its value: the key alone compares with the proxy's own.
                assert!(text(first).starts_with("topology.istio.io/cluster="), "{subset}");
            }
            assert_eq!(policy.get("failoverPriority").is_some(), text(&subset["name"]).contains("prefer-"), "{subset}");
        }
    }
}

#[test]
fn of_two_preferences_with_one_key_the_last_wins() {
    for rule in kind("DestinationRule") {
        for subset in plans(&rule) {
            let first = list(&subset["trafficPolicy"]["loadBalancer"]["localityLbSetting"]["failoverPriority"]);
            assert!(first.len() <= 1, "{subset}");
        }
    }
}

#[test]
fn without_outlier_detection_a_preference_means_nothing() {
    for rule in kind("DestinationRule") {
        for subset in plans(&rule) {
            let own = subset["trafficPolicy"].get("outlierDetection");
            let ejects = own.or_else(|| rule["spec"]["trafficPolicy"].get("outlierDetection"));
            let ejects = ejects.unwrap_or_else(|| panic!("{subset}"));
            assert!(ejects["consecutiveGatewayErrors"].as_u64().is_some_and(|count| count > 0), "{ejects}");
        }
    }
}

#[test]
fn of_a_lost_region_istio_ejects_a_tenth_unless_it_may_eject_all() {
    for rule in kind("DestinationRule") {
        for subset in plans(&rule) {
            let own = subset["trafficPolicy"].get("outlierDetection");
            let ejects = own.unwrap_or(&rule["spec"]["trafficPolicy"]["outlierDetection"]);
            assert_eq!(ejects["maxEjectionPercent"], 100, "{subset}");
        }
    }
}

#[test]
fn a_preference_is_compared_only_for_proxies_that_have_labels() {
    let gateways = |value: &Value| {
        let all = list(&value["spec"]["configPatches"]).iter();
        all.clone().count() > 0 && all.clone().all(|patch| patch["match"]["context"] == "GATEWAY")
    };
    let filters = kind("EnvoyFilter");
    let selected: Vec<_> = filters.iter().filter(|filter| gateways(filter)).collect();
    assert!(!selected.is_empty());
    for filter in selected {
        assert_eq!(filter["spec"]["workloadSelector"]["labels"], json!({"istio": "ingressgateway"}), "{filter}");
    }
    // The one excludes the other.
    assert!(filters.iter().all(|filter| filter["spec"].get("targetRefs").is_none()));
}

#[test]
fn what_stands_in_the_root_namespace_without_a_selector_is_in_every_proxy_of_the_mesh() {
    let external = POLICY.replace("bank.vault.svc.cluster.local", "bank.partner.example");
    for tag in [Tag::Native, Tag::Filter] {
        let files = render(&policy(&external), &Options { tag, ..options() }).unwrap();
        for (cluster, resource) in resources(&files) {
            let kind = text(&resource["kind"]);
            let whole = resource["metadata"]["namespace"] == "istio-system"
                && ["EnvoyFilter", "WasmPlugin"].contains(&kind)
                && resource["spec"].get("workloadSelector").is_none();
            assert!(!whole, "{cluster}: {resource}");
        }
    }
}

#[test]
fn a_proxy_keeps_a_changed_module_that_has_the_old_ones_name() {
    let paths = |module: Source| -> BTreeSet<String> {
        let files = rendered(&Options { module: Some(module), ..options() });
        let mut found = BTreeSet::new();
        for (_, resource) in resources(&files) {
            let names = objects(&resource).into_iter().filter_map(|object| object.get("filename"));
            let names: Vec<String> = names.map(|name| text(name).to_owned()).collect();
            found.extend(names);
        }
        // The file that is looked for is one that is mounted.
        for (_, map) in resources(&files).iter().filter(|(_, resource)| resource["kind"] == "ConfigMap") {
            let keys: Vec<String> = map["binaryData"].as_object().unwrap().keys().cloned().collect();
            assert!(found.iter().all(|path| keys.iter().any(|key| path.ends_with(&format!("/{key}")))), "{keys:?}");
        }
        assert_eq!(found.len(), 1, "{found:?}");
        found
    };
    assert_ne!(paths(module(0)), paths(module(1)));
    let name = paths(module(0)).pop_first().unwrap();
    let digest = name.rsplit('-').next().unwrap().trim_end_matches(".wasm");
    assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
}

#[test]
fn a_config_map_over_a_mebibyte_is_refused_by_every_cluster() {
    let largest = Options { module: Some(module(990_000)), clusters: vec!["a".to_owned()], ..options() };
    let files = rendered(&largest);
    let maps: Vec<_> = files.iter().filter(|(path, _)| path.contains("/configmap.")).collect();
    assert!(!maps.is_empty());
    for (path, map) in maps {
        // In base64 it is a third more, which the limit is not about.
        assert!(map.len() * 3 / 4 < 1_048_576, "{path}");
    }
    let too_large = Options { module: Some(module(1_000_000)), ..options() };
    let said = render(&policy(POLICY), &too_large).unwrap_err().to_string();
    assert!(said.contains("1 MiB") && said.contains("--oci"), "{said}");
}

#[test]
fn a_config_map_applied_by_the_client_does_not_fit_into_its_own_annotation() {
    let files = rendered(&options());
    let maps: Vec<_> = files.iter().filter(|(path, _)| path.contains("/configmap.")).collect();
    assert!(!maps.is_empty());
    for (path, map) in maps {
        let about: Vec<&str> = map.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(about.iter().any(|line| line.contains("--server-side")), "{path}: {about:?}");
        // One manager of each field: nothing is there twice, and nothing that a server would write.
        let [map] = documents(map).try_into().unwrap();
        assert_eq!(map["metadata"].as_object().unwrap().keys().collect::<Vec<_>>(), ["name", "namespace"]);
    }
}

#[test]
fn a_gateway_ignores_the_annotations_that_mount_a_volume_into_a_sidecar() {
    for cluster in ["a", "b", "b2", "c"] {
        let files = rendered(&options());
        let (_, mounts) =
            files.iter().find(|(path, _)| *path == format!("{cluster}/mount/kustomization.yaml")).unwrap();
        let [component] = documents(mounts).try_into().unwrap();
        let mut sidecars = 0;
        for patch in list(&component["patches"]) {
            let (gateway, body) = (patch["target"]["namespace"] == "edge", text(&patch["patch"]));
            assert_eq!(body.contains("volumeMounts:"), gateway, "{patch}");
            assert_eq!(body.contains("sidecar.istio.io/userVolumeMount"), !gateway, "{patch}");
            sidecars += usize::from(!gateway);
        }
        assert_eq!(sidecars, 2, "shop for its calls, and vault for its answers");
    }
}

/// The plugin that a patch makes known, whatever stands around it.
fn plugin(patch: &Value) -> &Value {
    let config = &patch["patch"]["value"]["typed_config"];
    config.pointer("/extension_config/typed_config").unwrap_or(config)
}

#[test]
fn a_module_may_call_whatever_the_proxy_offers_unless_it_is_restricted() {
    for patch in patches_of("EXTENSION_CONFIG") {
        let config = &plugin(&patch)["config"];
        let allowed = &config["capability_restriction_config"]["allowed_capabilities"];
        assert_eq!(*allowed, json!({"proxy_log": {}, "proxy_on_tick": {}}), "what it imports, and what it exports");
    }
}

/// The `vm_id` and the `root_id` of every plugin that is rendered with a module.
fn plugins(module: Source) -> Vec<(String, String)> {
    let files = rendered(&Options { module: Some(module), clusters: vec!["a".to_owned()], ..options() });
    let vm = |(_, resource): (String, Value)| -> Vec<(String, String)> {
        let configs = objects(&resource).into_iter().filter(|object| object.contains_key("vm_config"));
        configs.map(|it| (text(&it["vm_config"]["vm_id"]).to_owned(), text(&it["root_id"]).to_owned())).collect()
    };
    resources(&files).into_iter().flat_map(vm).collect()
}

#[test]
fn what_vms_share_is_lost_with_another_name_of_the_vm() {
    let vms = |module| plugins(module).into_iter().map(|(vm, _)| vm).collect::<BTreeSet<_>>();
    let named = BTreeSet::from(["meridian".to_owned()]);
    assert_eq!((vms(module(0)), vms(module(1))), (named.clone(), named));
}

#[test]
fn plugins_of_one_vm_are_told_apart_by_their_root_ids_alone() {
    let plugins = plugins(module(0));
    let roots: BTreeSet<_> = plugins.iter().map(|(_, root)| root).collect();
    assert!(roots.len() > 1 && roots.len() == plugins.len(), "{plugins:?}");
}

#[test]
fn a_filter_that_fails_closes_the_gateway_unless_it_is_told_otherwise() {
    for patch in patches_of("EXTENSION_CONFIG") {
        let config = &plugin(&patch)["config"];
        assert_eq!(config["fail_open"], true, "{config}");
        assert!(config.get("failure_policy").is_none(), "only one of the two may be there");
    }
    for plugin in kind("WasmPlugin") {
        assert_eq!(plugin["spec"]["failStrategy"], "FAIL_OPEN", "{plugin}");
    }
}

#[test]
fn a_retry_stays_in_its_region_unless_it_is_told_to_leave_and_has_the_tries_to() {
    let mut rescued = 0;
    for service in kind("VirtualService") {
        for retries in list(&service["spec"]["http"]).iter().filter_map(|route| route.get("retries")) {
            rescued += 1;
            assert_eq!(retries["retryRemoteLocalities"], true, "{retries}");
            assert!(retries["attempts"].as_u64().is_some_and(|attempts| attempts >= 2), "{retries}");
        }
    }
    assert!(rescued > 0);
}

#[test]
fn a_route_to_a_subset_that_no_rule_has_is_a_503() {
    let mut defined = BTreeSet::new();
    let mut named = BTreeSet::new();
    for (cluster, value) in resources(&rendered(&options())) {
        let host = text(&value["spec"]["host"]);
        let subsets = list(&value["spec"]["subsets"]).iter();
        defined.extend(subsets.map(|it| (cluster.clone(), host.to_owned(), text(&it["name"]).to_owned())));
        let shares = list(&value["spec"]["http"]).iter().flat_map(|route| list(&route["route"]));
        named.extend(shares.map(|share| {
            let to = &share["destination"];
            (cluster.clone(), text(&to["host"]).to_owned(), text(&to["subset"]).to_owned())
        }));
    }
    assert_eq!(defined, named);
}

#[test]
fn of_a_subset_whose_pods_are_in_another_cluster_istio_says_that_it_has_none() {
    let code = |rule: &Value| text(&rule["metadata"]["annotations"]["galley.istio.io/analyze-suppress"]).to_owned();
    for rule in kind("DestinationRule") {
        let elsewhere = plans(&rule).iter().any(|subset| {
            subset.get("labels").is_some_and(|labels| {
                labels.as_object().unwrap().keys().any(|key| key.starts_with("topology.") || key.starts_with("fence."))
            })
        });
        assert_eq!(code(&rule), if elsewhere { "IST0173" } else { "" }, "{rule}");
    }
    // What a user does not want to hear stays unsaid.
    let folder = tempfile::tempdir().unwrap();
    let theirs = "metadata: {name: bank, namespace: vault, annotations: {galley.istio.io/analyze-suppress: IST0107}}";
    let manifest = GIVEN.replace("metadata: {name: bank, namespace: vault}", theirs);
    std::fs::write(folder.path().join("page.yaml"), manifest).unwrap();
    let files = rendered(&Options { given: Some(Sources::read(folder.path()).unwrap()), ..options() });
    let all: Vec<Value> = resources(&files).into_iter().map(|(_, value)| value).collect();
    assert_eq!(code(manifests::named(&all, "DestinationRule", "bank")), "IST0107,IST0173");
}
