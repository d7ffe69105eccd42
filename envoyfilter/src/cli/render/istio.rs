//! `meridian render istio`.

use super::super::{Output, print_json};
use crate::istio::{self, Options};
use crate::policy_file::PolicyFile;
use anyhow::Result;
use clap::Args;
use meridian_core::LocalHints;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The policy file.
    file: PathBuf,
    /// The folder to write to, with one folder per cluster; what was rendered there before and is not now is removed.
    #[arg(short = 'o', long = "out", value_name = "DIR")]
    out: PathBuf,
    /// Render for this cluster only; can be repeated. Without it: for every cluster of the policy.
    #[arg(long = "cluster", value_name = "ID")]
    clusters: Vec<String>,
    /// A Gateway that answers for the policy's public hosts; can be repeated.
    #[arg(long = "gateway", value_name = "NAMESPACE/NAME", value_parser = gateway)]
    gateways: Vec<String>,
    /// Istio's root namespace.
    #[arg(long, value_name = "NAMESPACE", default_value = "istio-system")]
    root_namespace: String,
    /// Every pod reaches every other one without an east-west gateway.
    #[arg(long)]
    one_network: bool,
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
        Ok(Options {
            clusters: self.clusters.clone(),
            gateways: self.gateways.clone(),
            root_namespace: self.root_namespace.clone(),
            one_network: self.one_network,
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
