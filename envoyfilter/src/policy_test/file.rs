//! A file of tests, read for people: every error at once, each with its place.

use super::KEYS;
use crate::clock;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::policy_file::PolicyFile;
use crate::request_line::RequestLine;
use crate::yaml::{Position, Tree};
use anyhow::{Context, Result};
use meridian_core::{LocalHints, Policy, Problem, Severity, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// A file of tests, with the policies they are about.
#[derive(Clone, Debug)]
pub struct TestFile {
    pub(super) name: String,
    /// The text, to show lines of.
    pub text: String,
    /// One for each cluster that is named.
    pub(super) policies: Vec<Policy>,
    pub(super) tests: Vec<Test>,
}

/// A test that can be run.
#[derive(Clone, Debug)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) at: Position,
    pub(super) request: RequestLine,
    pub(super) time: Option<Timestamp>,
    pub(super) ejected: Vec<String>,
    pub(super) policy: usize,
    pub(super) expect: Vec<(String, Value, Position)>,
    pub(super) replay: String,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    policy: PathBuf,
    #[serde(default)]
    cluster: Option<String>,
    tests: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    request: String,
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    ejected: Vec<String>,
    #[serde(default)]
    cluster: Option<String>,
    expect: Map<String, Value>,
}

impl TestFile {
    /// Reads the file at `path`, and the policy it names.
    ///
    /// # Errors
    /// If either cannot be read, or with every error of the first that is wrong ([`Diagnostics`]).
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read; check the path and its permissions", path.display()))?;
        let name = path.display().to_string();
        let tree = Tree::parse(&text).map_err(|error| {
            let problem = problem("", error.message, None);
            Diagnostics::new(&name, &text, vec![Diagnostic::new(problem, Some(error.at))])
        })?;
        let document: Document = serde_path_to_error::deserialize(&tree.value).map_err(|error| {
            let problem = problem(error.path().to_string().trim_matches('.'), error.inner().to_string(), None);
            let at = tree.position(&problem.path);
            Diagnostics::new(&name, &text, vec![Diagnostic::new(problem, at)])
        })?;
        let policy = path.parent().unwrap_or(Path::new("")).join(&document.policy);
        let mut reader =
            Reader { tree: &tree, policy, clusters: Vec::new(), policies: Vec::new(), problems: Vec::new() };
        let mut tests = Vec::with_capacity(document.tests.len());
        for (index, entry) in document.tests.into_iter().enumerate() {
            tests.extend(reader.test(index, entry, document.cluster.as_deref())?);
        }
        let Reader { policies, problems, .. } = reader;
        if problems.is_empty() {
            Ok(Self { name, text, policies, tests })
        } else {
            let entries = problems.into_iter().map(|problem| {
                let at = tree.position(&problem.path);
                Diagnostic::new(problem, at)
            });
            Err(Diagnostics::new(&name, &text, entries.collect()).into())
        }
    }
}

/// What has been read so far.
struct Reader<'a> {
    tree: &'a Tree,
    policy: PathBuf,
    clusters: Vec<Option<String>>,
    policies: Vec<Policy>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn test(&mut self, index: usize, entry: Entry, cluster: Option<&str>) -> Result<Option<Test>> {
        let path = format!("tests[{index}]");
        let cluster = entry.cluster.as_deref().or(cluster);
        let policy = self.policy(cluster)?;
        let replay = self.replay(&entry, cluster);
        let request = entry.request.parse::<RequestLine>();
        let time = entry.at.as_deref().map(clock::parse).transpose();
        if let Err(error) = &request {
            self.wrong(&format!("{path}.request"), error.to_string(), None);
        }
        if let Err(error) = &time {
            self.wrong(&format!("{path}.at"), error.to_string(), None);
        }
        for (at, name) in entry.ejected.iter().enumerate() {
            if self.policies.get(policy).is_some_and(|policy| policy.region_named(name).is_none()) {
                self.wrong(
                    &format!("{path}.ejected[{at}]"),
                    format!("there is no region `{name}` in the policy"),
                    None,
                );
            }
        }
        if entry.expect.is_empty() {
            self.wrong(&format!("{path}.expect"), "expects nothing".to_owned(), Some("e.g. `{chosen: eu-west-1}`"));
        }
        let mut expect = Vec::with_capacity(entry.expect.len());
        for (key, value) in entry.expect {
            let at = format!("{path}.expect.{key}");
            if !KEYS.contains(&key.as_str()) {
                let keys = KEYS.map(|key| format!("`{key}`")).join(", ");
                self.wrong(&at, "is not a key of an explanation".to_owned(), Some(&format!("one of {keys}")));
            }
            let position = self.tree.position(&at).unwrap_or(Position { line: 1, column: 1 });
            expect.push((key, value, position));
        }
        let at = self.tree.position(&path).unwrap_or(Position { line: 1, column: 1 });
        let (Ok(request), Ok(time)) = (request, time) else { return Ok(None) };
        Ok(Some(Test { name: entry.name, at, request, time, ejected: entry.ejected, policy, expect, replay }))
    }

    /// The policy as it is in a cluster; read once for each.
    fn policy(&mut self, cluster: Option<&str>) -> Result<usize> {
        if let Some(known) = self.clusters.iter().position(|known| known.as_deref() == cluster) {
            return Ok(known);
        }
        let hints = LocalHints { cluster_id: cluster, ..LocalHints::default() };
        self.policies.push(PolicyFile::load(&self.policy, &hints)?.policy);
        self.clusters.push(cluster.map(str::to_owned));
        Ok(self.policies.len() - 1)
    }

    fn replay(&self, entry: &Entry, cluster: Option<&str>) -> String {
        let mut command = format!("meridian explain {} --request '{}'", self.policy.display(), entry.request);
        let options = entry.ejected.iter().map(|region| ("ejected", region.as_str()));
        let options = options.chain(entry.at.as_deref().map(|at| ("at", at)));
        for (option, value) in options.chain(cluster.map(|cluster| ("cluster", cluster))) {
            command += &format!(" --{option} {value}");
        }
        command
    }

    fn wrong(&mut self, path: &str, message: String, suggestion: Option<&str>) {
        self.problems.push(problem(path, message, suggestion));
    }
}

fn problem(path: &str, message: String, suggestion: Option<&str>) -> Problem {
    Problem { path: path.to_owned(), message, suggestion: suggestion.map(str::to_owned), severity: Severity::Error }
}
