//! YAML as a JSON tree that remembers where everything stood.
//!
//! The core reads JSON trees and names what is wrong by path (`rules[2].fence`). People want a line. So the file is parsed with
//! positions, and the tree and the positions part ways here, with the path to bring them together again. Most files are right and nobody
//! asks for a position, so a path is kept as its hash: a number that grows with the path, and not a text for every value.

mod reader;

use saphyr::Marker;
use serde_json::Value;

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
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) value: Value,
    positions: Vec<(PathHash, Position)>,
    /// Keys whose values begin on a line below.
    headings: Vec<(PathHash, Position)>,
}

/// Why a file is not one YAML document that could be JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) at: Position,
    /// What to write instead.
    pub(crate) instead: &'static str,
}

/// What to write where nothing better is known.
const ONE_DOCUMENT: &str = "YAML, one document";

impl Tree {
    /// Parses a file of any number of documents; those that are empty (a comment, a `---` too many) are left out.
    pub(crate) fn parse_all(text: &str) -> Result<Vec<Self>, SyntaxError> {
        let mut trees = reader::read(text)?;
        trees.retain(|tree| !tree.value.is_null());
        Ok(trees)
    }

    /// Parses one document.
    pub(crate) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let start = Position { line: 1, column: 1 };
        let mut documents = reader::read(text)?.into_iter();
        let Some(document) = documents.next() else {
            return Err(SyntaxError { message: "the file is empty".to_owned(), at: start, instead: ONE_DOCUMENT });
        };
        if let Some(second) = documents.next() {
            let message = "a second document begins here; a policy is one document".to_owned();
            return Err(SyntaxError { message, at: second.position("").unwrap_or(start), instead: ONE_DOCUMENT });
        }
        Ok(document)
    }

    /// Where the value at `path` stands; for a path that does not exist, its nearest parent that does.
    pub(crate) fn position(&self, path: &str) -> Option<Position> {
        Self::nearest(path, |wanted| Self::find(&self.positions, wanted))
    }

    /// As [`Tree::position`], but the key's where the value begins on a line below: what is said about `rules` is not about the first.
    pub(crate) fn heading(&self, path: &str) -> Option<Position> {
        Self::nearest(path, |wanted| Self::find(&self.headings, wanted).or_else(|| Self::find(&self.positions, wanted)))
    }

    fn find(places: &[(PathHash, Position)], wanted: PathHash) -> Option<Position> {
        places.iter().find(|(hash, _)| *hash == wanted).map(|(_, position)| *position)
    }

    fn nearest(path: &str, find: impl Fn(PathHash) -> Option<Position>) -> Option<Position> {
        let mut path = path;
        loop {
            if let Some(position) = find(PathHash::ROOT.then(path)) {
                return Some(position);
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
        self.then("[").number(index).then("]")
    }

    /// As the text of the number, without making one.
    fn number(self, number: usize) -> Self {
        let rest = if number < 10 { self } else { self.number(number / 10) };
        rest.then(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"].get(number % 10).copied().unwrap_or_default())
    }

    fn key(self, key: &str) -> Self {
        if self == Self::ROOT { self.then(key) } else { self.then(".").then(key) }
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
    fn what_is_said_about_a_list_stands_at_its_key() {
        let tree = Tree::parse("a:\n- b: 1\nc: [2]\n").unwrap();
        assert_eq!(tree.heading("a"), Some(Position { line: 1, column: 1 }));
        assert_eq!(tree.heading("a[0].b"), tree.position("a[0].b"));
        assert_eq!(tree.heading("c"), Some(Position { line: 3, column: 4 }));
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

    #[test]
    fn an_alias_is_the_value_of_its_anchor_and_stands_where_it_is_written() {
        let tree = Tree::parse("a: &x {b: 1, c: &y [2]}\nd: *x\ne: *y\n").unwrap();
        assert_eq!(tree.value["d"], tree.value["a"]);
        assert_eq!(tree.value["e"], tree.value["a"]["c"]);
        assert_eq!(tree.position("d"), Some(Position { line: 2, column: 4 }));
        assert_eq!(tree.position("d.b"), tree.position("a.b"), "what is wrong inside is written at the anchor");
    }

    #[test]
    fn aliases_that_would_fill_the_memory_are_an_error() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            text += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "));
        }
        assert!(Tree::parse(&text).unwrap_err().message.contains("aliases make this file too large"));
        assert!(Tree::parse("a: &a [*a]\n").is_err(), "an alias inside of its own anchor");
    }

    #[test]
    fn a_tag_or_a_key_that_is_no_word_is_an_error_where_it_stands() {
        let at = |text: &str| Tree::parse(text).unwrap_err().at;
        assert_eq!(at("a: 1\nb: !x [1]\n"), Position { line: 2, column: 4 });
        assert_eq!(at("a: 1\nb: !x 1\n").line, 2);
        assert_eq!(at("a:\n  [b]: 1\n").line, 2);
    }

    #[test]
    fn keys_and_words_that_look_alike_keep_their_types() {
        let tree = Tree::parse("{a: '1', b: 1, 2: ~, c: !!str 5, d: 1.5, e: yes, f: true}").unwrap();
        let expected = serde_json::json!({"a": "1", "b": 1, "2": null, "c": "5", "d": 1.5, "e": "yes", "f": true});
        assert_eq!(tree.value, expected);
    }
}
