//! Manifests: every Kubernetes resource below a folder, with its place.
//!
//! A thousand small files are mostly waiting for the kernel and for memory, so they are read by whoever has time: each thread takes the
//! next file that nobody has, and what they found is put back into the order of the files.

use super::facts::Facts;
use super::mesh::inside;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::yaml::{Position, Tree};
use anyhow::{Context, Result, bail};
use meridian_core::{Problem, Severity};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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

/// A folder of manifests that is being read, by as many threads as [`work`](Self::work) on it.
pub(super) struct Reading<'a> {
    folder: &'a Path,
    paths: Vec<PathBuf>,
    next: AtomicUsize,
    read: Mutex<Vec<(usize, Result<File>)>>,
}

/// A file, and what stands in it.
struct File {
    name: String,
    text: String,
    resources: Vec<Resource>,
}

impl<'a> Reading<'a> {
    /// Every YAML or JSON file below the folder.
    pub(super) fn of(folder: &'a Path) -> Result<Self> {
        let mut paths = Vec::new();
        find(folder, &mut paths)?;
        Ok(Self { folder, paths, next: AtomicUsize::new(0), read: Mutex::new(Vec::new()) })
    }

    /// Reads files that nobody reads yet, until there are none.
    pub(super) fn work(&self) {
        let mut own = Vec::new();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = self.paths.get(index) else { break };
            own.push((index, self.file(index, path)));
        }
        self.read.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
    }

    fn file(&self, index: usize, path: &Path) -> Result<File> {
        let mut below = path.strip_prefix(self.folder).into_iter().flat_map(Path::iter);
        let first = below.next().filter(|_| below.next().is_some()).and_then(|name| name.to_str()).map(Arc::from);
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read; check its permissions", path.display()))?;
        let name = path.display().to_string();
        let trees = Tree::parse_all(&text).map_err(|error| {
            let (path, message) = (String::new(), error.message);
            let suggestion = Some("plain manifests, rendered first if this is a template".to_owned());
            let problem = Problem { path, message, suggestion, severity: Severity::Error };
            Diagnostics::new(&name, &text, vec![Diagnostic::new(problem, Some(error.at))])
        })?;
        let mut resources = Vec::with_capacity(trees.len());
        for tree in trees {
            add(&mut resources, index, tree, first.as_ref());
        }
        Ok(File { name, text, resources })
    }

    /// What has been read, in the order of the files; documents without a `kind` are somebody else's and left out.
    pub(super) fn finish(self) -> Result<Manifests> {
        let mut read = self.read.into_inner().unwrap_or_else(PoisonError::into_inner);
        read.sort_unstable_by_key(|(index, _)| *index);
        if read.len() < self.paths.len() {
            bail!("the manifests below {} could not all be read; try again", self.folder.display());
        }
        let mut manifests = Manifests { files: Vec::with_capacity(read.len()), resources: Vec::new() };
        for (_, file) in read {
            let File { name, text, resources } = file?;
            manifests.files.push((name, text));
            manifests.resources.extend(resources);
        }
        Ok(manifests)
    }
}

fn add(resources: &mut Vec<Resource>, file: usize, mut tree: Tree, folder: Option<&Arc<str>>) {
    let value = std::mem::take(&mut tree.value);
    let tree = Arc::new(tree);
    let is_list = value.get("kind").and_then(Value::as_str) == Some("List");
    let mut one = |value: Value, base: String| {
        let metadata = value.get("metadata");
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        // Settings of the mesh stand in files of their own as well, which are no resources.
        let settings = || value.get("meshConfig").map(|_| "MeshConfig".to_owned());
        let Some(kind) = text(value.get("kind")).or_else(settings) else { return };
        let namespace = text(metadata.and_then(|of| of.get("namespace"))).unwrap_or_else(|| "default".to_owned());
        let name = text(metadata.and_then(|of| of.get("name"))).unwrap_or_default();
        let (folder, tree) = (folder.cloned(), Arc::clone(&tree));
        resources.push(Resource { file, folder, kind, namespace, name, value, tree, base });
    };
    match value {
        Value::Object(mut list) if is_list => {
            let items = list.remove("items").unwrap_or_default();
            let items = if let Value::Array(items) = items { items } else { Vec::new() };
            items.into_iter().enumerate().for_each(|(index, item)| one(item, format!("items[{index}]")));
        }
        value => one(value, String::new()),
    }
}

impl Manifests {
    /// Reads every file below the folder.
    pub(super) fn load(folder: &Path) -> Result<Self> {
        let reading = Reading::of(folder)?;
        reading.work();
        reading.finish()
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
            "MeshConfig" => "the mesh's configuration".to_owned(),
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

    /// A value inside, e.g. by `/spec/host`.
    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        inside(&self.value, path)
    }

    /// The items of a list inside.
    pub(super) fn list(&self, path: &str) -> &[Value] {
        self.get(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// A label's value.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.get("/metadata/labels")?.get(key)?.as_str()
    }
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable = || format!("{} cannot be read; give a folder of manifests", folder.display());
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        // The folder says what its entries are; only a link has to be followed.
        let folder = entry.file_type().ok().filter(|kind| !kind.is_symlink()).map(|kind| kind.is_dir());
        entries.push((entry.path(), folder));
    }
    entries.sort();
    for (path, is_folder) in entries {
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if is_folder.unwrap_or_else(|| path.is_dir()) {
            find(&path, found)?;
        } else if path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known)) {
            found.push(path);
        }
    }
    Ok(())
}
