//! Istio resources as files, with the few words filled in that only a run knows: addresses, and where the module is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use meridian::istio::{self, Module, Options, Source};
use meridian::policy_file::PolicyFile;
use meridian_core::LocalHints;

/// What a control plane reads of what is rendered: the rest is the API server's (a guard, a ConfigMap).
const PARTS: [&str; 6] = ["subsets", "routes", "edge", "filter", "tag", "lock"];
/// Where the module is in a pod.
const MOUNTED: &str = "/etc/meridian";

/// A set of manifests.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    files: Vec<(String, String)>,
    words: Vec<(String, String)>,
}

impl Manifests {
    /// The YAML files of a folder.
    ///
    /// # Errors
    /// When it cannot be read or has none.
    pub fn read(folder: &Path) -> Result<Self> {
        let why = || format!("The manifests in {} cannot be read.", folder.display());
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(folder).with_context(why)? {
            paths.push(entry.with_context(why)?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        paths.sort();
        ensure!(!paths.is_empty(), "There are no manifests in {}.", folder.display());
        let mut manifests = Self::default();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            manifests.files.push((name, fs::read_to_string(&path).with_context(why)?));
        }
        Ok(manifests)
    }

    /// What `meridian render istio` writes for one cluster of a mesh with one network, as far as istiod reads it; a file is called by
    /// its part of the rollout and its name there, e.g. `routes.virtualservice.bookinfo.productpage.yaml`. `gateway` is the Gateway's
    /// namespace and name, and `module` a file on this machine in place of the one that would be mounted.
    ///
    /// # Errors
    /// When the policy cannot be rendered.
    pub fn rendered(policy: &str, cluster: &str, gateway: &str, module: &Path) -> Result<Self> {
        let options = Options { gateways: vec![gateway.to_owned()], one_network: true, ..Options::default() };
        Self::rendered_with(policy, cluster, module, options)
    }

    /// What `meridian render istio` writes for people to copy into the mesh's configuration.
    ///
    /// # Errors
    /// When the policy cannot be rendered.
    pub fn settings(policy: &str, cluster: &str) -> Result<String> {
        let file = PolicyFile::parse("policy", policy, &LocalHints::default())?;
        let options = Options { clusters: vec![cluster.to_owned()], ..Options::default() };
        let files = istio::render(&file, &options)?;
        let found = files.iter().find(|(path, _)| path.ends_with("mesh-config.yaml"));
        Ok(found.context("No settings are rendered.")?.1.to_owned())
    }

    /// The same with any options; those that say for which cluster and with which module are filled in.
    ///
    /// # Errors
    /// When the policy cannot be rendered.
    pub fn rendered_with(policy: &str, cluster: &str, module: &Path, options: Options) -> Result<Self> {
        let file = PolicyFile::parse("policy", policy, &LocalHints::default())?;
        let source = Some(Source::File(Module::load(module, MOUNTED)?));
        let options = Options { clusters: vec![cluster.to_owned()], module: source, ..options };
        let mut manifests = Self::default();
        for (path, text) in istio::render(&file, &options)?.iter() {
            let Some((part, name)) =
                path.strip_prefix(cluster).and_then(|path| path.trim_start_matches('/').split_once('/'))
            else {
                continue;
            };
            if PARTS.contains(&part) && !name.starts_with("kustomization") && !name.starts_with("configmap") {
                let here = mounted(text).map(|path| text.replace(path, &module.display().to_string()));
                manifests = manifests.file(&format!("{part}.{name}"), here.as_deref().unwrap_or(text));
            }
        }
        Ok(manifests)
    }

    /// What each is called, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| name.as_str())
    }

    /// One more, or another one in place of one of that name.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.retain(|(known, _)| known != name);
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Without one.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.files.retain(|(known, _)| known != name);
        self
    }

    /// Writes `value` wherever `${word}` stands.
    #[must_use]
    pub fn word(mut self, word: &str, value: &str) -> Self {
        self.words.push((format!("${{{word}}}"), value.to_owned()));
        self
    }

    /// One of them as it will be written.
    ///
    /// # Errors
    /// When there is none of that name, or it holds a word that was not given.
    pub fn text(&self, name: &str) -> Result<String> {
        let found = self.files.iter().find(|(known, _)| known == name);
        let (_, text) = found.with_context(|| format!("There is no manifest {name}."))?;
        let filled = self.words.iter().fold(text.clone(), |text, (word, value)| text.replace(word, value));
        let left = filled.split_once("${").map(|(_, rest)| rest.split('}').next().unwrap_or_default());
        ensure!(left.is_none(), "{name} holds ${{{}}}, which was not given.", left.unwrap_or_default());
        Ok(filled)
    }

    /// Writes all of them into a folder.
    ///
    /// # Errors
    /// When they cannot be written, or hold a word that was not given.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made.", folder.display()))?;
        for (name, _) in &self.files {
            let path = folder.join(name);
            fs::write(&path, self.text(name)?).with_context(|| format!("{} cannot be written.", path.display()))?;
        }
        Ok(())
    }
}

/// The module's path in a manifest that has one.
fn mounted(text: &str) -> Option<&str> {
    let from = text.get(text.find(&format!("{MOUNTED}/"))?..)?;
    from.split_inclusive(".wasm").next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_filled_in_and_one_that_is_missing_is_named() {
        let manifests = Manifests::default().file("a.yaml", "bind: ${IP}").word("IP", "127.0.0.1");
        assert_eq!(manifests.text("a.yaml").unwrap(), "bind: 127.0.0.1");
        let error = manifests.file("a.yaml", "x: ${MODULE}").text("a.yaml").unwrap_err().to_string();
        assert_eq!(error, "a.yaml holds ${MODULE}, which was not given.");
    }
}
