//! Events of the YAML parser, made into trees as they come.
//!
//! The parser could build a tree of its own first. That tree costs more than the parsing: a hash map for every object, a clone of
//! every key, and all of it is thrown away for the JSON that the core reads. So the JSON is built here, at once, and a place is noted
//! for every value on the way. An alias is the events of its anchor, played again; a file that plays too many is refused.

use super::{ONE_DOCUMENT, PathHash, Position, SyntaxError, Tree};
use saphyr::Scalar;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// Events that the aliases of a file may be played as, all together; a few nested ones could ask for billions.
const PLAYED: usize = 100_000;

/// The documents of a file, empty ones as [`Value::Null`].
pub(super) fn read(text: &str) -> Result<Vec<Tree>, SyntaxError> {
    let mut reader = Reader { left: PLAYED, ..Reader::default() };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let instead = if error.info().contains("tab") { "spaces instead of the tab" } else { ONE_DOCUMENT };
            SyntaxError { message: error.info().to_owned(), at: error.marker().into(), instead }
        })?;
        reader.event(event, span)?;
    }
    Ok(reader.trees)
}

#[derive(Default)]
struct Reader<'t> {
    trees: Vec<Tree>,
    /// The document that is being read.
    tree: Tree,
    /// The lists and objects around the next value, the outermost first.
    open: Vec<Open>,
    anchors: HashMap<usize, Vec<(Event<'t>, Span)>>,
    /// Anchors whose value is not complete.
    recordings: Vec<Recording<'t>>,
    /// Events that aliases may still be played as.
    left: usize,
}

/// A list or an object that has begun.
struct Open {
    path: PathHash,
    at: Position,
    inside: Inside,
}

enum Inside {
    List(Vec<Value>),
    /// The object, and the key that waits for its value.
    Object(Map<String, Value>, Option<(String, Position)>),
}

/// What has been read of an anchor's value.
struct Recording<'t> {
    anchor: usize,
    depth: usize,
    events: Vec<(Event<'t>, Span)>,
}

impl<'t> Reader<'t> {
    fn event(&mut self, event: Event<'t>, span: Span) -> Result<(), SyntaxError> {
        match event {
            Event::Alias(anchor) => return self.play(anchor, span),
            Event::Scalar(.., anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _)
                if anchor > 0 =>
            {
                self.recordings.push(Recording { anchor, depth: 0, events: Vec::new() });
            }
            _ => {}
        }
        self.apply(event, span)
    }

    /// What an event does, whether it was read or is played again.
    fn apply(&mut self, event: Event<'t>, span: Span) -> Result<(), SyntaxError> {
        if !self.recordings.is_empty() {
            self.record(&event, span);
        }
        let at = Position::from(&span.start);
        match event {
            Event::DocumentStart(_) => self.anchors.clear(),
            Event::DocumentEnd => self.trees.push(std::mem::take(&mut self.tree)),
            Event::Scalar(text, style, _, tag) => {
                let scalar = scalar(text, style, tag.as_ref()).map_err(|message| error(message, at))?;
                if self.expects_key() {
                    self.key(scalar, at);
                } else {
                    self.begin(at);
                    self.put(scalar)?;
                }
            }
            Event::SequenceStart(_, tag) => self.open(at, tag.as_ref(), Inside::List(Vec::new()))?,
            Event::MappingStart(_, tag) => self.open(at, tag.as_ref(), Inside::Object(Map::new(), None))?,
            Event::SequenceEnd | Event::MappingEnd => {
                let value = match self.open.pop().map(|open| open.inside) {
                    Some(Inside::List(items)) => Value::Array(items),
                    Some(Inside::Object(entries, _)) => Value::Object(entries),
                    None => Value::Null,
                };
                self.put(value)?;
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::Alias(_) => {}
        }
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { inside: Inside::Object(_, None), .. }))
    }

    /// A key of an object, which JSON knows as text only.
    fn key(&mut self, scalar: Value, at: Position) {
        if let Some(Open { inside: Inside::Object(_, key), .. }) = self.open.last_mut() {
            let name = if let Value::String(name) = scalar { name } else { scalar.to_string() };
            *key = Some((name, at));
        }
    }

    /// The path of the value that begins here, which is noted, with its key where that stands on a line above.
    fn begin(&mut self, at: Position) -> PathHash {
        let path = match self.open.last() {
            None => PathHash::ROOT,
            Some(Open { path, inside: Inside::List(items), .. }) => path.item(items.len()),
            Some(Open { path, inside: Inside::Object(_, key), .. }) => {
                path.key(key.as_ref().map_or("", |(name, _)| name))
            }
        };
        self.tree.positions.push((path, at));
        if let Some(Open { inside: Inside::Object(_, Some((_, key))), .. }) = self.open.last()
            && key.line < at.line
        {
            self.tree.headings.push((path, *key));
        }
        path
    }

    fn open(&mut self, at: Position, tag: Option<&Cow<'t, Tag>>, inside: Inside) -> Result<(), SyntaxError> {
        if self.expects_key() {
            let object = self.open.last().map_or(at, |open| open.at);
            return Err(error("a key must be a plain word", object));
        }
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
            return Err(error(TAGS, at));
        }
        let path = self.begin(at);
        self.open.push(Open { path, at, inside });
        Ok(())
    }

    /// A complete value, to where it belongs.
    fn put(&mut self, value: Value) -> Result<(), SyntaxError> {
        match self.open.last_mut().map(|open| &mut open.inside) {
            None => self.tree.value = value,
            Some(Inside::List(items)) => items.push(value),
            Some(Inside::Object(entries, key)) => {
                if let Some((name, at)) = key.take() {
                    if entries.contains_key(&name) {
                        let message = format!("`{name}` stands twice here");
                        return Err(SyntaxError { message, at, instead: "each key once" });
                    }
                    entries.insert(name, value);
                }
            }
        }
        Ok(())
    }

    /// Plays the events of an anchor again, the first as if it stood where the alias does.
    fn play(&mut self, anchor: usize, alias: Span) -> Result<(), SyntaxError> {
        let at = Position::from(&alias.start);
        let Some(events) = self.anchors.get(&anchor) else { return Err(error("this alias stands for itself", at)) };
        let Some(left) = self.left.checked_sub(events.len()) else {
            return Err(error("aliases make this file too large; write the values out", at));
        };
        self.left = left;
        for (index, (event, span)) in events.clone().into_iter().enumerate() {
            self.apply(event, if index == 0 { alias } else { span })?;
        }
        Ok(())
    }

    fn record(&mut self, event: &Event<'t>, span: Span) {
        for recording in &mut self.recordings {
            recording.events.push((event.clone(), span));
            match event {
                Event::SequenceStart(..) | Event::MappingStart(..) => recording.depth += 1,
                Event::SequenceEnd | Event::MappingEnd => recording.depth = recording.depth.saturating_sub(1),
                _ => {}
            }
        }
        if let Some(complete) = self.recordings.pop_if(|recording| recording.depth == 0) {
            self.anchors.insert(complete.anchor, complete.events);
        }
    }
}

const TAGS: &str = "tags (`!name`) have no meaning here";

fn error(message: &str, at: Position) -> SyntaxError {
    SyntaxError { message: message.to_owned(), at, instead: ONE_DOCUMENT }
}

fn scalar<'t>(text: Cow<'t, str>, style: ScalarStyle, tag: Option<&Cow<'t, Tag>>) -> Result<Value, &'static str> {
    if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
        return Err(TAGS);
    }
    Ok(match Scalar::parse_from_cow_and_metadata(text, style, tag).ok_or("this is not a value")? {
        Scalar::Null => Value::Null,
        Scalar::Boolean(truth) => Value::Bool(truth),
        Scalar::Integer(number) => Value::Number(number.into()),
        Scalar::FloatingPoint(number) => Number::from_f64(number.0).map_or(Value::Null, Value::Number),
        Scalar::String(text) => Value::String(text.into_owned()),
    })
}
