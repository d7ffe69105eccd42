//! What to write where something is wrong, by the place alone.
//!
//! The compiler says what it can about the value it met. Where it knows no better one, the table does: what may stand at that path, and
//! which names there are to choose from.

use super::table::POLICY;
use super::{Key, Named, Shape};
use serde_json::Value;

/// How many names are listed.
const SHOWN: usize = 8;

/// What to write at a path of the document, e.g. `rules[2].fence`.
pub(crate) fn instead(path: &str, document: &Value) -> String {
    let mut shape = Shape::Keys(POLICY);
    for step in steps(path) {
        shape = match (shape, step) {
            (Shape::List(_, item), Step::Item) | (Shape::Names(_, item), Step::Key(_)) => *item,
            (Shape::Keys(known), Step::Key(name)) => match known.iter().find(|key| key.name == name) {
                Some(key) => key.shape,
                None => return one_of(known.iter().map(|key| key.name)),
            },
            (other, _) => other,
        };
    }
    right(shape, document)
}

enum Step<'a> {
    Key(&'a str),
    Item,
}

fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split(['.', '[']).filter(|part| !part.is_empty()).map(|part| match part.strip_suffix(']') {
        Some(_) => Step::Item,
        None => Step::Key(part),
    })
}

/// What is right for a shape, in words.
fn right(shape: Shape, document: &Value) -> String {
    match shape {
        Shape::Boolean => "`true` or `false`".to_owned(),
        Shape::True => "`true`".to_owned(),
        Shape::Text => "a text".to_owned(),
        Shape::Whole(least, most) => format!("a whole number from {least} to {most}"),
        Shape::Number(least, most) => {
            format!("a number from {} to {}", f64::from(least) / 100.0, f64::from(most) / 100.0)
        }
        Shape::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "),
        Shape::Form(form) => format!("e.g. `{}`", form.example),
        Shape::Name(named) => one_of(names(named, document)),
        Shape::List(_, item) => format!("a list, e.g. `[{}]`", example(*item)),
        Shape::Names(name, item) => format!("names with values, e.g. `{{{}: {}}}`", name.example, example(*item)),
        Shape::Keys(known) => format!("e.g. `{}`", example_of(known)),
    }
}

/// A value of a shape.
fn example(shape: Shape) -> String {
    match shape {
        Shape::Boolean | Shape::True => "true".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::Whole(least, most) => (most.min(100).max(least)).to_string(),
        Shape::Number(least, most) => (f64::from(most.min(100).max(least)) / 100.0).to_string(),
        Shape::Word(words) => words.first().copied().unwrap_or_default().to_owned(),
        Shape::Form(form) => form.example.to_owned(),
        Shape::Name(Named::Region) => "eu-west-1".to_owned(),
        Shape::Name(Named::Fence) => "eu".to_owned(),
        Shape::Name(Named::Service) => "productpage".to_owned(),
        Shape::List(_, item) => format!("[{}]", example(*item)),
        Shape::Names(name, item) => format!("{{{}: {}}}", name.example, example(*item)),
        Shape::Keys(known) => example_of(known),
    }
}

/// An object with what it needs, or with the first thing it may have.
fn example_of(known: &[Key]) -> String {
    let needed = known.iter().filter(|key| key.required);
    let shown = needed.chain(known.iter().take(1).filter(|key| !key.required));
    let shown: Vec<_> = shown.map(|key| format!("{}: {}", key.name, example(key.shape))).collect();
    format!("{{{}}}", shown.join(", "))
}

/// The names the document has to offer.
fn names(named: Named, document: &Value) -> Vec<&str> {
    let list = |key: &str| {
        let items = document.get(key).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.get("name")?.as_str()).collect()
    };
    match named {
        Named::Region => list("regions"),
        Named::Service => list("services"),
        Named::Fence => {
            let fences = document.get("fences").and_then(Value::as_object);
            fences.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
        }
    }
}

fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match (names.len(), shown.as_slice()) {
        (0, _) => "nothing: there is none to name".to_owned(),
        (1, [one]) => one.clone(),
        (all, _) if all > SHOWN => format!("one of {} or {} more", shown.join(", "), all - SHOWN),
        _ => format!("one of {}", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(path: &str) -> String {
        instead(path, &json!({"regions": [{"name": "a"}, {"name": "b"}], "fences": {"eu": ["a"]}}))
    }

    #[test]
    fn a_place_tells_what_may_stand_there() {
        assert_eq!(at("rules[3].timeout"), "e.g. `10s`");
        assert_eq!(at("services[0].destination.port"), "a whole number from 1 to 65535");
        assert_eq!(at("regions[0]"), "e.g. `{name: eu-west-1, clusters: [acme]}`");
        assert_eq!(at("rules[0].match.methods"), "a list, e.g. `[GET]`");
        assert_eq!(at("rules[0].distribute"), "names with values, e.g. `{eu-west-1: 100}`");
    }

    #[test]
    fn a_reference_tells_what_there_is_to_refer_to() {
        assert_eq!(at("fences.eu[0]"), "one of `a`, `b`");
        assert_eq!(at("rules[0].fence"), "`eu`");
        assert_eq!(at("rules[0].match.services[1]"), "nothing: there is none to name");
    }

    #[test]
    fn an_unknown_key_tells_the_known_ones() {
        assert_eq!(at("tag.seen"), "`public`");
    }
}
