use super::*;
use crate::istio::testing::file;
use meridian_core::{LocalHints, UnknownKeys, compile};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

const SERVICES: &str = "
- {name: page, hosts: [page.example.com, '*.shop.example.com'], destination: {host: page.shop.svc.cluster.local, port: 80}}
- {name: cart, hosts: [cart.example.com], destination: {host: cart.shop.svc.cluster.local, port: 80}}
- {name: bank, hosts: [bank.example.org], destination: {host: pay.bank.example, port: 80}}
";

fn text(services: &str) -> String {
    format!(
        "apiVersion: meridian/v1\nrole: gateway\nregions:\n- {{name: us, clusters: [a]}}\n- {{name: eu, clusters: [b]}}\n\
         services:{services}rules:\n- {{name: all}}\n"
    )
}

fn policy(text: &str, context: Context, namespace: Option<&str>) -> Policy {
    let mut document = file(text).document;
    document["role"] = context.role().into();
    let hints = LocalHints { cluster_id: Some("a"), namespace, ..LocalHints::default() };
    compile(&document, UnknownKeys::Refuse, &hints).map(|(policy, _)| policy).unwrap()
}

fn rendered(text: &str, context: Context) -> Value {
    serde_json::to_value(predicate(&policy(text, context, None), context)).unwrap()
}

/// What Envoy makes of a predicate.
fn holds(predicate: &Value, authority: &[u8]) -> bool {
    let (kind, inside) = predicate.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "not_matcher" => !holds(inside, authority),
        "or_matcher" => inside["predicate"].as_array().unwrap().iter().any(|inner| holds(inner, authority)),
        "single_predicate" => {
            assert_eq!(inside["input"]["typed_config"]["header_name"], ":authority");
            let value = &inside["value_match"];
            assert_eq!(value["ignore_case"], true);
            let authority = authority.to_ascii_lowercase();
            let (kind, text) = value.as_object().unwrap().iter().find(|(key, _)| *key != "ignore_case").unwrap();
            let text = text.as_str().unwrap().as_bytes();
            match kind.as_str() {
                "prefix" => authority.starts_with(text),
                "contains" => authority.windows(text.len()).any(|window| window == text),
                other => panic!("{other}"),
            }
        }
        other => panic!("{other}"),
    }
}

/// The comparisons of a predicate, as text.
fn comparisons(predicate: &Value) -> Vec<String> {
    let one = |single: &Value| {
        let value = &single["single_predicate"]["value_match"];
        let (kind, text) = value.as_object().unwrap().iter().find(|(key, _)| *key != "ignore_case").unwrap();
        format!("{kind} {}", text.as_str().unwrap())
    };
    match predicate.pointer("/or_matcher/predicate") {
        Some(several) => several.as_array().unwrap().iter().map(one).collect(),
        None => vec![one(predicate)],
    }
}

#[test]
fn a_host_is_one_comparison_and_a_name_of_the_registry_one_for_all_its_forms() {
    let public = ["prefix page.example.com", "contains .shop.example.com", "prefix cart.example.com"];
    assert_eq!(
        comparisons(&rendered(&text(SERVICES), Context::Gateway)),
        [public.as_slice(), &["prefix bank.example.org"]].concat()
    );
    // `page.example.com` begins as `page` does.
    assert_eq!(
        comparisons(&rendered(&text(SERVICES), Context::Outbound)),
        [
            "contains .shop.example.com",
            "prefix page",
            "prefix cart",
            "prefix bank.example.org",
            "prefix pay.bank.example"
        ]
    );
}

#[test]
fn one_host_is_no_list_which_envoy_would_refuse() {
    let one =
        "\n- {name: page, hosts: [page.example.com], destination: {host: page.shop.svc.cluster.local, port: 80}}\n";
    let found = rendered(&text(one), Context::Gateway);
    assert_eq!(found["single_predicate"]["value_match"], json!({"prefix": "page.example.com", "ignore_case": true}));
}

#[test]
fn hosts_that_others_cover_are_not_compared() {
    let nested = SERVICES.replace("*.shop.example.com", "*.com");
    assert_eq!(comparisons(&rendered(&text(&nested), Context::Gateway)), ["contains .com", "prefix bank.example.org"]);
}

#[test]
fn a_filter_that_has_to_see_everything_is_never_skipped() {
    let any = SERVICES.replace("bank.example.org", "'*'");
    assert_eq!(rendered(&text(&any), Context::Gateway), Value::Null, "every host is the policy's");
    let block = format!("{}verify: {{onMismatch: block}}\n", text(SERVICES));
    assert_eq!(rendered(&block, Context::Outbound), Value::Null, "every answer is checked");
    assert_eq!(rendered(&text(SERVICES), Context::Inbound), Value::Null, "every answer is tagged");
}

#[test]
fn many_hosts_are_left_to_the_filters_table_which_finds_them_by_hash() {
    let hosts = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("h{at:02}.example.com")).collect();
        let hosts = names.join(", ");
        text(&format!(
            "\n- {{name: page, hosts: [{hosts}], destination: {{host: page.shop.svc.cluster.local, port: 80}}}}\n"
        ))
    };
    assert_eq!(comparisons(&rendered(&hosts(LIMIT), Context::Gateway)).len(), LIMIT);
    assert_eq!(rendered(&hosts(LIMIT + 1), Context::Gateway), Value::Null);
}

#[test]
fn foreign_hosts_are_kept_out_of_the_vm() {
    for (context, foreign) in [
        (Context::Gateway, ["other.example.com", "example.com", "shop.example.com", "page", "", "10.0.0.1:80"]),
        (Context::Outbound, ["reviews:9080", "example.com", "shop.example.com", "other.shop:80", "", "10.0.0.1:80"]),
    ] {
        let predicate = rendered(&text(SERVICES), context);
        for authority in foreign {
            assert!(!holds(&predicate, authority.as_bytes()), "{authority:?} in {context:?}");
            assert!(policy(&text(SERVICES), context, Some("shop")).virtual_host(authority.as_bytes()).is_none());
        }
    }
}

/// Spellings of an authority around the policy's own names, right and wrong.
fn authority() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        Just("page.example.com"),
        Just("x.shop.example.com"),
        Just("a.b.shop.example.com"),
        Just("cart.example.com"),
        Just("bank.example.org"),
        Just("page"),
        Just("page.shop"),
        Just("cart.shop.svc"),
        Just("cart.shop.svc.cluster.local"),
        Just("pay.bank.example"),
        Just("other.example.com"),
    ];
    let before = prop_oneof![4 => Just(Vec::new()), 1 => proptest::collection::vec(any::<u8>(), 0..6)];
    let port = prop_oneof![
        2 => Just(Vec::new()),
        2 => Just(b":8080".to_vec()),
        1 => Just(b":".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ];
    (before, name, any::<u64>(), 0..3_usize, port).prop_map(|(before, name, upper, dots, port)| {
        let cased = name
            .bytes()
            .enumerate()
            .map(|(at, byte)| if upper >> (at % 64) & 1 == 1 { byte.to_ascii_uppercase() } else { byte });
        [before, cased.collect(), b".".repeat(dots), port].concat()
    })
}

/// Every place and namespace that decides, with what is rendered for it.
static DECIDING: LazyLock<Vec<(Policy, Value)>> = LazyLock::new(|| {
    let text = text(SERVICES);
    let places = [Context::Gateway, Context::Outbound].into_iter();
    let places = places.flat_map(|context| [None, Some("shop"), Some("bank")].map(|namespace| (context, namespace)));
    let deciding = |(context, namespace)| (policy(&text, context, namespace), rendered(&text, context));
    places.map(deciding).collect()
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_the_filter_would_decide_about_is_let_in(authority in authority()) {
        for (policy, predicate) in DECIDING.iter() {
            if policy.virtual_host(&authority).is_some() {
                prop_assert!(holds(predicate, &authority));
            }
        }
    }
}
