//! What a user has already: their own `VirtualService`s and `DestinationRule`s.
//!
//! They are read as trees and stay trees: what is not touched here is written as it was read, whatever it is and whichever version of
//! Istio knows it. What cannot be kept is an error with its place, never a silent loss.

mod destination_rule;
mod virtual_service;

pub(super) use virtual_service::Given;

use super::complaint::Place;
use super::files::is_generated;
use super::http_route::full_name;
use anyhow::{Context, Result, bail};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Number, Value};
use std::path::{Path, PathBuf};

/// One resource, with where it stands.
#[derive(Clone, Debug)]
pub(super) struct Source {
    file: String,
    pub(super) value: Value,
}

/// Every resource of a folder that routes traffic.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub(super) virtual_services: Vec<Source>,
    pub(super) destination_rules: Vec<Source>,
}

impl Sources {
    /// Reads every `.yaml` and `.yml` below `folder`; what was generated here is left out, as is what routes nothing.
    ///
    /// # Errors
    /// A folder or file that cannot be read, or is not YAML.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut sources = Self::default();
        for path in yaml_files(folder)? {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(&path).with_context(|| format!("{file} cannot be read"))?;
            if !is_generated(&text) {
                sources.add(&file, &text)?;
            }
        }
        Ok(sources)
    }

    /// Adds the resources of one file's text.
    pub(super) fn add(&mut self, file: &str, text: &str) -> Result<()> {
        let documents = Yaml::load_from_str(text)
            .map_err(|error| anyhow::anyhow!("{file}:{}: {}", error.marker().line(), error.info()))?;
        for document in &documents {
            let value = convert(document).with_context(|| file.to_owned())?;
            match value.get("items").and_then(Value::as_array) {
                Some(items) => items.iter().for_each(|item| self.sort_in(file, item)),
                None => self.sort_in(file, &value),
            }
        }
        Ok(())
    }

    fn sort_in(&mut self, file: &str, value: &Value) {
        let ours =
            value.get("apiVersion").and_then(Value::as_str).is_some_and(|api| api.starts_with("networking.istio.io/"));
        let list = match value.get("kind").and_then(Value::as_str) {
            Some("VirtualService") if ours => &mut self.virtual_services,
            Some("DestinationRule") if ours => &mut self.destination_rules,
            _ => return,
        };
        list.push(Source { file: file.to_owned(), value: declared(value) });
    }
}

impl Source {
    pub(super) fn name(&self) -> &str {
        self.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> &str {
        self.value.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or("default")
    }

    pub(super) fn place(&self) -> Place {
        let kind = self.value.get("kind").and_then(Value::as_str).unwrap_or_default();
        Place::new(format!("{}: {kind} {}/{}", self.file, self.namespace(), self.name()))
    }

    /// A `DestinationRule`'s host, in full.
    pub(super) fn host(&self) -> String {
        let host = self.value.pointer("/spec/host").and_then(Value::as_str).unwrap_or_default();
        full_name(host, self.namespace())
    }
}

/// What was declared, without what a cluster has written into it since.
fn declared(value: &Value) -> Value {
    const WRITTEN: [&str; 6] =
        ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| !WRITTEN.contains(&key.as_str()));
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
        }
    }
    value
}

fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("{} cannot be read; `--from` takes a folder of manifests", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        if path.is_dir() {
            files.extend(yaml_files(&path)?);
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn convert(yaml: &Yaml<'_>) -> Result<Value> {
    Ok(match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(truth)) => Value::Bool(*truth),
        Yaml::Value(Scalar::Integer(number)) => Value::Number((*number).into()),
        Yaml::Value(Scalar::FloatingPoint(number)) => Number::from_f64(number.0).map_or(Value::Null, Value::Number),
        Yaml::Value(Scalar::String(text)) => Value::String(text.to_string()),
        Yaml::Sequence(items) => items.iter().map(convert).collect::<Result<_>>()?,
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let key = match convert(key)? {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                map.insert(key, convert(value)?);
            }
            Value::Object(map)
        }
        Yaml::Tagged(..) | Yaml::Alias(_) | Yaml::Representation(..) | Yaml::BadValue => {
            bail!("tags and aliases are not read here; write the values out")
        }
    })
}
