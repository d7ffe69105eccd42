//! A policy file: the YAML people write, and the policy it means.

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::limits;
use crate::schema::{instead, schema};
use crate::yaml::{Position, Tree};
use anyhow::{Context, Result};
use meridian_core::{LocalHints, Policy, Problem, Severity, UnknownKeys, compile};
use serde_json::Value;
use std::path::Path;

/// A policy file that holds a policy.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    /// The document, as the filter gets it.
    pub document: Value,
    /// What it means at a given place in the mesh.
    pub policy: Policy,
    /// The file's name, for people.
    pub name: String,
    /// The file as it is written.
    pub text: String,
    tree: Tree,
}

impl PolicyFile {
    /// Reads and compiles the file at `path`.
    ///
    /// # Errors
    /// If the file cannot be read, or with every error of the document ([`Diagnostics`]).
    pub fn load(path: &Path, hints: &LocalHints<'_>) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read; check the path and its permissions", path.display()))?;
        Ok(Self::parse(&path.display().to_string(), &text, hints)?)
    }

    /// Reads the file at `path` and compiles it as sidecars see it, who know every service by its names of the registry as well: a mesh
    /// gets both from one document.
    ///
    /// # Errors
    /// As [`PolicyFile::load`].
    pub fn load_for_the_mesh(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read; check the path and its permissions", path.display()))?;
        Ok(Self::parse_for_the_mesh(&path.display().to_string(), &text)?)
    }

    /// As [`PolicyFile::load_for_the_mesh`], for the text of a file called `name`.
    ///
    /// # Errors
    /// Every error of the document, with its place.
    pub fn parse_for_the_mesh(name: &str, text: &str) -> Result<Self, Diagnostics> {
        Self::compile(name, text, &LocalHints::default(), true)
    }

    /// Compiles the text of a file called `name`.
    ///
    /// # Errors
    /// Every error of the document, with its place.
    pub fn parse(name: &str, text: &str, hints: &LocalHints<'_>) -> Result<Self, Diagnostics> {
        Self::compile(name, text, hints, false)
    }

    fn compile(name: &str, text: &str, hints: &LocalHints<'_>, for_the_mesh: bool) -> Result<Self, Diagnostics> {
        let mut tree = Tree::parse(text).map_err(|error| {
            let problem = Problem {
                path: String::new(),
                message: error.message,
                suggestion: Some(error.instead.to_owned()),
                severity: Severity::Error,
            };
            Diagnostics::new(name, text, vec![Diagnostic::new(problem, Some(error.at))])
        })?;
        let gateway = tree.value.get_mut("role").filter(|role| for_the_mesh && *role == "gateway");
        let was = gateway.map(|role| std::mem::replace(role, Value::from("outbound")));
        let placed = |problems: Vec<Problem>| {
            let schema = schema();
            let entry = |mut problem: Problem| {
                problem.suggestion = problem.suggestion.or_else(|| Some(instead(&schema, &problem.path, &tree.value)));
                let at = tree.heading(&problem.path);
                Diagnostic::new(problem, at)
            };
            Diagnostics::new(name, text, problems.into_iter().map(entry).collect())
        };
        let (policy, _) = compile(&tree.value, UnknownKeys::Refuse, hints).map_err(&placed)?;
        let mut over = limits::check(&policy, &tree.value);
        if was.is_none() {
            over.extend(limits::claims(&policy));
        }
        if !over.is_empty() {
            return Err(placed(over));
        }
        let mut document = std::mem::take(&mut tree.value);
        if let (Some(role), Some(place)) = (was, document.get_mut("role")) {
            *place = role;
        }
        Ok(Self { document, policy, name: name.to_owned(), text: text.to_owned(), tree })
    }

    /// Where a path of the document stands, e.g. `rules[2].fence`.
    pub(crate) fn place(&self, path: &str) -> Position {
        self.tree.position(path).unwrap_or(Position { line: 1, column: 1 })
    }
}
