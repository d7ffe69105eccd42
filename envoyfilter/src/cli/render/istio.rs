//! `meridian render istio`.

use super::super::{Output, print_json};
use crate::istio::{self, Module, Options, Position, Source, Sources, Tag};
use crate::policy_file::PolicyFile;
use anyhow::Result;
use clap::{Args, ValueEnum};
use meridian_core::LocalHints;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The policy file.
    file: PathBuf,
    /// A folder with the VirtualServices and DestinationRules there are; the policy is laid over them.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// The folder to write to, with one folder per cluster; what was rendered there before and is not now is removed.
    #[arg(short = 'o', long = "out", value_name = "DIR")]
    out: PathBuf,
    /// Render for this cluster only; can be repeated. Without it: for every cluster of the policy.
    #[arg(long = "cluster", value_name = "ID")]
    clusters: Vec<String>,
    /// A Gateway that answers for the policy's public hosts; can be repeated.
    #[arg(long = "gateway", value_name = "NAMESPACE/NAME", value_parser = gateway)]
    gateways: Vec<String>,
    /// A label of the gateways' pods; can be repeated.
    #[arg(long = "gateway-selector", value_name = "KEY=VALUE", value_parser = pair, default_value = "istio=ingressgateway")]
    gateway_selector: Vec<(String, String)>,
    /// The namespace of the gateways' pods.
    #[arg(long, value_name = "NAMESPACE", default_value = "istio-system")]
    gateway_namespace: String,
    /// Istio's root namespace, for services that have none of their own.
    #[arg(long, value_name = "NAMESPACE", default_value = "istio-system")]
    root_namespace: String,
    /// Every pod reaches every other one without an east-west gateway.
    #[arg(long)]
    one_network: bool,
    /// The filter's module, to be delivered by ConfigMap. Without it and without `--oci`: the native table alone.
    #[arg(long, value_name = "FILE", conflicts_with = "oci")]
    module: Option<PathBuf>,
    /// The folder in the proxies where the module is mounted.
    #[arg(long, value_name = "DIR", default_value = "/etc/meridian")]
    module_dir: String,
    /// The filter's module in a registry, as a WasmPlugin.
    #[arg(long, value_name = "REFERENCE")]
    oci: Option<String>,
    /// The filter stands behind Istio's authentication in the gateways, so that a `trusted` header may be one that a
    /// RequestAuthentication writes (`outputClaimToHeaders`).
    #[arg(long)]
    after_authentication: bool,
    /// A namespace whose sidecars decide for the calls of their applications; can be repeated.
    #[arg(long, value_name = "NAMESPACE")]
    outbound: Vec<String>,
    /// Who says in an answer which cluster served it.
    #[arg(long, value_enum, default_value_t)]
    tag: TagBy,
    /// The label that tells a service's workloads; its value is the first part of the service's host.
    #[arg(long, value_name = "KEY", default_value = "app")]
    workload_label: String,
    /// The trust domain of a cluster's workloads; can be repeated. Locks services out of clusters that no rule lets them into.
    #[arg(long = "trust-domain", value_name = "CLUSTER=DOMAIN", value_parser = pair)]
    trust_domains: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum TagBy {
    /// Envoy, with a fixed value in each cluster's folder.
    #[default]
    Native,
    /// The filter; needs its module in every sidecar.
    Filter,
    /// Nobody.
    Off,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, output: Output) -> Result<ExitCode> {
        let file = PolicyFile::load(&self.file, &LocalHints::default())?;
        let written = istio::render(&file, &self.options()?)?.write(&self.out)?;
        match output {
            Output::Text => {
                for path in written {
                    println!("{}", path.display());
                }
            }
            Output::Json => print_json(&serde_json::json!({"written": written}))?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn options(&self) -> Result<Options> {
        let module = match (&self.module, &self.oci) {
            (Some(path), _) => Some(Source::File(Module::load(path, &self.module_dir)?)),
            (None, Some(reference)) => Some(Source::Oci(reference.trim_start_matches("oci://").to_owned())),
            (None, None) => None,
        };
        Ok(Options {
            clusters: self.clusters.clone(),
            gateways: self.gateways.clone(),
            root_namespace: self.root_namespace.clone(),
            one_network: self.one_network,
            given: self.from.as_deref().map(Sources::read).transpose()?,
            gateway_selector: self
                .gateway_selector
                .iter()
                .map(|(key, value)| (key.clone(), value.as_str().into()))
                .collect(),
            gateway_namespace: self.gateway_namespace.clone(),
            module,
            position: if self.after_authentication { Position::AfterAuthentication } else { Position::First },
            outbound: self.outbound.clone(),
            tag: match self.tag {
                TagBy::Native => Tag::Native,
                TagBy::Filter => Tag::Filter,
                TagBy::Off => Tag::Off,
            },
            workload_label: self.workload_label.clone(),
            trust_domains: self.trust_domains.clone(),
        })
    }
}

fn gateway(text: &str) -> Result<String, String> {
    let word = |part: &str| !part.is_empty() && !part.contains('/');
    let valid = text.split_once('/').is_some_and(|(namespace, name)| word(namespace) && word(name));
    if valid {
        Ok(text.to_owned())
    } else {
        Err("write the namespace and the name, e.g. istio-system/gateway".to_owned())
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty());
    pair.map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or_else(|| "write it as KEY=VALUE".to_owned())
}
