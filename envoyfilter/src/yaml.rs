//! YAML as a JSON tree that remembers where everything stood.
//!
//! The core reads JSON trees and names what is wrong by path (`rules[2].fence`). People want a line. So the file is parsed once with
//! positions, and the tree and the positions part ways here, with the path to bring them together again.

use saphyr::{LoadableYamlNode, MarkedYaml, Marker, Scalar, YamlData};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;

/// A place in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl From<&Marker> for Position {
    fn from(marker: &Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// A parsed file.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) value: Value,
    positions: HashMap<String, Position>,
}

/// Why a file is not one YAML document that could be JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) at: Position,
}

impl Tree {
    /// Parses a file of any number of documents; those that are empty (a comment, a `---` too many) are left out.
    pub(crate) fn parse_all(text: &str) -> Result<Vec<Self>, SyntaxError> {
        let documents = load(text)?;
        let trees = documents.iter().map(Self::of);
        trees.filter(|tree| !matches!(tree, Ok(Self { value: Value::Null, .. }))).collect()
    }

    /// Parses one document.
    pub(crate) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let documents = load(text)?;
        let start = Position { line: 1, column: 1 };
        let mut documents = documents.iter();
        let Some(document) = documents.next() else {
            return Err(SyntaxError { message: "the file is empty".to_owned(), at: start });
        };
        if let Some(second) = documents.next() {
            let message = "a second document begins here; a policy is one document".to_owned();
            return Err(SyntaxError { message, at: (&second.span.start).into() });
        }
        Self::of(document)
    }

    fn of(document: &MarkedYaml<'_>) -> Result<Self, SyntaxError> {
        let mut positions = HashMap::new();
        let value = convert(document, &mut String::new(), &mut positions)?;
        Ok(Self { value, positions })
    }

    /// Where the value at `path` stands; for a path that does not exist, its nearest parent that does.
    pub(crate) fn position(&self, path: &str) -> Option<Position> {
        let mut path = path;
        loop {
            if let Some(position) = self.positions.get(path) {
                return Some(*position);
            }
            path = path.get(..path.rfind(['.', '[']).unwrap_or(0)).filter(|_| !path.is_empty())?;
        }
    }
}

fn load(text: &str) -> Result<Vec<MarkedYaml<'_>>, SyntaxError> {
    MarkedYaml::load_from_str(text)
        .map_err(|error| SyntaxError { message: error.info().to_owned(), at: error.marker().into() })
}

fn convert(
    node: &MarkedYaml<'_>,
    path: &mut String,
    positions: &mut HashMap<String, Position>,
) -> Result<Value, SyntaxError> {
    let at = Position::from(&node.span.start);
    positions.insert(path.clone(), at);
    let error = |message: &str| SyntaxError { message: message.to_owned(), at };
    let length = path.len();
    match &node.data {
        YamlData::Value(scalar) => Ok(value(scalar)),
        YamlData::Sequence(items) => {
            let mut list = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                list.push(convert(item, path, positions)?);
                path.truncate(length);
            }
            Ok(Value::Array(list))
        }
        YamlData::Mapping(entries) => {
            let mut map = Map::new();
            for (key, item) in entries {
                let YamlData::Value(key) = &key.data else { return Err(error("a key must be a plain word")) };
                let key = match value(key) {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                if length > 0 {
                    path.push('.');
                }
                path.push_str(&key);
                let item = convert(item, path, positions)?;
                path.truncate(length);
                map.insert(key, item);
            }
            Ok(Value::Object(map))
        }
        YamlData::Tagged(..) => Err(error("tags (`!name`) have no meaning here")),
        YamlData::Alias(_) => Err(error("aliases (`*name`) are not resolved here; write the value out")),
        YamlData::Representation(..) | YamlData::BadValue => Err(error("this is not a value")),
    }
}

fn value(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(truth) => Value::Bool(*truth),
        Scalar::Integer(number) => Value::Number((*number).into()),
        Scalar::FloatingPoint(number) => Number::from_f64(number.0).map_or(Value::Null, Value::Number),
        Scalar::String(text) => Value::String(text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_where_it_stands() {
        let tree = Tree::parse("a:\n  - b: 1\n  - b: 2\n").unwrap();
        assert_eq!(tree.position("a[1].b"), Some(Position { line: 3, column: 8 }));
    }

    #[test]
    fn a_value_that_is_missing_is_found_at_its_parent() {
        let tree = Tree::parse("a:\n  b: 1\n").unwrap();
        assert_eq!(tree.position("a.c"), tree.position("a"));
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error_at_the_second() {
        assert_eq!(Tree::parse("a: 1\na: 2\n").unwrap_err().at.line, 2);
    }

    #[test]
    fn a_file_of_several_documents_keeps_their_places() {
        let trees = Tree::parse_all("---\na: 1\n---\n# nothing\n---\nb: &x 1\nc: *x\n").unwrap();
        assert_eq!(trees.len(), 2);
        assert_eq!(trees[1].position("b"), Some(Position { line: 6, column: 4 }));
        assert_eq!(trees[1].value["c"], 1);
    }

    #[test]
    fn a_second_document_is_an_error() {
        assert!(Tree::parse("a: 1\n---\nb: 1\n").is_err());
    }
}
