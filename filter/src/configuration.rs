//! A configuration as the host hands it over: read, compiled, and told of in the log.

use crate::abi;
use meridian_core::{LocalHints, Policy, Problem, Role, Severity, UnknownKeys, compile};

/// A configuration that is one.
pub(crate) struct Configuration {
    pub(crate) policy: Policy,
    /// How many of its keys nobody knows.
    pub(crate) warnings: usize,
}

/// Reads the plugin configuration, of so many bytes. What is wrong with one that is refused is in the log.
pub(crate) fn read(size: usize) -> Option<Configuration> {
    match policy(size) {
        Ok((policy, warnings)) => {
            for warning in &warnings {
                log::warn!("configuration: {warning}");
            }
            let local = policy.local().map_or("none", |region| policy.region_name(region));
            if policy.role() == Role::Inbound && policy.local().is_none() {
                log::warn!("configuration: this node is in no region of the policy, so its answers go untagged");
            }
            log::info!(
                "revision {:04x}: {} regions, {} services, {} hosts, local region {local}",
                policy.revision(),
                policy.regions().len(),
                policy.services().len(),
                policy.virtual_hosts().len(),
            );
            Some(Configuration { policy, warnings: warnings.len() })
        }
        Err(problems) => {
            let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
            log::error!("configuration refused, {} errors", errors.clone().count());
            for problem in errors {
                log::error!("configuration: {problem}");
            }
            None
        }
    }
}

fn policy(size: usize) -> Result<(Policy, Vec<Problem>), Vec<Problem>> {
    let whole =
        |message: String| vec![Problem { path: String::new(), message, suggestion: None, severity: Severity::Error }];
    let bytes = abi::configuration(size)
        .map_err(|failed| whole(format!("the host did not hand over the plugin configuration ({failed:?})")))?;
    let document = serde_json::from_slice(&bytes)
        .map_err(|error| whole(format!("the plugin configuration is not JSON: {error}")))?;
    let cluster_id = node(b"xds\0node\0metadata\0CLUSTER_ID");
    let locality_region = node(b"xds\0node\0locality\0region");
    let namespace = node(b"xds\0node\0metadata\0NAMESPACE");
    let hints = LocalHints {
        cluster_id: cluster_id.as_deref(),
        locality_region: locality_region.as_deref(),
        namespace: namespace.as_deref(),
    };
    compile(&document, UnknownKeys::Warn, &hints)
}

/// A property of this node, as text.
fn node(path: &[u8]) -> Option<String> {
    let bytes = abi::property(path).ok().flatten()?;
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}
