//! The rendered manifests, as what has to be applied in each stage.

use super::stage::Stage;
use crate::yaml::Tree;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The label that says: this object is ours to remove.
pub(crate) const OURS: &str = "install.meridian/managed";
/// The type of a filter that is a module.
pub(super) const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
/// What is for `kubectl apply -k` by hand, or for the workloads' own manifests.
const KUSTOMIZE: &str = "kustomize.config.k8s.io/";

/// Every resource of a folder.
#[derive(Debug)]
pub(super) struct Documents {
    all: Vec<Document>,
}

/// One resource.
#[derive(Clone, Debug)]
pub(super) struct Document {
    stage: Stage,
    value: Value,
}

impl Documents {
    /// Reads what a cluster gets: the folder of its name, or all of it where the folder makes no difference between clusters.
    pub(super) fn read(folder: &Path, cluster: &str) -> Result<Self> {
        let own = folder.join(cluster);
        let (own, folders) = if own.is_dir() { (own, Vec::new()) } else { (folder.to_path_buf(), folders(folder)?) };
        if !folders.is_empty() {
            let (there, first) = (folders.join(", "), folders.first().map_or("", String::as_str));
            bail!(
                "{} has no folder {cluster}, but {there}; say which is which, e.g. --context {first}={cluster}",
                folder.display()
            );
        }
        let mut all = Vec::new();
        for file in files(&own)? {
            all.extend(read_file(&file)?);
        }
        ensure!(!all.is_empty(), "there is no manifest in {}; {WANTED}", own.display());
        Ok(Self { all })
    }

    /// The resources of a stage, in order.
    pub(super) fn of(&self, stage: Stage) -> Vec<&Document> {
        self.all.iter().filter(|document| document.stage == stage).collect()
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Document] {
        &self.all
    }
}

const WANTED: &str = "give the folder that `meridian render istio` wrote";

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("{} cannot be read; {WANTED}", folder.display());
    let entries = std::fs::read_dir(folder).with_context(cannot)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().with_context(cannot)?;
    paths.sort();
    Ok(paths)
}

/// The names of the folders in a folder.
fn folders(folder: &Path) -> Result<Vec<String>> {
    let folders = entries(folder)?.into_iter().filter(|path| path.is_dir());
    Ok(folders.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
}

/// Every manifest in a folder and those below it, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending == *known)) {
            found.push(path);
        }
    }
    Ok(found)
}

fn read_file(file: &Path) -> Result<Vec<Document>> {
    let name = file.display();
    let file_text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    let mut documents = Vec::new();
    for part in file_text.split("\n---") {
        let bare = part.trim_start_matches("---");
        if bare.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        let tree = Tree::parse(bare).map_err(|error| anyhow::anyhow!("{name} is not YAML: {}", error.message))?;
        if text(&tree.value, "/apiVersion").is_some_and(|version| version.starts_with(KUSTOMIZE)) {
            continue;
        }
        match tree.value.get("items").and_then(Value::as_array) {
            Some(items) if tree.value.get("kind").is_some_and(|kind| kind == "List") => {
                for item in items {
                    documents.push(Document::new(item.clone()).with_context(|| format!("in {name}"))?);
                }
            }
            _ => documents.push(Document::new(tree.value).with_context(|| format!("in {name}"))?),
        }
    }
    Ok(documents)
}

impl Document {
    fn new(mut value: Value) -> Result<Self> {
        let kind = text(&value, "/kind").context("a document has no `kind`, so it is no Kubernetes resource")?;
        let name = text(&value, "/metadata/name").with_context(|| format!("a {kind} has no `metadata.name`"))?;
        let Some(stage) = Stage::of(&kind, value.to_string().contains(WASM)) else {
            bail!(
                "{kind} {name} has no place in the order of an installation; apply it yourself and keep it elsewhere"
            );
        };
        let metadata = value.pointer_mut("/metadata").and_then(Value::as_object_mut);
        if let Some(metadata) = metadata {
            let labels = metadata.entry("labels").or_insert_with(|| Value::Object(Map::new()));
            if let Some(labels) = labels.as_object_mut() {
                labels.insert(OURS.to_owned(), json!("true"));
            }
        }
        Ok(Self { stage, value })
    }

    /// The whole resource, with our label.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// What it is, for people: `DestinationRule bookinfo/productpage`.
    pub(super) fn title(&self) -> String {
        title(&self.value)
    }

    /// Its namespace, if it names one.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.value.pointer("/metadata/namespace").and_then(Value::as_str)
    }

    /// Its resource as `kubectl auth can-i` wants it: `destinationrules.networking.istio.io`.
    pub(super) fn resource(&self) -> String {
        let kind = text(&self.value, "/kind").unwrap_or_default().to_lowercase();
        let plural = kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"));
        let version = text(&self.value, "/apiVersion").unwrap_or_default();
        version.split_once('/').map_or_else(|| plural.clone(), |(group, _)| format!("{plural}.{group}"))
    }
}

/// `Kind namespace/name` of any resource.
pub(super) fn title(value: &Value) -> String {
    let part = |pointer| text(value, pointer).unwrap_or_default();
    let (kind, name) = (part("/kind"), part("/metadata/name"));
    match text(value, "/metadata/namespace") {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

/// A string in a tree.
pub(super) fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

/// Resources as one document for `kubectl -f -`.
pub(super) fn list<'v>(items: impl IntoIterator<Item = &'v Value>) -> String {
    let items: Vec<&Value> = items.into_iter().collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// What `kubectl get -o json` said: nothing, one resource or a list of them.
pub(super) fn items(said: &str) -> Option<Vec<Value>> {
    if said.trim().is_empty() {
        return Some(Vec::new());
    }
    let value: Value = serde_json::from_str(said).ok()?;
    match value.get("items").and_then(Value::as_array) {
        Some(items) => Some(items.clone()),
        None => Some(vec![value]),
    }
}
