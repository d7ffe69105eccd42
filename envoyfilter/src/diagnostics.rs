//! Errors for people: what is wrong, where, what to write instead.

use crate::palette::{PLAIN, Palette};
use crate::yaml::Position;
use anstyle::Style;
use meridian_core::{Problem, Severity};
use serde::Serialize;
use std::fmt;

/// Everything that is wrong with one file.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    file: String,
    text: String,
    entries: Vec<Diagnostic>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// Where in the tree, e.g. `rules[2].fence`.
    pub path: String,
    /// From 1.
    pub line: Option<usize>,
    /// From 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that can be known.
    pub suggestion: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(problem: Problem, at: Option<Position>) -> Self {
        Self {
            severity: if problem.severity == Severity::Error { "error" } else { "warning" },
            path: problem.path,
            line: at.map(|at| at.line),
            column: at.map(|at| at.column),
            message: problem.message,
            suggestion: problem.suggestion,
        }
    }
}

impl Diagnostics {
    pub(crate) fn new(file: &str, text: &str, mut entries: Vec<Diagnostic>) -> Self {
        entries.sort_by_key(|entry| (entry.line, entry.column));
        Self { file: file.to_owned(), text: text.to_owned(), entries }
    }

    /// The file they are about.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Every entry, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[Diagnostic] {
        &self.entries
    }

    /// How many of them are errors.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.entries.iter().filter(|entry| entry.severity == "error").count()
    }
}

impl Diagnostics {
    /// Every entry as people read it: what, where, the line with a caret, and what to write instead.
    #[must_use]
    pub fn text(&self, palette: &Palette) -> String {
        self.entries.iter().map(|entry| self.entry(entry, palette)).collect()
    }

    fn entry(&self, entry: &Diagnostic, palette: &Palette) -> String {
        let severity = palette.severity(entry.severity);
        let (strong, good) = (palette.strong, palette.good);
        let path = if entry.path.is_empty() { String::new() } else { format!("{}: ", entry.path) };
        let mut text = format!("{severity}{}{severity:#}: {strong}{path}{}{strong:#}\n", entry.severity, entry.message);
        if let (Some(line), Some(column)) = (entry.line, entry.column) {
            let source = self.text.lines().nth(line - 1);
            text += &excerpt(&self.file, Position { line, column }, source, severity, palette);
        }
        if let Some(suggestion) = &entry.suggestion {
            text += &format!("  {good}write {suggestion}{good:#}\n");
        }
        text
    }
}

/// A place in a file: its name, and the line with a caret under the column.
pub(crate) fn excerpt(file: &str, at: Position, source: Option<&str>, caret: Style, palette: &Palette) -> String {
    let place = palette.place;
    let Position { line, column } = at;
    let margin = line.to_string().len();
    let mut text = format!("{:margin$}{place}-->{place:#} {file}:{line}:{column}\n", "");
    if let Some(source) = source {
        text += &format!("{place}{line} |{place:#} {source}\n");
        text += &format!("{:margin$} {place}|{place:#} {:indent$}{caret}^{caret:#}\n", "", "", indent = column - 1);
    }
    text
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(&PLAIN))
    }
}

impl std::error::Error for Diagnostics {}
