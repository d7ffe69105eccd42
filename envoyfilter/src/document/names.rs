//! Objects whose keys are names that stand elsewhere in the document, e.g. regions with their shares.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Names, each with a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent, bound(deserialize = "K: Deserialize<'de> + Ord, V: Deserialize<'de>"))]
pub struct Names<K, V>(pub BTreeMap<K, V>);

impl<K, V> Default for Names<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// As for a map, but with the form of a name under `propertyNames`, where its longest length counts too.
impl<K: JsonSchema, V: JsonSchema> JsonSchema for Names<K, V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}By{}", V::schema_name(), K::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": generator.subschema_for::<K>(),
            "additionalProperties": generator.subschema_for::<V>(),
        })
    }
}
