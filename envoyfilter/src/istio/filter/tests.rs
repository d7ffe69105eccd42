use super::*;
use crate::istio::testing::{POLICY, file, policy};

fn module() -> Source {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.wasm");
    // One import, one export: `env.proxy_log`, `proxy_on_tick`.
    let imports = b"\x02\x11\x01\x03env\x09proxy_log\x00\x03";
    let exports = b"\x07\x11\x01\x0dproxy_on_tick\x00\x05";
    std::fs::write(&path, [b"\0asm\x01\0\0\0".as_slice(), imports, exports].concat()).unwrap();
    Source::File(Module::load(&path, "/etc/meridian/").unwrap())
}

/// A resource made with a source, as JSON.
fn made(source: Option<&Source>, make: impl Fn(&Filter<'_>) -> Option<Value>) -> Option<Value> {
    made_at(Position::First, source, make)
}

fn made_at(position: Position, source: Option<&Source>, make: impl Fn(&Filter<'_>) -> Option<Value>) -> Option<Value> {
    let (file, policy) = (file(POLICY), policy(POLICY, "a"));
    let selector = Map::from_iter([("istio".to_owned(), json!("ingressgateway"))]);
    let (document, namespace) = (&file.document, "istio-ingress");
    make(&Filter { document, policy: &policy, namespace, selector: &selector, source, position })
}

/// The plugin in a resource, whatever stands around it.
fn plugin(filter: &Value) -> &Value {
    let config = &filter["spec"]["configPatches"][0]["patch"]["value"]["typed_config"];
    config.pointer("/extension_config/typed_config").unwrap_or(config)
}

#[test]
fn an_edge_takes_out_the_meshs_headers_and_the_trusted_ones_before_anything_reads_them() {
    let edge = made(None, |filter| Some(filter.edge())).unwrap();
    let config = &edge["spec"]["configPatches"][0]["patch"]["value"]["typed_config"];
    let removed = &config["early_header_mutation_extensions"][0]["typed_config"]["mutations"];
    let names: Vec<&str> = removed.as_array().unwrap().iter().map(|entry| entry["remove"].as_str().unwrap()).collect();
    assert!(names.contains(&"x-region-route") && names.contains(&"x-tenant"), "{names:?}");
    assert_eq!(edge["spec"]["workloadSelector"]["labels"], json!({"istio": "ingressgateway"}));
}

#[test]
fn a_tag_that_clients_may_not_see_is_taken_out_in_front_of_every_other_filter() {
    let selector = Map::from_iter([("istio".to_owned(), json!("ingressgateway"))]);
    let made = |text: &str| {
        let (file, policy, source) = (file(text), policy(text, "a"), module());
        let filter = Filter {
            document: &file.document,
            policy: &policy,
            namespace: "istio-ingress",
            selector: &selector,
            source: Some(&source),
            position: Position::First,
        };
        (filter.private(), filter.gateway().unwrap())
    };
    assert_eq!(made(POLICY).0, None, "a tag is public by default");
    let (private, module) = made(&format!("{POLICY}tag: {{public: false}}\n"));
    let private = private.unwrap();
    let patch = &private["spec"]["configPatches"][0]["patch"];
    let mutations = &patch["value"]["typed_config"]["mutations"];
    assert_eq!(mutations, &json!({"response_mutations": [{"remove": "x-served-by-cluster"}]}));
    // Who inserts itself first after the others is in front of them.
    assert_eq!(patch["operation"], "INSERT_FIRST");
    assert!(private["spec"]["priority"].as_u64() > module["spec"]["priority"].as_u64());
}

#[test]
fn a_sidecar_passes_on_what_the_gateway_trusts() {
    let edge = made(None, |filter| Some(filter.outbound_edge("shop"))).unwrap();
    assert!(!edge.to_string().contains("x-tenant") && edge.to_string().contains("x-region-route"));
}

#[test]
fn the_plugin_arrives_by_ecds_and_nothing_harmful_stands_in_for_it() {
    let source = module();
    let filter = made(Some(&source), |filter| filter.gateway()).unwrap();
    let [extension, insert] = filter["spec"]["configPatches"].as_array().unwrap().as_slice() else { panic!() };
    let discovery = &insert["patch"]["value"]["config_discovery"];
    assert_eq!(insert["patch"]["operation"], "INSERT_FIRST");
    assert_eq!(insert["patch"]["value"]["name"], extension["patch"]["value"]["name"]);
    assert_eq!(discovery["config_source"]["initial_fetch_timeout"], "10s");
    // An RBAC filter without rules.
    assert_eq!(discovery["default_config"].as_object().unwrap().len(), 1);
    assert!(discovery["type_urls"].as_array().unwrap().contains(&discovery["default_config"]["@type"]));
}

#[test]
fn behind_the_authentication_is_before_the_router_and_only_at_a_gateway() {
    let (file, oci) = (module(), Source::Oci("registry.example.com/meridian:1".to_owned()));
    let at = |source, make: fn(&Filter<'_>) -> Option<Value>| {
        made_at(Position::AfterAuthentication, Some(source), make).unwrap()
    };
    let insert = |filter: &Value| filter["spec"]["configPatches"][1].clone();
    let gateway = insert(&at(&file, |filter| filter.gateway()));
    let sub_filter = &gateway["match"]["listener"]["filterChain"]["filter"]["subFilter"]["name"];
    assert_eq!(
        (gateway["patch"]["operation"].as_str(), sub_filter.as_str()),
        (Some("INSERT_BEFORE"), Some("envoy.filters.http.router"))
    );
    assert_eq!(insert(&at(&file, |filter| filter.outbound("shop")))["patch"]["operation"], "INSERT_FIRST");
    assert_eq!(at(&oci, |filter| filter.gateway())["spec"]["phase"], "STATS");
}

#[test]
fn the_plugin_may_do_what_it_needs_and_knows_where_it_sits() {
    let source = module();
    for (make, role) in [
        ((|filter| filter.gateway()) as fn(&Filter<'_>) -> Option<Value>, "gateway"),
        (|filter| filter.outbound("shop"), "outbound"),
        (|filter| filter.inbound("shop"), "inbound"),
    ] {
        let filter = made(Some(&source), make).unwrap();
        let config = &plugin(&filter)["config"];
        let allowed = &config["capability_restriction_config"]["allowed_capabilities"];
        assert_eq!(*allowed, json!({"proxy_log": {}, "proxy_on_tick": {}}));
        let filename = config["vm_config"]["code"]["local"]["filename"].as_str().unwrap();
        assert!(filename.starts_with("/etc/meridian/meridian-") && filename.len() > 64, "{filename}");
        assert_eq!(config["fail_open"], true);
        let mut expected = file(POLICY).document;
        expected["role"] = json!(role);
        let given: Value = serde_json::from_str(config["configuration"]["value"].as_str().unwrap()).unwrap();
        assert_eq!(given, expected);
    }
}

#[test]
fn a_plugin_that_decides_is_skipped_by_hosts_that_are_not_the_policys_and_the_tag_is_for_all() {
    let source = module();
    let rendered = |make: fn(&Filter<'_>) -> Option<Value>| {
        let filter = made(Some(&source), make).unwrap();
        let [extension, insert] = filter["spec"]["configPatches"].as_array().unwrap().as_slice() else { panic!() };
        let types = insert["patch"]["value"]["config_discovery"]["type_urls"].as_array().unwrap();
        let config = extension["patch"]["value"]["typed_config"].clone();
        assert!(types.contains(&config["@type"]), "{types:?}");
        (extension["patch"]["value"]["name"].clone(), config)
    };
    for make in [(|filter| filter.gateway()) as fn(&Filter<'_>) -> Option<Value>, |filter| filter.outbound("shop")] {
        let (name, config) = rendered(make);
        assert_eq!(config["extension_config"]["name"], name);
        let [matcher] = config["xds_matcher"]["matcher_list"]["matchers"].as_array().unwrap().as_slice() else {
            panic!()
        };
        assert!(matcher["predicate"]["not_matcher"].is_object(), "{matcher}");
        let skip = "type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter";
        assert_eq!(matcher["on_match"]["action"]["typed_config"], json!({"@type": skip}));
    }
    assert_eq!(rendered(|filter| filter.inbound("shop")).1["@type"], patch::WASM);
}

#[test]
fn a_registry_is_a_wasm_plugin() {
    let source = Source::Oci("registry.example.com/meridian:1".to_owned());
    let plugin = made(Some(&source), |filter| filter.gateway()).unwrap();
    assert_eq!(plugin["kind"], "WasmPlugin");
    assert_eq!(plugin["spec"]["url"], "oci://registry.example.com/meridian:1");
    assert_eq!(plugin["spec"]["match"], json!([{"mode": "CLIENT"}]));
    assert_eq!(plugin["spec"]["pluginConfig"]["role"], "gateway");
}

#[test]
fn a_tag_is_written_as_it_is_shown() {
    let tag = tag::native("shop", "x-served-by-cluster", "US (50%)");
    let header = &tag["spec"]["configPatches"][0]["patch"]["value"]["response_headers_to_add"][0];
    assert_eq!(header["header"], json!({"key": "x-served-by-cluster", "value": "US (50%%)"}));
    assert_eq!(header["append_action"], "OVERWRITE_IF_EXISTS_OR_ADD");
}
