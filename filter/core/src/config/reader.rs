//! Reads a JSON tree and remembers everything that is wrong with it, each thing once and with its path.
//!
//! A reader that stops at the first error makes a person run it ten times. So every accessor notes its complaint and answers `None`,
//! and the caller goes on with what it can still read.

use super::UnknownKeys;
use super::near::closest;
use super::problem::{Problem, Severity};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::time::Duration;

/// Where complaints are collected.
pub(super) struct Reader {
    problems: RefCell<Vec<Problem>>,
    unknown: UnknownKeys,
    critical: Vec<String>,
}

impl Reader {
    pub(super) fn new(unknown: UnknownKeys, critical: Vec<String>) -> Self {
        Self { problems: RefCell::default(), unknown, critical }
    }

    pub(super) fn root<'d>(&'d self, value: &'d Value) -> Node<'d> {
        Node { value, path: String::new(), reader: self }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// Once: what rules in force and rules in the shadow share is looked at with each of them.
    fn note(&self, severity: Severity, path: &str, message: String, suggestion: Option<String>) {
        let problem = Problem { path: path.to_owned(), message, suggestion, severity };
        let mut problems = self.problems.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// With the known name that was meant, where one is near.
    fn note_near(&self, severity: Severity, path: &str, mut message: String, near: Option<String>) {
        let near = near.map(|name| format!("`{name}`"));
        if let Some(near) = &near {
            message += ", did you mean ";
            message += near;
            message += "?";
        }
        self.note(severity, path, message, near);
    }
}

/// A value with the path it stands at.
#[derive(Clone)]
pub(super) struct Node<'d> {
    value: &'d Value,
    path: String,
    reader: &'d Reader,
}

/// An object whose keys have been looked over.
pub(super) struct Object<'d> {
    map: &'d Map<String, Value>,
    path: String,
    reader: &'d Reader,
}

impl<'d> Object<'d> {
    pub(super) fn get(&self, key: &str) -> Option<Node<'d>> {
        let value = self.map.get(key)?;
        Some(Node { value, path: join(&self.path, key), reader: self.reader })
    }

    pub(super) fn required(&self, key: &str) -> Option<Node<'d>> {
        let node = self.get(key);
        if node.is_none() {
            self.reader.note(Severity::Error, &join(&self.path, key), "is required and missing".to_owned(), None);
        }
        node
    }

    /// Every entry, for objects whose keys are names.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'d str, Node<'d>)> + '_ {
        self.map
            .iter()
            .map(|(key, value)| (key.as_str(), Node { value, path: join(&self.path, key), reader: self.reader }))
    }

    pub(super) fn error(&self, key: &str, message: String, suggestion: &str) {
        self.reader.note(Severity::Error, &join(&self.path, key), message, Some(suggestion.to_owned()));
    }
}

impl<'d> Node<'d> {
    pub(super) fn error(&self, message: impl Into<String>) {
        self.reader.note(Severity::Error, &self.path, message.into(), None);
    }

    pub(super) fn error_with(&self, message: impl Into<String>, suggestion: impl Into<String>) {
        self.reader.note(Severity::Error, &self.path, message.into(), Some(suggestion.into()));
    }

    /// With the known name that was meant, where one is near.
    pub(super) fn error_near(&self, message: String, near: Option<String>) {
        self.reader.note_near(Severity::Error, &self.path, message, near);
    }

    /// An object with these keys.
    pub(super) fn object(&self, known: &[&str]) -> Option<Object<'d>> {
        let object = self.names()?;
        for (key, node) in object.entries() {
            if known.contains(&key) {
                continue;
            }
            let refuse =
                self.reader.unknown == UnknownKeys::Refuse || self.reader.critical.iter().any(|name| name == key);
            let severity = if refuse { Severity::Error } else { Severity::Warning };
            let near = closest(key, known);
            self.reader.note_near(severity, &node.path, "is not a key of this document".to_owned(), near);
        }
        Some(object)
    }

    /// The text at a key of what may be an object, without a complaint.
    pub(super) fn peek(&self, key: &str) -> Option<&'d str> {
        self.value.get(key).and_then(Value::as_str)
    }

    /// An object whose keys are names.
    pub(super) fn names(&self) -> Option<Object<'d>> {
        let map = self.expect(self.value.as_object(), "an object")?;
        Some(Object { map, path: self.path.clone(), reader: self.reader })
    }

    pub(super) fn list(&self) -> Option<Vec<Node<'d>>> {
        let items = self.expect(self.value.as_array(), "a list")?;
        let node = |(index, value)| Node { value, path: format!("{}[{index}]", self.path), reader: self.reader };
        Some(items.iter().enumerate().map(node).collect())
    }

    pub(super) fn text(&self) -> Option<&'d str> {
        self.expect(self.value.as_str(), "a string")
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        self.expect(self.value.as_bool(), "true or false")
    }

    /// A whole number within bounds.
    pub(super) fn integer(&self, min: u32, max: u32) -> Option<u32> {
        let Some(number) = self.value.as_u64() else {
            self.error(match self.value {
                Value::Number(_) => "is not a whole number of 0 or more".to_owned(),
                other => format!("is {}, not a whole number", kind(other)),
            });
            return None;
        };
        let inside = u32::try_from(number).ok().filter(|number| (min..=max).contains(number));
        if inside.is_none() {
            self.error(format!("is {number}, which is not between {min} and {max}"));
        }
        inside
    }

    /// A number with up to two decimals, in hundredths; both bounds are allowed.
    pub(super) fn hundredths(&self, min: u32, max: u32) -> Option<u32> {
        let number = self.expect(self.value.as_f64(), "a number")?;
        let scaled = number * 100.0;
        let inside = (f64::from(min)..=f64::from(max)).contains(&scaled);
        if !inside {
            self.error(format!("is not between {}.{:02} and {}.{:02}", min / 100, min % 100, max / 100, max % 100));
        }
        // It is inside the bounds of a `u32`; what is finer than a hundredth is cut off.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        inside.then_some((scaled + 0.5) as u32)
    }

    /// A duration, or `0s` where none at all makes sense.
    pub(super) fn duration_or_none(&self) -> Option<Duration> {
        if self.value.as_str() == Some("0s") { Some(Duration::ZERO) } else { self.duration() }
    }

    /// A duration such as `10s`, `250ms` or `5m`; more than nothing and at most a day.
    pub(super) fn duration(&self) -> Option<Duration> {
        let Some(text) = self.value.as_str() else {
            self.error_with(format!("is {}, not a duration", kind(self.value)), "e.g. `10s`, `250ms` or `5m`");
            return None;
        };
        let Some(duration) = parse_duration(text) else {
            self.error_with(
                format!("`{text}` is not a duration"),
                "one number and one unit, e.g. `10s`, `250ms` or `5m`",
            );
            return None;
        };
        let inside = !duration.is_zero() && duration <= Duration::from_secs(86_400);
        if !inside {
            self.error_with(format!("`{text}` is not between `1ms` and `24h`"), "e.g. `10s`, `250ms` or `5m`");
        }
        inside.then_some(duration)
    }

    /// One of a closed set of words.
    pub(super) fn choice<T: Copy>(&self, known: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, value)) = known.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let message = format!("`{text}` is not one of the words allowed here");
        match closest(text, known.iter().map(|(word, _)| word)) {
            Some(near) => self.error_near(message, Some(near)),
            None => {
                let words: Vec<_> = known.iter().map(|(word, _)| format!("`{word}`")).collect();
                self.error_with(message, words.join(" or "));
            }
        }
        None
    }

    /// A DNS label: what Kubernetes allows as a name, and what can be part of a subset's.
    pub(super) fn label(&self) -> Option<String> {
        let text = self.text()?;
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid =
            (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-');
        if !valid {
            let message = format!("`{text}` is not a name: lower-case letters, digits and `-` inside, at most 63");
            self.error_with(message, format!("e.g. `{}`", labelled(text)));
        }
        valid.then(|| text.to_owned())
    }

    /// A header's name, lower-cased.
    pub(super) fn header_name(&self) -> Option<String> {
        let text = self.text()?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let valid = (1..=256).contains(&text.len()) && text.bytes().all(token);
        if !valid {
            self.error_with(format!("`{text}` is not a header's name"), "e.g. `region`");
        }
        valid.then(|| text.to_ascii_lowercase())
    }

    /// Visible ASCII, with spaces inside: what can stand in a header's value.
    pub(super) fn header_value(&self) -> Option<String> {
        let text = self.text()?;
        let valid = (1..=256).contains(&text.len())
            && text.trim() == text
            && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !valid {
            self.error("must be 1 to 256 visible ASCII characters, without spaces at the ends, to stand in a header");
        }
        valid.then(|| text.to_owned())
    }

    fn expect<T>(&self, found: Option<T>, wanted: &str) -> Option<T> {
        if found.is_none() {
            self.error(format!("is {}, not {wanted}", kind(self.value)));
        }
        found
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// `text` bent into a DNS label, as a suggestion.
fn labelled(text: &str) -> String {
    let bent: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).take(63).collect();
    let bent = bent.trim_matches('-');
    if bent.is_empty() { "us-west".to_owned() } else { bent.to_owned() }
}

/// Go's durations with one unit, as Istio writes them, to the millisecond. Floats are avoided for the size of their parser.
fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let factor: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = u32::try_from(fraction.len()).ok().filter(|digits| *digits <= 6 && !number.ends_with('.'))?;
    let scale = 10_u64.pow(digits);
    let parts = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()?.checked_mul(factor)? };
    let exact = parts % scale == 0;
    let millis = whole.parse::<u64>().ok()?.checked_mul(factor)?.checked_add(parts / scale)?;
    exact.then(|| Duration::from_millis(millis))
}
