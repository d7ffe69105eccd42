//! A short fingerprint of a document, for people to tell two policies apart.

use crate::fnv::fnv1a;
use serde_json::Value;

/// The same for equal documents, whatever the order of their keys or the form they were read from.
pub(super) fn fingerprint(document: &Value) -> u16 {
    let hash = hash(document);
    let [a, b, ..] = (hash ^ (hash >> 16) ^ (hash >> 32) ^ (hash >> 48)).to_le_bytes();
    u16::from_le_bytes([a, b])
}

fn hash(value: &Value) -> u64 {
    match value {
        Value::Null => combine(0, &[]),
        Value::Bool(truth) => combine(1, &[u64::from(*truth)]),
        Value::Number(number) => combine(2, &[number.as_u64().unwrap_or(u64::MAX)]),
        Value::String(text) => combine(3, &[fnv1a(text.bytes())]),
        Value::Array(items) => items.iter().fold(4, |sum, item| combine(sum, &[hash(item)])),
        Value::Object(map) => {
            // A sum does not depend on the order.
            let entries = map.iter().map(|(key, item)| combine(5, &[fnv1a(key.bytes()), hash(item)]));
            entries.fold(6, u64::wrapping_add)
        }
    }
}

fn combine(start: u64, parts: &[u64]) -> u64 {
    fnv1a([start].iter().chain(parts).flat_map(|part| part.to_le_bytes()))
}
