//! Whom the filter concerns: requests for a host of the policy. All others are kept out of the VM by Envoy itself.
//!
//! A gateway or a sidecar has more hosts than a policy knows, and a module in the chain is entered for each of their requests, only to find
//! out that it has nothing to say. So the plugin stands inside a matcher (`ExtensionWithMatcher`) that skips it, request and answer,
//! unless the `:authority` can be one that the policy's own table of hosts finds (`meridian_core::Policy::virtual_host`). Whether it is
//! one remains the filter's business: a request that is needlessly let in costs what it always did, one that is wrongly kept out
//! is not decided. Therefore each host is one comparison, wider than the filter's own:
//! - `page.example.com` is whatever begins so, in any case: a port, what stands where one would, and a dot at the end are behind it;
//! - `*.example.com` is whatever holds `.example.com`;
//! - a name of the registry, which only sidecars know, is its first label, as all its shorter forms begin so. Which of them an
//!   application may use depends on its namespace, and in the root namespace a resource is for all of them.
//!
//! The plugin stays bare where skipping would be wrong or dear: at `*`, which every host is; with `onMismatch: block`, which is about every
//! answer that passes; for the serving side's tag, which is on every answer; and above [`LIMIT`] comparisons. In a `WasmPlugin` Istio has
//! no room for a matcher.
//!
//! What is skipped has the native table and nothing else, and the filter never decided about it either way. But it looked at the answers,
//! and there three things are different: an answer without a tag is not given one, an explanation that somebody upstream wrote is not taken
//! out, and nothing is learned from requests that reach a service of the policy by an address, or by a name that the policy does not know.
//! What a client may not bring is taken out natively, with the filter and without it.

use super::patch::Context;
use crate::envoy::{Predicate, StringMatch, StringMatcher};
use meridian_core::{OnMismatch, Policy};

/// So many comparisons at most. Envoy makes one after the other and copies the header for each, some tens of nanoseconds, so this many are
/// about half a microsecond: less than half of what the two entries into the VM cost a request that does not concern the filter
/// (`bench/RESULTS.md`, for one comparison), and the most that one that does pays for the others.
const LIMIT: usize = 16;

/// What is true of every request that the filter may have to decide about; `None` where it has to see all.
pub(super) fn predicate(policy: &Policy, context: Context) -> Option<Predicate> {
    let matchers = authorities(policy, context)?.into_iter().map(Authority::into_matcher);
    let mut matchers = matchers.collect::<Vec<_>>().into_iter();
    let first = matchers.next()?;
    Some(Predicate::header(":authority", first, matchers))
}

/// The least number of comparisons that all hosts of the policy meet.
fn authorities(policy: &Policy, context: Context) -> Option<Vec<Authority>> {
    if context == Context::Inbound || policy.on_mismatch() == OnMismatch::Block {
        return None;
    }
    let mut least: Vec<Authority> = Vec::new();
    for service in policy.services() {
        let registry = (context == Context::Outbound).then(|| Authority::of_registry(&service.destination.host));
        for authority in service.hosts.iter().map(|host| Authority::of_host(host)).chain(registry.map(Some)) {
            let authority = authority?;
            if !least.iter().any(|known| known.covers(&authority)) {
                least.retain(|known| !authority.covers(known));
                least.push(authority);
            }
        }
    }
    (least.len() <= LIMIT).then_some(least)
}

/// A comparison with an `:authority`, in any ASCII case.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Authority {
    Begins(String),
    Holds(String),
}

impl Authority {
    /// `None` for `*`.
    fn of_host(pattern: &str) -> Option<Self> {
        match pattern.strip_prefix('*') {
            Some("") => None,
            Some(suffix) => Some(Self::Holds(suffix.to_owned())),
            None => Some(Self::Begins(pattern.to_owned())),
        }
    }

    fn of_registry(host: &str) -> Self {
        let short = host.strip_suffix(".svc.cluster.local").and_then(|name| name.split('.').next());
        Self::Begins(short.unwrap_or(host).to_owned())
    }

    /// Whether whatever meets `other` meets this one as well.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Begins(wide), Self::Begins(narrow)) => narrow.starts_with(wide),
            (Self::Holds(wide), Self::Begins(narrow) | Self::Holds(narrow)) => narrow.contains(wide),
            (Self::Begins(_), Self::Holds(_)) => false,
        }
    }

    fn into_matcher(self) -> StringMatcher {
        let pattern = match self {
            Self::Begins(text) => StringMatch::Prefix(text),
            Self::Holds(text) => StringMatch::Contains(text),
        };
        StringMatcher { pattern, ignore_case: true }
    }
}

#[cfg(test)]
mod tests;
