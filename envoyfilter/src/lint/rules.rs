//! Rules of one host that undo each other: requests of a fence that a rule without one can have.
//!
//! The first rule that matches decides, so a fence holds for a request only if no rule above it takes the request away, and only if the
//! request is still known when it is spelt otherwise. A client chooses its headers and the spelling of its path. So where a fenced and
//! an unfenced rule of one host are told apart by nothing but these, the client chooses whether the fence holds.

use super::Findings;
use super::codes::{MER019, MER020, MER021};
use super::mesh::Mesh;
use super::paths::{Normalization, settings};
use crate::policy_file::PolicyFile;
use meridian_core::{Rule, RuleMatch};
use std::collections::BTreeSet;

/// What clients can choose: rules of one host, the one without a fence and the one with it, by their places in the policy.
#[derive(Default)]
pub(super) struct Choices {
    by_header: BTreeSet<(usize, usize)>,
    by_path: BTreeSet<(usize, usize)>,
}

impl Choices {
    pub(super) fn of(file: &PolicyFile) -> Self {
        let policy = &file.policy;
        let mut choices = Self::default();
        for host in policy.virtual_hosts() {
            let rules = || host.rules.iter().filter_map(|id| Some((id.index(), policy.rule(*id)?)));
            for (fenced, inside) in rules().filter(|(_, rule)| rule.fenced) {
                let inside = &inside.matches;
                for (open, outside) in rules().filter(|(_, rule)| !rule.fenced) {
                    let outside = &outside.matches;
                    if !may_meet(outside, inside) {
                        continue;
                    }
                    let (first, second) = if open < fenced { (outside, inside) } else { (inside, outside) };
                    if open < fenced && untrusted(outside).is_some() && (covers(first, second) || covers(second, first))
                    {
                        choices.by_header.insert((open, fenced));
                    }
                    if !covers(first, second) {
                        choices.by_path.insert((open, fenced));
                    }
                }
            }
        }
        choices
    }

    /// What holds in every cluster.
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        let file = findings.policy;
        for (open, fenced) in &self.by_header {
            let Some(rule) = file.policy.rules().get(*open) else { continue };
            let Some((index, name)) = untrusted(&rule.matches) else { continue };
            let fenced = name_of(file, *fenced);
            let message =
                format!("a client that sends `{name}` gets this rule, and is outside of the fence of `{fenced}`");
            let instead = format!("this rule below `{fenced}`, or `trusted: true` for a header that the mesh sets");
            findings.note_policy(&MER019, &format!("rules[{open}].match.headers[{index}]"), message, instead);
        }
    }

    /// What hangs on how the proxies of a cluster spell paths.
    pub(super) fn check_paths(&self, mesh: &Mesh<'_>, findings: &mut Findings<'_>) {
        if self.by_path.is_empty() {
            return;
        }
        let settings = settings(mesh);
        for (place, weak) in settings.iter().filter(|(_, level)| *level < Normalization::Merge) {
            let message = format!("{}, and a fence depends on the path", weak.lets_through());
            findings.note(&MER021, (place.resource, &place.path), message, MER021.instead);
        }
        let weakest = settings.iter().map(|(_, level)| *level).min();
        if weakest == Some(Normalization::Decode) {
            return;
        }
        let why = weakest.map_or("nothing here says how the mesh normalizes paths", Normalization::lets_through);
        for (open, fenced) in &self.by_path {
            let file = findings.policy;
            let (open_name, fenced_name) = (name_of(file, *open), name_of(file, *fenced));
            let message = format!(
                "a path that is spelt otherwise gets the rule `{open_name}` instead of `{fenced_name}`, and leaves its fence: {why}"
            );
            let path = format!("rules[{}].match.pathPrefix", open.min(fenced));
            findings.note_policy(&MER020, &path, message, MER020.instead);
        }
    }
}

fn name_of(file: &PolicyFile, rule: usize) -> &str {
    file.policy.rules().get(rule).map_or("default", |rule: &Rule| &rule.name)
}

/// The first header that a client may bring.
fn untrusted(matches: &RuleMatch) -> Option<(usize, &str)> {
    let header = matches.headers.iter().enumerate().find(|(_, header)| !header.trusted);
    header.map(|(index, header)| (index, header.name.as_str()))
}

/// Whether some request, however its path is spelt, is what both ask for.
fn may_meet(one: &RuleMatch, other: &RuleMatch) -> bool {
    let methods = one.methods.is_empty()
        || other.methods.is_empty()
        || one.methods.iter().any(|method| other.methods.contains(method));
    let apart = |name: &str, value: &str| one.headers.iter().any(|header| header.name == name && header.exact != value);
    methods && !other.headers.iter().any(|header| apart(&header.name, &header.exact))
}

/// Whether every path of the second is one of the first.
fn covers(first: &RuleMatch, second: &RuleMatch) -> bool {
    let prefix = first.path_prefix.as_str();
    prefix.is_empty() || prefix == "/" || second.path_prefix.starts_with(prefix)
}
