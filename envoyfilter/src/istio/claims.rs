//! Tables that ask for what a token says: one for the gateways, and one for the mesh without those routes.
//!
//! No sidecar checks tokens, so a rule that asks for a claim is about no call of the mesh, and Istio refuses `@request.auth.claims` in
//! every `VirtualService` that the mesh has, a gateway's at the same time or not.

use serde_json::{Value, json};

/// Istio's word for a claim, as a header's name.
const CLAIM: &str = "@request.auth.claims";
const MESH: &str = "mesh";

/// The header that asks for the claim of these names.
pub(super) fn header<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("{CLAIM}[{}]", names.collect::<Vec<_>>().join("]["))
}

/// A table as it is, or for whoever may have it.
pub(super) fn apart(resource: Value) -> Vec<Value> {
    let listed = resource.pointer("/spec/gateways").and_then(Value::as_array).cloned().unwrap_or_default();
    let (mesh, gateways): (Vec<Value>, Vec<Value>) = listed.into_iter().partition(|gateway| gateway == MESH);
    let in_mesh = gateways.is_empty() || !mesh.is_empty();
    if !in_mesh || !routes(&resource).iter().flat_map(matches).any(asks) {
        return vec![resource];
    }
    let inside = without(&resource);
    if gateways.is_empty() {
        return vec![inside];
    }
    let name = resource.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let inside =
        with(&with(&inside, "/metadata", "name", json!(format!("{name}.inside"))), "/spec", "gateways", json!([MESH]));
    vec![with(&resource, "/spec", "gateways", Value::Array(gateways)), inside]
}

/// The table without the matches that ask for a claim, and without the routes that are left with none.
fn without(resource: &Value) -> Value {
    let rest = |route: &Value| {
        let left: Vec<Value> = matches(route).iter().filter(|one| !asks(one)).cloned().collect();
        match (matches(route).len(), left.len()) {
            (all, left) if all == left => Some(route.clone()),
            (_, 0) => None,
            _ => Some(with(route, "", "match", Value::Array(left))),
        }
    };
    let left: Vec<Value> = routes(resource).iter().filter_map(rest).collect();
    with(resource, "/spec", "http", Value::Array(left))
}

fn routes(resource: &Value) -> &[Value] {
    resource.pointer("/spec/http").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn matches(route: &Value) -> &[Value] {
    route.get("match").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn asks(one: &Value) -> bool {
    let named = ["headers", "withoutHeaders"].into_iter().filter_map(|field| one.get(field)?.as_object());
    named.flat_map(|headers| headers.keys()).any(|name| name.to_ascii_lowercase().starts_with(CLAIM))
}

/// A copy with another value at a key of the object at `pointer`.
fn with(resource: &Value, pointer: &str, key: &str, value: Value) -> Value {
    let mut changed = resource.clone();
    if let Some(map) = changed.pointer_mut(pointer).and_then(Value::as_object_mut) {
        map.insert(key.to_owned(), value);
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(gateways: &Value) -> Value {
        let claim = json!({"headers": {"@request.auth.claims[tenant]": {"exact": "acme"}}});
        json!({
            "metadata": {"name": "page"},
            "spec": {"gateways": gateways, "http": [
                {"name": "acme", "match": [claim]},
                {"name": "both", "match": [claim, {"uri": {"prefix": "/a"}}]},
                {"name": "rest"},
            ]},
        })
    }

    fn names(table: &Value) -> Vec<&str> {
        routes(table).iter().map(|route| route["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_gateways_table_stays_as_it_is() {
        let table = table(&json!(["shop/shop"]));
        assert_eq!(apart(table.clone()), [table]);
    }

    #[test]
    fn a_table_of_the_mesh_asks_for_no_claim() {
        for gateways in [json!(["mesh"]), json!([]), Value::Null] {
            let tables = apart(table(&gateways));
            assert_eq!(tables.len(), 1);
            assert_eq!(names(&tables[0]), ["both", "rest"]);
            assert_eq!(tables[0]["spec"]["http"][0]["match"], json!([{"uri": {"prefix": "/a"}}]));
        }
    }

    #[test]
    fn a_table_of_both_becomes_two() {
        let tables = apart(table(&json!(["shop/shop", "mesh"])));
        let of = |table: &Value| (table["metadata"]["name"].clone(), table["spec"]["gateways"].clone());
        assert_eq!(of(&tables[0]), (json!("page"), json!(["shop/shop"])));
        assert_eq!(of(&tables[1]), (json!("page.inside"), json!(["mesh"])));
        assert_eq!(names(&tables[0]), ["acme", "both", "rest"]);
        assert_eq!(names(&tables[1]), ["both", "rest"]);
    }

    #[test]
    fn a_table_without_claims_stays_one() {
        let table = json!({"metadata": {"name": "page"}, "spec": {"gateways": ["shop/shop", "mesh"], "http": [{"name": "rest"}]}});
        assert_eq!(apart(table.clone()), [table]);
    }
}
