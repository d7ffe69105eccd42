//! What cannot be rendered, for people: the file, the resource, the path in it, and what to write instead.

use std::cell::RefCell;
use std::fmt;

/// Where something stands: a file, a resource in it, a path in that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    place: String,
    path: String,
}

impl Place {
    /// The root of a resource; `place` is e.g. `reviews.yaml: VirtualService bookinfo/reviews`.
    pub(super) fn new(place: impl Into<String>) -> Self {
        Self { place: place.into(), path: String::new() }
    }

    /// A field below.
    pub(super) fn key(&self, key: &str) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { place: self.place.clone(), path }
    }

    /// An item of a list.
    pub(super) fn item(&self, index: usize) -> Self {
        Self { place: self.place.clone(), path: format!("{}[{index}]", self.path) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, ": {}", self.path) }
    }
}

/// Everything that cannot be rendered, collected so that nobody has to run the command ten times.
#[derive(Debug, Default)]
pub(super) struct Complaints(RefCell<Vec<String>>);

impl Complaints {
    /// Notes what is wrong at a place, and what to do instead.
    pub(super) fn note(&self, at: &Place, wrong: impl fmt::Display, instead: impl fmt::Display) {
        let line = format!("{at}: {wrong}\n  {instead}");
        let mut lines = self.0.borrow_mut();
        // One field of the user's is met once for every route made from it.
        if !lines.contains(&line) {
            lines.push(line);
        }
    }

    /// An error if there is anything.
    pub(super) fn into_result(self) -> anyhow::Result<()> {
        let lines = self.0.into_inner();
        if lines.is_empty() { Ok(()) } else { Err(anyhow::anyhow!(lines.join("\nerror: "))) }
    }
}
