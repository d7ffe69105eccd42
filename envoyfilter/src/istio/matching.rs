//! A user's match and a rule's, both at once.
//!
//! Istio's match has one slot for the path, one for the method and one per header, and what a rule asks for has to go into the same
//! slots. Where both say something the result is the narrower of the two, or nothing at all (then the route is not written), or, where
//! that cannot be known without evaluating a regular expression, an error.

use super::claims;
use super::complaint::{Complaints, Place};
use super::table::{Header, Methods};
use meridian_core::RuleMatch;
use serde_json::{Map, Value, json};

/// What a route asks for beside the user's match.
pub(super) struct Conditions<'a> {
    pub(super) rule: &'a RuleMatch,
    pub(super) headers: &'a [Header],
    pub(super) methods: &'a Methods,
    /// The user's route replaces the prefix it matched, which must not become another one.
    pub(super) rewrites_prefix: bool,
}

/// The user's match narrowed by the conditions; `None` where nothing is left, or nothing that can be written.
pub(super) fn combine(
    user: &Map<String, Value>,
    conditions: &Conditions<'_>,
    at: &Place,
    complaints: &Complaints,
) -> Option<Map<String, Value>> {
    let mut combined = user.clone();
    path(&mut combined, conditions, at, complaints)?;
    method(&mut combined, conditions.methods, at, complaints)?;
    for header in conditions.headers {
        insert(&mut combined, header, at, complaints)?;
    }
    for header in &conditions.rule.headers {
        insert(&mut combined, &Header::Exact(header.name.clone(), header.exact.clone()), at, complaints)?;
    }
    for claim in &conditions.rule.claims {
        let header = Header::Exact(claims::header(claim.names()), claim.value().to_owned());
        insert(&mut combined, &header, at, complaints)?;
    }
    Some(combined)
}

fn path(
    combined: &mut Map<String, Value>,
    conditions: &Conditions<'_>,
    at: &Place,
    complaints: &Complaints,
) -> Option<()> {
    let ours = &conditions.rule.path_prefix;
    if ours.is_empty() || ours == "/" {
        return Some(());
    }
    let Some(uri) = combined.get("uri").cloned() else {
        if conditions.rewrites_prefix {
            complaints.note(
                &at.key("uri"),
                format!("a route that rewrites its prefix meets the rule's `pathPrefix: {ours}`"),
                "match the prefix that is rewritten in the route itself",
            );
            return None;
        }
        combined.insert("uri".to_owned(), json!({"prefix": ours}));
        return Some(());
    };
    let text = |key: &str| uri.get(key).and_then(Value::as_str);
    let any_case = combined.get("ignoreUriCase").and_then(Value::as_bool).unwrap_or(false);
    match (text("exact"), text("prefix")) {
        (Some(exact), _) if !any_case => exact.starts_with(ours.as_str()).then_some(()),
        (_, Some(prefix)) if !any_case && prefix.starts_with(ours.as_str()) => Some(()),
        (_, Some(prefix)) if !any_case && !ours.starts_with(prefix) => None,
        (_, Some(_)) if !any_case && !conditions.rewrites_prefix => {
            combined.insert("uri".to_owned(), json!({"prefix": ours}));
            Some(())
        }
        _ => {
            complaints.note(
                &at.key("uri"),
                format!("cannot be narrowed to the rule's `pathPrefix: {ours}`"),
                format!("split the route: one whose `uri` is `prefix: {ours}` or inside it, and one for the rest"),
            );
            None
        }
    }
}

fn method(combined: &mut Map<String, Value>, ours: &Methods, at: &Place, complaints: &Complaints) -> Option<()> {
    let user = combined.get("method").and_then(possible_methods);
    match (ours, combined.contains_key("method"), user) {
        (Methods::AllBut(_), false, _) => Some(()),
        (Methods::AllBut(taken), true, Some(theirs)) => {
            let left: Vec<_> = theirs.into_iter().filter(|method| !taken.contains(method)).collect();
            set_methods(combined, &left)
        }
        // What the earlier half took is taken; whatever else this matches is meant.
        (Methods::AllBut(_), true, None) => Some(()),
        (Methods::These(these), false, _) => set_methods(combined, these),
        (Methods::These(these), true, Some(theirs)) => {
            let left: Vec<_> = theirs.into_iter().filter(|method| these.contains(method)).collect();
            set_methods(combined, &left)
        }
        (Methods::These(these), true, None) => {
            complaints.note(
                &at.key("method"),
                format!("cannot be narrowed to the rule's {}", these.join(", ")),
                "list the methods, e.g. `exact: GET` or `regex: GET|HEAD`",
            );
            None
        }
    }
}

/// The methods a match lists, if it is a list.
fn possible_methods(value: &Value) -> Option<Vec<String>> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let listed = text("exact").or_else(|| text("regex"))?;
    let word =
        |method: &str| !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    listed.split('|').all(word).then(|| listed.split('|').map(str::to_owned).collect())
}

fn set_methods(combined: &mut Map<String, Value>, methods: &[String]) -> Option<()> {
    let matcher = match methods {
        [] => return None,
        [one] => json!({"exact": one}),
        several => json!({"regex": several.join("|")}),
    };
    combined.insert("method".to_owned(), matcher);
    Some(())
}

fn insert(combined: &mut Map<String, Value>, header: &Header, at: &Place, complaints: &Complaints) -> Option<()> {
    let (name, field, matcher) = match header {
        Header::Absent(name) => (name, "withoutHeaders", json!({})),
        Header::Exact(name, value) => (name, "headers", json!({"exact": value})),
        Header::Spelling(name, value) => (name, "headers", json!({"regex": format!("(?i){}", escaped(value))})),
    };
    for (field, place) in [("headers", at.key("headers")), ("withoutHeaders", at.key("withoutHeaders"))] {
        let theirs = combined.get(field).and_then(Value::as_object);
        let Some((_, theirs)) = theirs.into_iter().flatten().find(|(key, _)| key.eq_ignore_ascii_case(name)) else {
            continue;
        };
        let impossible = match (field, header) {
            ("headers", Header::Exact(_, ours)) => match theirs.get("exact").and_then(Value::as_str) {
                Some(theirs) if theirs == ours => continue,
                Some(_) => true,
                None => false,
            },
            (_, Header::Exact(..)) => theirs.as_object().is_some_and(Map::is_empty),
            _ => false,
        };
        if !impossible {
            complaints.note(
                &place.key(name),
                "the policy matches on this header, and both cannot hold it",
                "leave what this header decides to the policy, and delete the match or the route",
            );
        }
        return None;
    }
    let map = combined.entry(field).or_insert_with(|| json!({}));
    map.as_object_mut()?.insert(name.clone(), matcher);
    Some(())
}

/// `text` as an RE2 expression that matches exactly it.
fn escaped(text: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meridian_core::RuleMatch;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    /// What becomes of a user's match, and how many complaints there are.
    fn combined(user: Value, prefix: &str, headers: &[Header], methods: &Methods) -> (Option<Value>, bool) {
        let rule = RuleMatch { path_prefix: prefix.to_owned(), ..RuleMatch::default() };
        let complaints = Complaints::default();
        let conditions = Conditions { rule: &rule, headers, methods, rewrites_prefix: false };
        let result = combine(&map(user), &conditions, &Place::new("x"), &complaints).map(Value::Object);
        (result, complaints.into_result().is_err())
    }

    fn any() -> Methods {
        Methods::AllBut(Vec::new())
    }

    fn these(methods: &[&str]) -> Methods {
        Methods::These(methods.iter().map(|method| (*method).to_owned()).collect())
    }

    #[test]
    fn two_paths_become_the_narrower_one_or_none() {
        for (user, prefix, expected) in [
            (json!({}), "/eu", Some(json!({"uri": {"prefix": "/eu"}}))),
            (json!({"uri": {"prefix": "/"}}), "/eu", Some(json!({"uri": {"prefix": "/eu"}}))),
            (json!({"uri": {"prefix": "/eu/a"}}), "/eu", Some(json!({"uri": {"prefix": "/eu/a"}}))),
            (json!({"uri": {"exact": "/eu/a"}}), "/eu", Some(json!({"uri": {"exact": "/eu/a"}}))),
            (json!({"uri": {"exact": "/us"}}), "/eu", None),
            (json!({"uri": {"prefix": "/us"}}), "/eu", None),
            (json!({"uri": {"regex": "/.*"}}), "/", Some(json!({"uri": {"regex": "/.*"}}))),
        ] {
            assert_eq!(combined(user.clone(), prefix, &[], &any()), (expected, false), "{user} with {prefix}");
        }
        assert_eq!(combined(json!({"uri": {"regex": "/.*"}}), "/eu", &[], &any()), (None, true));
    }

    #[test]
    fn two_lists_of_methods_become_what_is_in_both() {
        let exact = |method: &str| Some(json!({"method": {"exact": method}}));
        let get = json!({"method": {"exact": "GET"}});
        assert_eq!(combined(get.clone(), "/", &[], &these(&["GET", "HEAD"])), (exact("GET"), false));
        assert_eq!(combined(get.clone(), "/", &[], &Methods::AllBut(vec!["GET".to_owned()])), (None, false));
        assert_eq!(combined(get, "/", &[], &these(&["POST"])), (None, false));
        let listed = json!({"method": {"regex": "GET|POST"}});
        assert_eq!(combined(listed, "/", &[], &these(&["GET", "HEAD"])), (exact("GET"), false));
        let expected = Some(json!({"method": {"regex": "GET|HEAD"}}));
        assert_eq!(combined(json!({}), "/", &[], &these(&["GET", "HEAD"])), (expected, false));
        assert_eq!(combined(json!({"method": {"regex": "G.*"}}), "/", &[], &these(&["GET"])), (None, true));
    }

    #[test]
    fn headers_are_added_to_the_users() {
        let user = json!({"headers": {"end-user": {"exact": "jason"}}});
        let ours =
            [Header::Absent("x-region-route".to_owned()), Header::Spelling("region".to_owned(), "us.1".to_owned())];
        let expected = json!({
            "headers": {"end-user": {"exact": "jason"}, "region": {"regex": r"(?i)us\.1"}},
            "withoutHeaders": {"x-region-route": {}},
        });
        assert_eq!(combined(user, "/", &ours, &any()), (Some(expected), false));
    }

    #[test]
    fn a_user_who_routes_by_the_same_header_is_told() {
        let user = json!({"headers": {"Region": {"exact": "eu"}}});
        assert_eq!(combined(user, "/", &[Header::Absent("region".to_owned())], &any()), (None, true));
    }

    #[test]
    fn a_claim_is_istios_header_with_each_of_its_names_in_brackets() {
        let claim = meridian_core::ClaimMatch::new("realm.tenant", "acme").unwrap();
        let rule = RuleMatch { claims: vec![claim], ..RuleMatch::default() };
        let complaints = Complaints::default();
        let conditions = Conditions { rule: &rule, headers: &[], methods: &any(), rewrites_prefix: false };
        let combined = combine(&Map::new(), &conditions, &Place::new("x"), &complaints);
        let expected = json!({"headers": {"@request.auth.claims[realm][tenant]": {"exact": "acme"}}});
        assert_eq!(combined, Some(map(expected)));
    }

    #[test]
    fn two_values_of_one_header_are_no_route_and_no_error() {
        let ours = [Header::Exact("x-tenant".to_owned(), "acme".to_owned())];
        let other = json!({"headers": {"x-tenant": {"exact": "other"}}});
        assert_eq!(combined(other, "/", &ours, &any()), (None, false));
        let same = json!({"headers": {"x-tenant": {"exact": "acme"}}});
        assert_eq!(combined(same.clone(), "/", &ours, &any()), (Some(same), false));
        assert_eq!(combined(json!({"withoutHeaders": {"x-tenant": {}}}), "/", &ours, &any()), (None, false));
    }
}
