//! `headers`: other names for the mesh's own headers, and what no other header may be called.

use super::reader::{Node, Object};
use crate::header_names::HeaderNames;

/// Headers that HTTP or Envoy already has a use for. The edge takes the mesh's own headers out of every request, and the filter writes
/// over those of responses, so none of these can be one.
const TAKEN: [&str; 12] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "grpc-status",
    "host",
    "location",
    "set-cookie",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Reads `headers`.
pub(super) fn read(root: &Object<'_>) -> HeaderNames {
    let mut names = HeaderNames::default();
    let Some(object) = root.get("headers").and_then(|node| node.object(&["servedBy", "decision", "route", "explain"]))
    else {
        return names;
    };
    for (key, name) in [
        ("servedBy", &mut names.served_by),
        ("decision", &mut names.decision),
        ("route", &mut names.route),
        ("explain", &mut names.explain),
    ] {
        if let Some(free) = object.get(key).and_then(|node| free_name(&node)) {
            *name = free;
        }
    }
    let all = names.all();
    for (index, name) in all.iter().enumerate() {
        if all.iter().take(index).any(|other| other == name) {
            root.error("headers", format!("`{name}` is the name of two of these headers"), "a name for each");
        }
    }
    names
}

/// A name nobody else has a use for.
fn free_name(node: &Node<'_>) -> Option<String> {
    let name = node.header_name()?;
    let taken = TAKEN.contains(&name.as_str()) || name.starts_with("x-envoy-") || name.starts_with("x-forwarded-");
    if taken {
        node.error_with(format!("`{name}` has a meaning of its own"), "a header that nobody else uses");
    }
    (!taken).then_some(name)
}

/// The name of a header that clients send and rules read, which is none of the mesh's own.
pub(super) fn others(node: &Node<'_>, own: &HeaderNames) -> Option<String> {
    let name = node.header_name()?;
    if own.all().contains(&name.as_str()) {
        node.error_with(format!("`{name}` is the mesh's own and never reaches a rule"), "another header");
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use crate::header_names::HeaderNames;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;
    use crate::testing::{document, policy, problems};
    use serde_json::{Value, json};

    fn named(headers: Value) -> Value {
        let mut document = document();
        document["headers"] = headers;
        document
    }

    #[test]
    fn a_header_is_called_what_the_policy_calls_it_and_the_others_keep_their_names() {
        let policy = policy(&named(json!({"servedBy": "X-Cluster", "route": "plan"})));
        let expected =
            HeaderNames { served_by: "x-cluster".to_owned(), route: "plan".to_owned(), ..HeaderNames::default() };
        assert_eq!(*policy.headers(), expected);
    }

    #[test]
    fn two_headers_have_two_names() {
        for headers in [
            json!({"servedBy": "x-a", "decision": "X-A"}),
            json!({"explain": "x-region-route"}),
            json!({"servedBy": "x-region-explain"}),
        ] {
            let problems = problems(&named(headers));
            assert!(matches!(problems.as_slice(), [one] if one.contains("two of these headers")), "{problems:?}");
        }
        let swapped = named(json!({"servedBy": "x-region-decision", "decision": "x-served-by-cluster"}));
        assert_eq!(problems(&swapped), Vec::<String>::new());
    }

    #[test]
    fn what_http_or_envoy_needs_is_no_name() {
        for name in ["Host", "cookie", "x-envoy-attempt-count", "x-forwarded-for"] {
            let problems = problems(&named(json!({"route": name})));
            assert!(problems.iter().any(|problem| problem.contains("a meaning of its own")), "{name}: {problems:?}");
        }
    }

    #[test]
    fn neither_a_client_nor_a_rule_asks_by_one_of_them() {
        let mut document = named(json!({"decision": "x-why"}));
        document["regionHeader"] = json!("X-Why");
        document["rules"] = json!([{"name": "a", "match": {"headers": [{"name": "x-why", "exact": "b"}]}}]);
        let found = problems(&document);
        assert_eq!(found.iter().filter(|problem| problem.contains("the mesh's own")).count(), 2, "{found:?}");
        document["headers"] = json!({});
        assert_eq!(problems(&document), Vec::<String>::new(), "the name is free where the policy does not take it");
    }
}
