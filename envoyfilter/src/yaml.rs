//! YAML as a JSON tree that remembers where everything stood.
//!
//! The core reads JSON trees and names what is wrong by path (`rules[2].fence`). People want a line. So the file is parsed with
//! positions, and the tree and the positions part ways here, with the path to bring them together again. Most files are right and nobody
//! asks for a position, so a path is kept as its hash: a number that grows with the path, and not a text for every value.

use saphyr::{LoadableYamlNode, MarkedYaml, Marker, Scalar, YamlData};
use serde_json::{Map, Number, Value};

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

/// A parsed file, or one document of it.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) value: Value,
    positions: Vec<(PathHash, Position)>,
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
        let mut positions = Vec::new();
        let value = convert(document, PathHash::ROOT, &mut positions)?;
        Ok(Self { value, positions })
    }

    /// Where the value at `path` stands; for a path that does not exist, its nearest parent that does.
    pub(crate) fn position(&self, path: &str) -> Option<Position> {
        let mut path = path;
        loop {
            let wanted = PathHash::ROOT.then(path);
            if let Some((_, position)) = self.positions.iter().find(|(hash, _)| *hash == wanted) {
                return Some(*position);
            }
            path = path.get(..path.rfind(['.', '[']).unwrap_or(0)).filter(|_| !path.is_empty())?;
        }
    }
}

/// A path such as `rules[2].fence`, as a number (FNV-1a, which goes on where it stopped).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PathHash(u64);

impl PathHash {
    const ROOT: Self = Self(0xcbf2_9ce4_8422_2325);

    fn then(self, text: &str) -> Self {
        Self(text.bytes().fold(self.0, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    fn item(self, index: usize) -> Self {
        self.then("[").then(&index.to_string()).then("]")
    }

    fn key(self, key: &str) -> Self {
        if self == Self::ROOT { self.then(key) } else { self.then(".").then(key) }
    }
}

fn load(text: &str) -> Result<Vec<MarkedYaml<'_>>, SyntaxError> {
    MarkedYaml::load_from_str(text)
        .map_err(|error| SyntaxError { message: error.info().to_owned(), at: error.marker().into() })
}

fn convert(
    node: &MarkedYaml<'_>,
    path: PathHash,
    positions: &mut Vec<(PathHash, Position)>,
) -> Result<Value, SyntaxError> {
    let at = Position::from(&node.span.start);
    positions.push((path, at));
    let error = |message: &str| SyntaxError { message: message.to_owned(), at };
    match &node.data {
        YamlData::Value(scalar) => Ok(value(scalar)),
        YamlData::Sequence(items) => {
            let items = items.iter().enumerate().map(|(index, item)| convert(item, path.item(index), positions));
            Ok(Value::Array(items.collect::<Result<_, _>>()?))
        }
        YamlData::Mapping(entries) => {
            let mut map = Map::new();
            for (name, item) in entries {
                let name = key(name).ok_or_else(|| error("a key must be a plain word"))?;
                let item = convert(item, path.key(&name), positions)?;
                map.insert(name, item);
            }
            Ok(Value::Object(map))
        }
        YamlData::Tagged(..) => Err(error("tags (`!name`) have no meaning here")),
        YamlData::Alias(_) => Err(error("aliases (`*name`) are not resolved here; write the value out")),
        YamlData::Representation(..) | YamlData::BadValue => Err(error("this is not a value")),
    }
}

/// A key of an object, which JSON knows as text only.
fn key(node: &MarkedYaml<'_>) -> Option<String> {
    let YamlData::Value(scalar) = &node.data else { return None };
    Some(match value(scalar) {
        Value::String(key) => key,
        other => other.to_string(),
    })
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
