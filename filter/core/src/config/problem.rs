//! What is wrong with a document, for people.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands, e.g. `rules[2].fence`; empty for the document itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that can be known.
    pub suggestion: Option<String>,
    /// Whether the document can be used all the same.
    pub severity: Severity,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// There is no policy.
    Error,
    /// There is one.
    Warning,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            // Who is asked whether that was meant has been told.
            Some(suggestion) if !self.message.ends_with('?') => write!(f, "; write {suggestion}"),
            Some(_) | None => Ok(()),
        }
    }
}
