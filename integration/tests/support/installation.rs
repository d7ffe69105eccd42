//! Two API servers and what is installed there: the policy of three regions, of which one cluster is inside the fence and one is not.

#![allow(dead_code, reason = "each file of tests uses its own part of this")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use integration::apiserver::{Clusters, Programs, Said, meridian};
use integration::paths;
use serde_json::Value;
use tokio::process::Command;

/// Inside the fence, and outside.
pub(crate) const WEST: &str = "west";
pub(crate) const EAST: &str = "east";
/// Who installs.
pub(crate) const INSTALLER: &str = "system:serviceaccount:istio-system:meridian-installer";
/// Everything that an installation may leave behind.
const KINDS: &str = "destinationrules,virtualservices,envoyfilters,wasmplugins,authorizationpolicies,configmaps,\
    validatingadmissionpolicies,validatingadmissionpolicybindings";

/// Clusters, and the folder of manifests for them.
pub(crate) struct Installation {
    pub(crate) clusters: Clusters,
    names: Vec<&'static str>,
}

/// Starts the clusters of these names; `None`, said aloud, where there is no Go.
pub(crate) async fn installation(names: &[&'static str]) -> Result<Option<Installation>> {
    let Some(programs) = Programs::get().await? else {
        println!("SKIPPED: without Go there is no API server to ask");
        return Ok(None);
    };
    println!("mode: live, Kubernetes' own API server");
    let installation = Installation { clusters: Clusters::start(programs, names).await?, names: names.to_vec() };
    installation.render(&paths::module()?).await?;
    Ok(Some(installation))
}

impl Installation {
    /// The folder of the manifests.
    pub(crate) fn manifests(&self) -> PathBuf {
        self.clusters.folder().join("manifests")
    }

    /// Renders the policy with a module.
    pub(crate) async fn render(&self, module: &Path) -> Result<()> {
        let policy = paths::workspace().join("integration/istio/testdata/policy.yaml");
        let mut render = self.clusters.command(&meridian()?);
        render.args(["render", "istio"]).arg(policy).args(["--gateway", "bookinfo/bookinfo", "--module"]).arg(module);
        render.arg("--out").arg(self.manifests()).args(self.names.iter().flat_map(|name| ["--cluster", name]));
        let said = Said::of(render).await?;
        ensure!(said.code == Some(0), "{}", said.all());
        Ok(())
    }

    /// `meridian` with a verb, in every cluster, not yet started.
    pub(crate) fn prepared(&self, verb: &str, more: &[&str]) -> Result<Command> {
        let mut command = self.clusters.command(&meridian()?);
        command.arg(verb).arg("--manifests").arg(self.manifests()).args(["--settle", "0"]);
        command.args(self.names.iter().flat_map(|name| ["--context", name]));
        command.args(if more.contains(&"--timeout") { &[][..] } else { &["--timeout", "30"] }).args(more);
        Ok(command)
    }

    /// The same to its end.
    pub(crate) async fn run(&self, verb: &str, more: &[&str]) -> Result<Said> {
        Said::of(self.prepared(verb, more)?).await
    }

    /// The same, where it has to succeed.
    pub(crate) async fn done(&self, verb: &str) -> Result<Said> {
        let said = self.run(verb, &[]).await?;
        ensure!(said.code == Some(0), "{verb}: {}", said.all());
        Ok(said)
    }

    /// Every object that an installation may leave in a cluster, with its version: equal versions are untouched objects.
    pub(crate) async fn objects(&self, cluster: &str) -> Result<BTreeMap<String, String>> {
        let said = self.clusters.told(cluster, ["get", KINDS, "--all-namespaces", "-o", "json"]).await?;
        let said: Value = serde_json::from_str(&said)?;
        let mut objects = BTreeMap::new();
        for item in said.pointer("/items").and_then(Value::as_array).context("a list")? {
            let word = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let name = format!("{} {}/{}", word("/kind"), word("/metadata/namespace"), word("/metadata/name"));
            // The server keeps one of its own.
            if word("/metadata/namespace") != "kube-system" {
                objects.insert(name, word("/metadata/resourceVersion"));
            }
        }
        Ok(objects)
    }

    /// The files of modules in the gateways' ConfigMap.
    pub(crate) async fn modules(&self, cluster: &str) -> Result<Vec<String>> {
        let get = ["get", "configmap", "-n", "istio-system", "meridian-module", "-o", "json"];
        let module: Value = serde_json::from_str(&self.clusters.told(cluster, get).await?)?;
        Ok(module.pointer("/binaryData").and_then(Value::as_object).context("files")?.keys().cloned().collect())
    }

    /// Applies the folder that is deployed for who installs.
    pub(crate) async fn grant(&self, cluster: &str) -> Result<()> {
        let deploy = paths::workspace().join("envoyfilter/deploy/overlays/kind/access");
        let deploy = deploy.to_string_lossy();
        self.clusters.told(cluster, ["apply", "--server-side", "--force-conflicts", "-k", &deploy]).await.map(drop)
    }
}
