//! Manifests: every Kubernetes resource below a folder, with its place.

use super::facts::Facts;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::yaml::{Position, Tree};
use anyhow::{Context, Result};
use meridian_core::{Problem, Severity};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every resource, and the text of every file.
#[derive(Debug)]
pub(super) struct Manifests {
    files: Vec<(String, String)>,
    pub(super) resources: Vec<Resource>,
}

/// One resource.
#[derive(Debug)]
pub(super) struct Resource {
    file: usize,
    /// The folder below the given one that it lies in.
    folder: Option<Arc<str>>,
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) value: Value,
    tree: Arc<Tree>,
    /// Where it stands in the tree: empty, or an item of a `List`.
    base: String,
}

impl Manifests {
    /// Reads every YAML or JSON file below the folder; documents without a `kind` are somebody else's and left out.
    pub(super) fn load(folder: &Path) -> Result<Self> {
        let mut paths = Vec::new();
        find(folder, &mut paths)?;
        let mut manifests = Self { files: Vec::new(), resources: Vec::new() };
        for path in paths {
            let mut below = path.strip_prefix(folder).into_iter().flat_map(Path::iter);
            let first = below.next().filter(|_| below.next().is_some()).and_then(|name| name.to_str()).map(Arc::from);
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{} cannot be read; check its permissions", path.display()))?;
            let name = path.display().to_string();
            let trees = Tree::parse_all(&text).map_err(|error| {
                let (path, message) = (String::new(), error.message);
                let suggestion = Some("plain manifests, rendered first if this is a template".to_owned());
                let problem = Problem { path, message, suggestion, severity: Severity::Error };
                Diagnostics::new(&name, &text, vec![Diagnostic::new(problem, Some(error.at))])
            })?;
            for tree in trees {
                manifests.add(tree, first.as_ref());
            }
            manifests.files.push((name, text));
        }
        Ok(manifests)
    }

    fn add(&mut self, mut tree: Tree, folder: Option<&Arc<str>>) {
        let value = std::mem::take(&mut tree.value);
        let tree = Arc::new(tree);
        let is_list = value.get("kind").and_then(Value::as_str) == Some("List");
        match value {
            Value::Object(mut list) if is_list => {
                let items = list.remove("items").unwrap_or_default();
                let items = if let Value::Array(items) = items { items } else { Vec::new() };
                for (index, item) in items.into_iter().enumerate() {
                    self.add_one(item, &tree, format!("items[{index}]"), folder);
                }
            }
            value => self.add_one(value, &tree, String::new(), folder),
        }
    }

    fn add_one(&mut self, value: Value, tree: &Arc<Tree>, base: String, folder: Option<&Arc<str>>) {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let Some(kind) = text("/kind") else { return };
        let namespace = text("/metadata/namespace").unwrap_or_else(|| "default".to_owned());
        let name = text("/metadata/name").unwrap_or_default();
        let (file, folder, tree) = (self.files.len(), folder.cloned(), Arc::clone(tree));
        self.resources.push(Resource { file, folder, kind, namespace, name, value, tree, base });
    }

    /// The clusters that have manifests of their own; one `None` where nobody has.
    pub(super) fn clusters<'a>(&'a self, facts: &Facts) -> Vec<Option<&'a str>> {
        let clusters = self.resources.iter().filter_map(|found| found.cluster(facts)).map(Some);
        let clusters: BTreeSet<_> = clusters.collect();
        if clusters.is_empty() { vec![None] } else { clusters.into_iter().collect() }
    }

    /// The file of a resource.
    pub(super) fn name(&self, resource: &Resource) -> &str {
        self.files.get(resource.file).map_or("", |(name, _)| name)
    }

    /// The text of a file.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.files.iter().find(|(file, _)| file == name).map(|(_, text)| text.as_str())
    }
}

impl Resource {
    /// The cluster it is for; `None`: every one.
    pub(super) fn cluster(&self, facts: &Facts) -> Option<&str> {
        self.folder.as_deref().filter(|name| facts.region_of_cluster.contains_key(*name))
    }

    /// What it is, for people.
    pub(super) fn title(&self) -> String {
        let Self { kind, namespace, name, .. } = self;
        match kind.as_str() {
            "Node" | "Namespace" => format!("{kind} {name}"),
            _ => format!("{kind} {namespace}/{name}"),
        }
    }

    /// Where a path stands, e.g. `spec.subsets[1].labels`; if it does not, where its nearest parent does.
    pub(super) fn place(&self, path: &str) -> Position {
        let dot = if self.base.is_empty() || path.is_empty() { "" } else { "." };
        let found = self.tree.position(&format!("{}{dot}{path}", self.base));
        found.unwrap_or(Position { line: 1, column: 1 })
    }

    /// A value inside, by JSON pointer.
    pub(super) fn get(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }

    /// The items of a list inside.
    pub(super) fn list(&self, pointer: &str) -> &[Value] {
        self.get(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// A label's value.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.get("/metadata/labels")?.get(key)?.as_str()
    }
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable = || format!("{} cannot be read; give a folder of manifests", folder.display());
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        entries.push(entry.with_context(unreadable)?.path());
    }
    entries.sort();
    for path in entries {
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            find(&path, found)?;
        } else if path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known)) {
            found.push(path);
        }
    }
    Ok(())
}
