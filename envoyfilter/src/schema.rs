//! The JSON Schema of a policy document, for editors and pipelines.
//!
//! The compiler in `meridian-core` stays the judge: it knows names, fences and sums, and it is made small for the module that ships, so
//! it carries no descriptions. A schema knows shapes only, but it knows them while somebody types. It is made from one table
//! with a sentence for every key, and a test holds that table equal to what the compiler accepts, key by key.

mod instead;
mod table;

pub(crate) use instead::instead;

use serde_json::{Map, Value, json};

/// A key of an object.
struct Key {
    name: &'static str,
    required: bool,
    shape: Shape,
    /// What an editor shows.
    says: &'static str,
}

/// What a value may look like.
#[derive(Clone, Copy)]
enum Shape {
    Boolean,
    /// Nothing but `true`: the design knows `false`, this version does not.
    True,
    Text,
    /// A whole number between two, both included.
    Whole(u32, u32),
    /// A number between two, both included, given in hundredths.
    Number(u32, u32),
    /// One of these words; the first is the default, if there is one.
    Word(&'static [&'static str]),
    /// A text of this form.
    Form(Form),
    /// The name of something that stands elsewhere in the document.
    Name(Named),
    /// At least so many items.
    List(usize, &'static Shape),
    /// Names of a form, each with a value.
    Names(Form, &'static Shape),
    Keys(&'static [Key]),
}

/// A text of a form, with the longest it may be.
#[derive(Clone, Copy)]
struct Form {
    pattern: &'static str,
    longest: usize,
    /// One that is right.
    example: &'static str,
}

/// What can be referred to by name.
#[derive(Clone, Copy)]
enum Named {
    Region,
    Fence,
    Service,
}

/// The schema, as JSON Schema 2020-12.
#[must_use]
pub fn schema() -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("Meridian policy"));
    schema.insert("description".to_owned(), json!("Which region serves each request, and where it may never go."));
    schema.extend(keys(table::POLICY));
    Value::Object(schema)
}

fn of(shape: Shape) -> Map<String, Value> {
    let found = match shape {
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::True => json!({"const": true}),
        Shape::Text => json!({"type": "string"}),
        Shape::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Shape::Number(least, most) => {
            json!({"type": "number", "minimum": f64::from(least) / 100.0, "maximum": f64::from(most) / 100.0})
        }
        Shape::Word(words) => json!({"enum": words}),
        Shape::Form(form) => text(form),
        Shape::Name(_) => text(table::LABEL_FORM),
        Shape::List(least, item) => json!({"type": "array", "minItems": least, "items": of(*item)}),
        Shape::Names(name, item) => json!({
            "type": "object",
            "propertyNames": {"pattern": name.pattern, "maxLength": name.longest},
            "additionalProperties": of(*item),
        }),
        Shape::Keys(known) => return keys(known),
    };
    match found {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn text(form: Form) -> Value {
    json!({"type": "string", "pattern": form.pattern, "maxLength": form.longest, "examples": [form.example]})
}

fn keys(known: &[Key]) -> Map<String, Value> {
    let required: Vec<_> = known.iter().filter(|key| key.required).map(|key| key.name).collect();
    let property = |key: &Key| {
        let mut property = of(key.shape);
        property.insert("description".to_owned(), json!(key.says));
        (key.name.to_owned(), Value::Object(property))
    };
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), Value::Object(known.iter().map(property).collect()));
    if !required.is_empty() {
        object.insert("required".to_owned(), json!(required));
    }
    object.insert("additionalProperties".to_owned(), json!(false));
    object
}
