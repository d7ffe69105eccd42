//! A JSON Schema check of our own, for the few keywords our schema uses; any other keyword fails the test that met it.

use regex_lite::Regex;
use serde_json::Value;

/// Whether the schema accepts the value.
pub(crate) fn accepts(schema: &Value, value: &Value) -> bool {
    let keywords = schema.as_object().expect("a schema is an object");
    keywords.iter().all(|(keyword, wanted)| match keyword.as_str() {
        "$schema" | "title" | "description" | "examples" => true,
        "type" => match wanted.as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("number") => value.is_number(),
            Some("integer") => value.is_u64() || value.is_i64(),
            other => panic!("a type of {other:?}"),
        },
        "const" => value == wanted,
        "enum" => wanted.as_array().expect("a list").contains(value),
        "pattern" => value.as_str().is_none_or(|text| pattern(wanted).is_match(text)),
        "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= number(wanted)),
        "minimum" => value.as_f64().is_none_or(|found| found >= bound(wanted)),
        "maximum" => value.as_f64().is_none_or(|found| found <= bound(wanted)),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= number(wanted)),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| accepts(wanted, item))),
        "required" => value.as_object().is_none_or(|object| {
            wanted.as_array().expect("a list").iter().all(|key| object.contains_key(key.as_str().expect("a name")))
        }),
        "properties" => value.as_object().is_none_or(|object| {
            object.iter().all(|(key, item)| wanted.get(key).is_none_or(|schema| accepts(schema, item)))
        }),
        "propertyNames" => {
            value.as_object().is_none_or(|object| object.keys().all(|key| accepts(wanted, &Value::from(key.as_str()))))
        }
        "additionalProperties" => value.as_object().is_none_or(|object| {
            let known = schema.get("properties").and_then(Value::as_object);
            let others = object.iter().filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)));
            others.into_iter().all(|(_, item)| wanted != false && accepts(wanted, item))
        }),
        other => panic!("the check does not know the keyword `{other}`"),
    })
}

fn pattern(wanted: &Value) -> Regex {
    Regex::new(wanted.as_str().expect("a pattern is a string")).expect("a pattern compiles")
}

fn number(wanted: &Value) -> u64 {
    wanted.as_u64().expect("a limit is a whole number")
}

fn bound(wanted: &Value) -> f64 {
    wanted.as_f64().expect("a bound is a number")
}
