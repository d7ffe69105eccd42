//! `meridian validate`.

use super::{Output, print_json};
use crate::policy_file::PolicyFile;
use anyhow::Result;
use clap::Args;
use meridian_core::LocalHints;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The policy file.
    file: PathBuf,
}

impl Arguments {
    pub(super) fn run(&self, output: Output) -> Result<ExitCode> {
        let file = PolicyFile::load(&self.file, &LocalHints::default())?;
        let policy = &file.policy;
        let (regions, services) = (policy.regions().len(), policy.services().len());
        let hosts = policy.virtual_hosts().len();
        match output {
            Output::Text => {
                let (regions, services, hosts) =
                    (counted(regions, "region"), counted(services, "service"), counted(hosts, "host"));
                println!("{} is a policy: {regions}, {services}, {hosts}.", self.file.display());
            }
            Output::Json => {
                let summary = serde_json::json!({
                    "problems": [], "regions": regions, "services": services, "hosts": hosts,
                    "revision": format!("{:04x}", policy.revision()),
                });
                print_json(&summary)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
