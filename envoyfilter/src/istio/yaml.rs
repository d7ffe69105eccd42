//! JSON trees as YAML that people can review.
//!
//! What is rendered ends in somebody's repository and in front of somebody's eyes before it is applied, so it is block style, the same
//! bytes every time, with the keys first that say what a thing is. A string is left plain only where no YAML reader, of version 1.1 or
//! 1.2, could take it for anything else: Kubernetes still reads `on`, `no` and `0o7` its own way.

use serde_json::{Map, Value};
use std::fmt::Write;

/// Keys that say what an object is come first, in this order; the others follow by name.
const FIRST: [&str; 12] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "applyTo",
    "hosts",
    "host",
    "gateways",
    "@type",
    "match",
    "withoutHeaders",
];

/// One document, ending in a line break.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    node(&mut out, value, 0, false);
    out
}

/// Writes a value whose key or dash, if `inline`, stands already on the current line.
fn node(out: &mut String, value: &Value, indent: usize, inline: bool) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            if inline {
                out.push('\n');
            }
            object(out, map, indent);
        }
        Value::Array(items) if !items.is_empty() => {
            if inline {
                out.push('\n');
            }
            for item in items {
                list_item(out, item, indent);
            }
        }
        Value::String(text) if inline && is_literal(text) => literal(out, text, indent),
        _ => {
            let space = if inline { " " } else { "" };
            let _ = writeln!(out, "{space}{}", scalar(value));
        }
    }
}

fn object(out: &mut String, map: &Map<String, Value>, indent: usize) {
    for (at, (key, value)) in ordered(map).into_iter().enumerate() {
        // The first key of an object in a list stands on the line of the dash.
        if at > 0 || !out.ends_with("- ") {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&text(key));
        out.push(':');
        let deeper = if value.is_array() { indent } else { indent + 2 };
        node(out, value, deeper, true);
    }
}

fn list_item(out: &mut String, item: &Value, indent: usize) {
    out.push_str(&" ".repeat(indent));
    match item {
        Value::Object(map) if !map.is_empty() => {
            out.push_str("- ");
            object(out, map, indent + 2);
        }
        _ => {
            out.push('-');
            node(out, item, indent + 2, true);
        }
    }
}

fn ordered(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    let place = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    entries.sort_by(|(a, _), (b, _)| place(a).cmp(&place(b)).then_with(|| a.cmp(b)));
    entries
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        // `{}` and `[]` are empty here, and JSON is YAML.
        other => other.to_string(),
    }
}

/// A string: plain where that is safe, else as JSON, which YAML's double quotes include.
fn text(string: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,|".contains(&byte);
    let word = string.to_ascii_lowercase();
    let reserved = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"].contains(&word.as_str());
    let starts = string.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'/');
    // A colon may stand inside a word but not at its end, where it would make a key.
    if starts && !reserved && string.bytes().all(plain) && !string.ends_with(':') {
        return string.to_owned();
    }
    // Durations are the one kind of word that begins with a digit and is read often.
    let duration = string.strip_suffix('s').is_some_and(|number| {
        number.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
            && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    });
    if duration { string.to_owned() } else { Value::String(string.to_owned()).to_string() }
}

/// Several lines that lose nothing as a literal block.
fn is_literal(string: &str) -> bool {
    let visible = |byte: u8| (0x20..0x7f).contains(&byte) || byte == b'\n';
    string.contains('\n')
        && string.bytes().all(visible)
        && !string.starts_with([' ', '\n'])
        && !string.ends_with('\n')
        && string.lines().all(|line| !line.ends_with(' '))
}

fn literal(out: &mut String, string: &str, indent: usize) {
    out.push_str(" |-\n");
    for line in string.lines() {
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use saphyr::{LoadableYamlNode, Scalar, Yaml};
    use serde_json::json;

    fn read(text: &str) -> Value {
        fn convert(yaml: &Yaml<'_>) -> Value {
            match yaml {
                Yaml::Sequence(items) => items.iter().map(convert).collect(),
                Yaml::Mapping(map) => Value::Object(
                    map.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), convert(value))).collect(),
                ),
                Yaml::Value(Scalar::String(text)) => json!(text),
                Yaml::Value(Scalar::Integer(number)) => json!(number),
                Yaml::Value(Scalar::Boolean(truth)) => json!(truth),
                Yaml::Value(Scalar::Null) => Value::Null,
                other => panic!("{other:?}"),
            }
        }
        convert(&Yaml::load_from_str(text).unwrap()[0])
    }

    #[test]
    fn a_tree_is_written_as_people_write_it() {
        let tree = json!({"spec": {"http": [{"route": [{"weight": 1}], "name": "a/b"}], "hosts": ["*"]}, "kind": "X"});
        let expected = "kind: X\nspec:\n  hosts:\n  - \"*\"\n  http:\n  - name: a/b\n    route:\n    - weight: 1\n";
        assert_eq!(document(&tree), expected);
    }

    #[test]
    fn words_that_some_reader_takes_for_something_else_are_quoted() {
        for word in ["on", "No", "1e3", "0o7", "", "a: b", "key:", "# no", "*", "1.5", "~", "- a", "(?i)eu", "=", "0x1"]
        {
            assert!(document(&json!(word)).starts_with('"'), "{word}");
        }
        assert_eq!(document(&json!("10s")), "10s\n");
    }

    #[test]
    fn a_json_document_inside_is_a_literal_block() {
        let inner = serde_json::to_string_pretty(&json!({"a": [1]})).unwrap();
        let written = document(&json!({"value": inner}));
        assert!(written.starts_with("value: |-\n  {\n"), "{written}");
        assert_eq!(read(&written)["value"], json!(inner));
    }

    fn trees() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(|truth| json!(truth)),
            (-1000i64..1000).prop_map(|number| json!(number)),
            "[ -~]{0,12}".prop_map(|text| json!(text)),
            "[ -~\n]{0,12}".prop_map(|text| json!(text)),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map("[ -~]{1,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(tree in trees()) {
            prop_assert_eq!(read(&document(&json!({"root": tree.clone()})))["root"].clone(), tree);
        }
    }
}
