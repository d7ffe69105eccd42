//! What to write where something is wrong, by the place alone.
//!
//! The reader says what it can about the value it met. Where it knows no better one, the schema does: what may stand at that path, and
//! which names there are to choose from.

use serde_json::{Map, Value};

/// How many names are listed.
const SHOWN: usize = 8;

/// What to write at a path of the document, e.g. `rules[2].fence`.
pub(crate) fn instead(schema: &Value, path: &str, document: &Value) -> String {
    let mut place = Place { schema, root: schema, reference: None, examples: None };
    for step in steps(path) {
        let next = match step {
            Step::Item => place.part("items"),
            Step::Key(name) => match place.properties() {
                Some(known) if !known.contains_key(name) => return place.instead_of_key(name),
                Some(known) => known.get(name),
                None => place.part("additionalProperties"),
            },
        };
        if let Some(next) = next {
            place = place.at(next);
        }
    }
    place.right(document)
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

/// A part of the schema, with the definition it was found under, and the examples beside the reference to that.
#[derive(Clone, Copy)]
struct Place<'s> {
    schema: &'s Value,
    root: &'s Value,
    reference: Option<&'s str>,
    examples: Option<&'s Value>,
}

impl<'s> Place<'s> {
    /// A part of this one, or where its reference leads.
    fn at(self, part: &'s Value) -> Self {
        let reference = part.get("$ref").and_then(Value::as_str);
        let led_to = reference.and_then(|reference| self.root.pointer(reference.strip_prefix('#')?));
        Self { schema: led_to.unwrap_or(part), reference, examples: part.get("examples"), ..self }
    }

    fn part(self, keyword: &str) -> Option<&'s Value> {
        self.schema.get(keyword)
    }

    fn text(self, keyword: &str) -> Option<&'s str> {
        self.part(keyword).and_then(Value::as_str)
    }

    fn properties(self) -> Option<&'s Map<String, Value>> {
        self.part("properties").and_then(Value::as_object)
    }

    /// The keys of an object, those that it needs first.
    fn keys(self) -> Vec<&'s str> {
        let required = self.part("required").and_then(Value::as_array).into_iter().flatten();
        let mut keys: Vec<_> = required.filter_map(Value::as_str).collect();
        let others = self.properties().into_iter().flatten().map(|(key, _)| key.as_str());
        let others: Vec<_> = others.filter(|key| !keys.contains(key)).collect();
        keys.extend(others);
        keys
    }

    /// What to write instead of a key that is not known here: the same where it is known, if that is in few places, or a known one.
    fn instead_of_key(self, name: &str) -> String {
        let mut places = Vec::new();
        Self { schema: self.root, ..self }.places_of(name, "", &mut places);
        // Rules that are only tried have the shape of those in force, which is where people mean.
        places.retain(|place| !place.starts_with("shadow."));
        if places.is_empty() || places.len() > 3 {
            return one_of(self.keys());
        }
        let places: Vec<_> = places.iter().map(|place| format!("`{place}`")).collect();
        format!("`{name}` inside {}, where it belongs", places.join(" or "))
    }

    /// The objects of the schema that know a key, by their paths.
    fn places_of(self, name: &str, path: &str, found: &mut Vec<String>) {
        for (key, part) in self.properties().into_iter().flatten() {
            if key == name && !path.is_empty() {
                found.push(path.to_owned());
            }
            let dot = if path.is_empty() { "" } else { "." };
            self.at(part).places_of(name, &format!("{path}{dot}{key}"), found);
        }
        if let Some(items) = self.part("items") {
            self.at(items).places_of(name, &format!("{path}[]"), found);
        }
    }

    /// The words of a closed set.
    fn words(self) -> Vec<&'s Value> {
        let one = self.part("const").into_iter();
        let all = self.part("enum").and_then(Value::as_array).into_iter().flatten();
        let told = self.part("oneOf").and_then(Value::as_array).into_iter().flatten();
        one.chain(all).chain(told.filter_map(|word| word.get("const"))).collect()
    }

    /// What is right here, in words.
    fn right(self, document: &Value) -> String {
        match self.named(document) {
            Some((from, names)) if names.is_empty() => return format!("it under `{from}` first: there is none"),
            Some((_, names)) => return one_of(names),
            None => {}
        }
        let words = self.words();
        if !words.is_empty() {
            return words.iter().map(|word| format!("`{}`", plain(word))).collect::<Vec<_>>().join(" or ");
        }
        let example = self.example();
        match self.text("type") {
            Some("boolean") => "`true` or `false`".to_owned(),
            Some("integer") => format!("a whole number from {}", self.bounds()),
            Some("number") => format!("a number from {}", self.bounds()),
            Some("array") => format!("a list, e.g. `{example}`"),
            Some("object") if self.properties().is_none() => format!("names with values, e.g. `{example}`"),
            Some("string") if self.part("examples").is_none() => "a text".to_owned(),
            _ => format!("e.g. `{example}`"),
        }
    }

    fn bounds(self) -> String {
        let bound = |keyword| self.part(keyword).map(Value::to_string).unwrap_or_default();
        format!("{} to {}", bound("minimum"), bound("maximum"))
    }

    /// A value that is right here.
    fn example(self) -> String {
        if let Some(example) = self.examples.or(self.part("examples")).and_then(|examples| examples.get(0)) {
            return plain(example);
        }
        if let Some(word) = self.words().first() {
            return plain(word);
        }
        match self.text("type") {
            Some("boolean") => "true".to_owned(),
            Some("integer" | "number") => {
                let bound = |keyword| self.part(keyword).and_then(Value::as_f64);
                let most = bound("maximum").unwrap_or(100.0).min(100.0);
                most.max(bound("minimum").unwrap_or(0.0)).to_string()
            }
            Some("array") => {
                format!("[{}]", self.part("items").map(|item| self.at(item).example()).unwrap_or_default())
            }
            Some("object") => self.example_of_object(),
            _ => "text".to_owned(),
        }
    }

    /// An object with what it needs, or with the first thing it may have.
    fn example_of_object(self) -> String {
        let value = |schema: Option<&'s Value>| schema.map(|schema| self.at(schema).example()).unwrap_or_default();
        let Some(known) = self.properties() else {
            return format!("{{{}: {}}}", value(self.part("propertyNames")), value(self.part("additionalProperties")));
        };
        let needed = self.part("required").and_then(Value::as_array).map_or(1, Vec::len);
        let shown = self.keys().into_iter().take(needed).map(|key| format!("{key}: {}", value(known.get(key))));
        format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
    }

    /// The names that the document has to offer, where one of them belongs, and the key they stand under.
    fn named(self, document: &Value) -> Option<(&'static str, Vec<&str>)> {
        let list = |key: &str| {
            let items = document.get(key).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|item| item.get("name")?.as_str()).collect()
        };
        let fences = || document.get("fences").and_then(Value::as_object).into_iter().flatten();
        match self.reference?.rsplit('/').next()? {
            "RegionName" => Some(("regions", list("regions"))),
            "ServiceName" => Some(("services", list("services"))),
            "FenceName" => Some(("fences", fences().map(|(name, _)| name.as_str()).collect())),
            _ => None,
        }
    }
}

/// A value as it stands in YAML.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match (names.len(), shown.as_slice()) {
        (1, [one]) => one.clone(),
        (all, _) if all > SHOWN => format!("one of {} or {} more", shown.join(", "), all - SHOWN),
        _ => format!("one of {}", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::schema;
    use serde_json::json;

    fn at(path: &str) -> String {
        instead(&schema(), path, &json!({"regions": [{"name": "a"}, {"name": "b"}], "fences": {"eu": ["a"]}}))
    }

    #[test]
    fn a_place_tells_what_may_stand_there() {
        assert_eq!(at("rules[3].timeout"), "e.g. `10s`");
        assert_eq!(at("services[0].destination.port"), "a whole number from 1 to 65535");
        assert_eq!(at("warmup.aggression"), "a number from 0.1 to 10");
        assert_eq!(at("regions[0]"), "e.g. `{name: eu-west-1, clusters: [acme]}`");
        assert_eq!(at("rules[0].match.methods"), "a list, e.g. `[GET]`");
        assert_eq!(at("rules[0].distribute"), "names with values, e.g. `{eu-west-1: 100}`");
        assert_eq!(at("role"), "`gateway` or `outbound` or `inbound`");
    }

    #[test]
    fn a_reference_tells_what_there_is_to_refer_to() {
        assert_eq!(at("fences.eu[0]"), "one of `a`, `b`");
        assert_eq!(at("rules[0].fence"), "`eu`");
        assert_eq!(at("rules[0].match.services[1]"), "it under `services` first: there is none");
    }

    #[test]
    fn an_unknown_key_tells_the_known_ones() {
        assert_eq!(at("tag.seen"), "`public`");
        assert_eq!(at("regions[0].port"), "`port` inside `services[].destination`, where it belongs");
    }
}
