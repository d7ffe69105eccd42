//! Errors for people: what is wrong, where, what to write instead.

use crate::yaml::Position;
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

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            write!(f, "{}: ", entry.severity)?;
            if !entry.path.is_empty() {
                write!(f, "{}: ", entry.path)?;
            }
            writeln!(f, "{}", entry.message)?;
            if let (Some(line), Some(column)) = (entry.line, entry.column) {
                let margin = line.to_string().len();
                writeln!(f, "{:margin$}--> {}:{line}:{column}", "", self.file)?;
                if let Some(source) = self.text.lines().nth(line - 1) {
                    writeln!(f, "{line} | {source}")?;
                    writeln!(f, "{:margin$} | {:indent$}^", "", "", indent = column - 1)?;
                }
            }
            if let Some(suggestion) = &entry.suggestion {
                writeln!(f, "  write {suggestion}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
