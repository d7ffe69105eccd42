//! The JSON Schema of a policy document, for editors and pipelines.
//!
//! It is made from the types of [`document`](crate::document): shapes, forms, bounds and defaults are theirs, and the sentences are
//! their comments. A schema knows shapes only, but it knows them while somebody types. It is kept as a file, `policy.schema.json`, for
//! editors to point at.

mod instead;

pub(crate) use instead::instead;

use crate::document::Document;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Value, json};

/// The schema, as JSON Schema 2020-12.
#[must_use]
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(AsWritten);
    settings.into_generator().into_root_schema_for::<Document>().to_value()
}

/// What types know and people do not write: that a key may be null where it may be left out, and how many bits a number has.
#[derive(Clone)]
struct AsWritten;

impl Transform for AsWritten {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        schema.remove("format");
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|name| name != "null");
            if let [one] = types.as_slice() {
                let one = one.clone();
                object.insert("type".to_owned(), one);
            }
        }
        if let Some(Value::Array(mut either)) = object.remove("anyOf") {
            either.retain(|schema| *schema != json!({"type": "null"}));
            match (either.len(), either.pop()) {
                (1, Some(Value::Object(one))) => object.extend(one),
                (_, last) => {
                    either.extend(last);
                    object.insert("anyOf".to_owned(), Value::Array(either));
                }
            }
        }
    }
}
