//! What breaks a fence or a plan in the mesh around it.
//!
//! A policy that is right can still be installed into a mesh where it does not hold: a subset that is missing in one cluster, a default
//! of Istio's that keeps a lost region in use, a label on a pod in the wrong place. Everything that can be seen in manifests is looked
//! for here, without a cluster, so that a pipeline finds it before users do. Manifests are the user's own and the rendered ones
//! together: what will be applied.
//!
//! A folder directly below the given one that is named like a cluster of the policy holds that cluster's manifests; whatever lies
//! elsewhere holds for every cluster. So what `meridian render istio` wrote is checked cluster by cluster.

mod codes;
mod destination_rules;
mod envoy_filters;
mod facts;
mod manifests;
mod mesh;
mod paths;
mod pods;
mod rules;
mod virtual_services;

pub use codes::{CODES, Code, code};

use crate::policy_file::PolicyFile;
use anyhow::Result;
use facts::Facts;
use manifests::{Manifests, Reading, Resource};
use mesh::Mesh;
use rules::Choices;
use serde::Serialize;
use std::path::Path;

/// One thing that breaks a fence or a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file it stands in.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// E.g. `MER001`.
    pub code: &'static str,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// E.g. `DestinationRule bookinfo/productpage`.
    pub resource: String,
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub suggestion: String,
}

/// What was found, with the text it was found in.
#[derive(Debug)]
pub struct Report {
    /// In the order of files and lines, each once.
    pub findings: Vec<Finding>,
    manifests: Manifests,
    policy: String,
}

impl Report {
    /// The text of a finding's line.
    #[must_use]
    pub fn source(&self, finding: &Finding) -> Option<&str> {
        let text = self
            .manifests
            .text(&finding.file)
            .or(Some(self.policy.as_str()).filter(|_| finding.resource == "policy"))?;
        text.lines().nth(finding.line - 1)
    }
}

/// Looks through the manifests below `folder`, around a policy that was [read for the mesh](PolicyFile::load_for_the_mesh).
///
/// # Errors
/// A file that cannot be read or is not YAML.
pub fn lint(policy: &PolicyFile, folder: &Path) -> Result<Report> {
    Ok(report(policy, &Facts::new(policy), Manifests::load(folder)?))
}

/// Reads a policy and looks through the manifests below `folder`. One thread reads manifests from the start, this one as soon as it is
/// done with the policy.
///
/// # Errors
/// As [`lint`] and [`PolicyFile::load_for_the_mesh`].
pub fn lint_files(policy: &Path, folder: &Path) -> Result<Report> {
    let reading = Reading::of(folder);
    let read = std::thread::scope(|scope| {
        if let Ok(reading) = &reading {
            scope.spawn(|| reading.work());
        }
        let policy = PolicyFile::load_for_the_mesh(policy)?;
        let facts = Facts::new(&policy);
        if let Ok(reading) = &reading {
            reading.work();
        }
        anyhow::Ok((policy, facts))
    });
    let (policy, facts) = read?;
    Ok(report(&policy, &facts, reading?.finish()?))
}

fn report(policy: &PolicyFile, facts: &Facts, manifests: Manifests) -> Report {
    let mut findings = Findings { policy, manifests: &manifests, list: Vec::new() };
    let choices = Choices::of(policy);
    choices.check(&mut findings);
    for cluster in manifests.clusters(facts) {
        let mesh = Mesh::new(policy, facts, &manifests, cluster);
        destination_rules::check(&mesh, &mut findings);
        virtual_services::check(&mesh, &mut findings);
        envoy_filters::check(&mesh, &mut findings);
        pods::check(&mesh, &mut findings);
        choices.check_paths(&mesh, &mut findings);
    }
    let mut list = findings.list;
    list.sort();
    list.dedup();
    Report { findings: list, manifests, policy: policy.text.clone() }
}

/// Findings so far.
struct Findings<'a> {
    policy: &'a PolicyFile,
    manifests: &'a Manifests,
    list: Vec<Finding>,
}

impl Findings<'_> {
    /// Something wrong at a path of a resource.
    fn note(&mut self, code: &'static Code, at: (&Resource, &str), message: String, suggestion: impl Into<String>) {
        let (resource, path) = at;
        let place = resource.place(path);
        self.list.push(Finding {
            file: self.manifests.name(resource).to_owned(),
            line: place.line,
            column: place.column,
            code: code.name,
            severity: code.severity,
            resource: resource.title(),
            message,
            suggestion: suggestion.into(),
        });
    }

    /// Something missing, which only the policy has a place for.
    fn note_policy(&mut self, code: &'static Code, path: &str, message: String, suggestion: impl Into<String>) {
        let place = self.policy.place(path);
        self.list.push(Finding {
            file: self.policy.name.clone(),
            line: place.line,
            column: place.column,
            code: code.name,
            severity: code.severity,
            resource: "policy".to_owned(),
            message,
            suggestion: suggestion.into(),
        });
    }
}
