//! `meridian render`.

mod istio;

use super::{Output, print_json};
use crate::policy_file::PolicyFile;
use crate::render;
use crate::site::Site;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum Target {
    /// A static Envoy: its whole bootstrap, as `envoy.json`.
    Envoy(Arguments),
    /// An Istio mesh: a folder of manifests for each cluster.
    Istio(Box<istio::Arguments>),
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The policy file.
    file: PathBuf,
    /// The site file: where this Envoy runs and what it can reach.
    #[arg(long)]
    site: PathBuf,
    /// The folder to write to; made if it is not there.
    #[arg(short = 'o', long = "out", value_name = "DIR")]
    out: PathBuf,
}

impl Target {
    pub(super) fn run(&self, output: Output) -> Result<ExitCode> {
        let arguments = match self {
            Self::Envoy(arguments) => arguments,
            Self::Istio(arguments) => return arguments.run(output),
        };
        let site = Site::load(&arguments.site)?;
        let file = PolicyFile::load(&arguments.file, &render::hints(&site))?;
        let bootstrap = render::bootstrap(&file, &site)?;
        let path = arguments.out.join("envoy.json");
        std::fs::create_dir_all(&arguments.out)
            .and_then(|()| std::fs::write(&path, serde_json::to_string_pretty(&bootstrap)? + "\n"))
            .with_context(|| format!("{} cannot be written; check the folder and its permissions", path.display()))?;
        match output {
            Output::Text => println!("{}", path.display()),
            Output::Json => print_json(&serde_json::json!({"written": [path]}))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
