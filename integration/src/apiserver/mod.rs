//! Clusters that are API servers: Kubernetes' own, each with its etcd, and `kubectl` to speak to them.
//!
//! A stand-in for an API server accepts what its author thought of. The real one knows Istio's definitions with their rules, whose a field
//! is, who may do what, and what an admission policy says of a pod, and it takes three seconds to start. What it lacks is everything that
//! acts: no controller, no scheduler, no container. So pods are objects that the tests write, and a proxy that is asked through
//! `kubectl exec` is answered for by the one node there is, from the same objects that a real proxy would be configured by.

mod programs;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::paths::RunFolder;
use crate::process::Process;

pub use programs::{Programs, meridian};

/// The longest start, on a machine that is busy.
const START: Duration = Duration::from_secs(120);
/// Where the gateways run, and the services.
pub const NAMESPACES: [&str; 2] = ["istio-system", "bookinfo"];

/// Some clusters, and one configuration of `kubectl` with a context for each, of the cluster's name.
#[derive(Debug)]
pub struct Clusters {
    programs: Programs,
    folder: RunFolder,
    servers: Vec<Process>,
    names: Vec<String>,
}

/// What a command said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its answer.
    pub stdout: String,
    /// Its complaints.
    pub stderr: String,
}

impl Clusters {
    /// Starts clusters with Istio's definitions, the namespaces and two gateways.
    ///
    /// # Errors
    /// When one does not start; the end of what it said is in the error.
    pub async fn start(programs: Programs, names: &[&str]) -> Result<Self> {
        let folder = RunFolder::create()?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut clusters = Self { programs, folder, servers: Vec::new(), names };
        for name in &clusters.names {
            let data = clusters.folder.path().join(name);
            std::fs::create_dir(&data).context("A folder for a cluster cannot be made.")?;
            clusters.servers.push(Process::start(name, &clusters.programs.server(), [data], clusters.folder.path())?);
        }
        for (name, server) in clusters.names.iter().zip(&clusters.servers) {
            let address = clusters.folder.path().join(name).join("address");
            server.ready(START, async || std::fs::read_to_string(&address).is_ok_and(|text| !text.is_empty())).await?;
        }
        clusters.configure(None)?;
        for (name, server) in clusters.names.iter().zip(&clusters.servers) {
            let ready = async || match clusters.kubectl(name, ["get", "--raw", "/readyz"]).await {
                Ok(said) => said.code == Some(0),
                Err(_) => false,
            };
            server.ready(START, ready).await?;
        }
        for name in &clusters.names {
            clusters.furnish(name).await?;
        }
        Ok(clusters)
    }

    /// Writes the configuration of `kubectl`: as who may do everything, or as somebody else.
    ///
    /// # Errors
    /// When what the servers left on disk cannot be read.
    pub fn configure(&self, user: Option<&str>) -> Result<()> {
        let (mut clusters, mut users, mut contexts) = (Vec::new(), Vec::new(), Vec::new());
        for name in &self.names {
            let data = self.folder.path().join(name);
            let read = |file: &str| {
                std::fs::read_to_string(data.join(file)).with_context(|| format!("{name} has not left its {file}."))
            };
            let server = format!("https://{}", read("address")?);
            clusters.push(
                json!({"name": name, "cluster": {"server": server, "certificate-authority": data.join("tls.crt")}}),
            );
            let mut identity = json!({"token": read("token")?});
            if let (Some(user), Some(identity)) = (user, identity.as_object_mut()) {
                identity.insert("as".to_owned(), user.into());
            }
            users.push(json!({"name": name, "user": identity}));
            contexts.push(json!({"name": name, "context": {"cluster": name, "user": name}}));
        }
        let whole =
            json!({"apiVersion": "v1", "kind": "Config", "clusters": clusters, "users": users, "contexts": contexts});
        std::fs::write(self.configuration(), whole.to_string())
            .context("The configuration of kubectl cannot be written.")
    }

    /// The folder of this run.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Calls `kubectl` in a cluster.
    ///
    /// # Errors
    /// When it cannot be run; what it refuses is in its answer.
    pub async fn kubectl<A: AsRef<OsStr>>(
        &self,
        cluster: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Said> {
        let mut command = self.command(&self.programs.kubectl());
        command.args(["--context", cluster, "--request-timeout=30s"]).args(arguments);
        Said::of(command).await
    }

    /// The same, where it has to succeed: its answer.
    ///
    /// # Errors
    /// When it does not.
    pub async fn told<A: AsRef<OsStr>>(&self, cluster: &str, arguments: impl IntoIterator<Item = A>) -> Result<String> {
        let said = self.kubectl(cluster, arguments).await?;
        ensure!(said.code == Some(0), "kubectl in {cluster}: {}{}", said.stdout, said.stderr);
        Ok(said.stdout)
    }

    /// Applies resources.
    ///
    /// # Errors
    /// When they cannot be written; what the cluster refuses is in its answer.
    pub async fn apply(&self, cluster: &str, resources: &Value) -> Result<Said> {
        let file = self.folder.path().join(format!("{cluster}.json"));
        std::fs::write(&file, resources.to_string()).context("A resource cannot be written.")?;
        let manager = "--field-manager=somebody";
        let words = ["apply", "--server-side", manager, "-f"].map(OsStr::new).into_iter().chain([file.as_os_str()]);
        self.kubectl(cluster, words).await
    }

    /// Any program, with the `kubectl` and the configuration of these clusters.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let others = std::env::var_os("PATH").unwrap_or_default();
        let mut path = self.programs.folder().as_os_str().to_owned();
        path.push(":");
        path.push(others);
        let mut command = Command::new(program);
        command.env("PATH", path).env("KUBECONFIG", self.configuration()).env("HOME", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// What every cluster of a mesh has before us.
    async fn furnish(&self, cluster: &str) -> Result<()> {
        let definitions = self.programs.definitions();
        let file = ["apply", "--server-side", "-f"].map(OsStr::new).into_iter().chain([definitions.as_os_str()]);
        self.told(cluster, file).await?;
        let wait = ["wait", "--for=condition=Established", "customresourcedefinitions", "--all", "--timeout=60s"];
        self.told(cluster, wait).await?;
        for namespace in NAMESPACES {
            self.told(cluster, ["create", "namespace", namespace]).await?;
        }
        for (name, kind) in [("ingress", "ingressgateway"), ("east-west", "eastwestgateway")] {
            self.run(cluster, &proxy("istio-system", name, &json!({"istio": kind}))).await?;
        }
        Ok(())
    }

    /// Makes a pod that runs, as far as anybody can see.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub async fn run(&self, cluster: &str, pod: &Value) -> Result<()> {
        let said = self.apply(cluster, pod).await?;
        ensure!(said.code == Some(0), "{cluster} refuses a pod: {}", said.stderr);
        let word = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (namespace, name) = (word("/metadata/namespace"), word("/metadata/name"));
        let running = r#"{"status": {"phase": "Running"}}"#;
        let patch = ["patch", "pod", "-n", namespace, name, "--subresource=status", "--type=merge", "-p", running];
        self.told(cluster, patch).await.map(drop)
    }
}

impl Said {
    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn of(mut command: Command) -> Result<Self> {
        let output = command.output().await.context("A command cannot be run.")?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) })
    }

    /// All of it.
    #[must_use]
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A pod with a proxy that has the module's folder, on the node there is.
#[must_use]
pub fn proxy(namespace: &str, name: &str, labels: &Value) -> Value {
    let module = "meridian-module";
    let mount = json!([{"name": module, "mountPath": "/etc/meridian", "readOnly": true}]);
    let container = json!({"name": "istio-proxy", "image": "proxy", "volumeMounts": mount});
    let volume = json!({"name": module, "configMap": {"name": module, "optional": true}});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"nodeName": "node", "containers": [container], "volumes": [volume]},
    })
}
