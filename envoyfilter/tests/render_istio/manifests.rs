//! Manifests as trees, for every test.

use meridian::istio::{Files, Options, Sources, render};
use meridian::policy_file::PolicyFile;
use meridian_core::LocalHints;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Value, json};
use std::path::PathBuf;

pub(crate) fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/istio").join(path)
}

pub(crate) fn policy(text: &str) -> PolicyFile {
    PolicyFile::parse("policy.yaml", text, &LocalHints::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A case of the fixtures, rendered for one cluster over what its user has.
pub(crate) fn rendered(case: &str, cluster: &str) -> Files {
    let given = fixture(case).join("given");
    let options = Options {
        clusters: vec![cluster.to_owned()],
        given: given.is_dir().then(|| Sources::read(&given).unwrap()),
        gateways: vec!["istio-ingress/gateway".to_owned()],
        outbound: vec!["bank".to_owned()],
        trust_domains: vec![("primary".to_owned(), "us.example".to_owned())],
        ..Options::default()
    };
    render(&policy(&std::fs::read_to_string(fixture(case).join("policy.yaml")).unwrap()), &options).unwrap()
}

/// Every resource of some files.
pub(crate) fn resources(files: &Files) -> Vec<Value> {
    files.iter().flat_map(|(_, text)| documents(text)).collect()
}

/// Every document of a text.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    Yaml::load_from_str(text).unwrap().iter().map(convert).filter(Value::is_object).collect()
}

pub(crate) fn of_kind<'a>(resources: &'a [Value], kind: &str) -> Vec<&'a Value> {
    resources.iter().filter(|resource| resource["kind"] == kind).collect()
}

pub(crate) fn named<'a>(resources: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = resources.iter().find(|resource| resource["kind"] == kind && resource["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// The items of a list that may be absent.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn convert(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Sequence(items) => items.iter().map(convert).collect(),
        Yaml::Mapping(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), convert(value))).collect())
        }
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::Boolean(truth)) => json!(truth),
        Yaml::Value(Scalar::Null) => Value::Null,
        other => panic!("{other:?}"),
    }
}

/// Whether no service sees the plan of a request that takes this route: it is not there, or it is taken out.
pub(crate) fn keeps_the_plan_to_itself(route: &Value) -> bool {
    const PLAN: &str = "x-region-route";
    let matches = list(&route["match"]);
    let absent = !matches.is_empty() && matches.iter().all(|one| one["withoutHeaders"].get(PLAN).is_some());
    let taken_out = list(&route["headers"]["request"]["remove"]).iter().any(|name| name == PLAN);
    absent != taken_out
}
