//! The tag of the serving side.

use super::patch::{self, Context, envoy_filter};
use crate::envoy::HeaderValueOption;
use serde_json::Value;

/// Who sets the tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tag {
    /// Envoy itself, a fixed value in each cluster's folder.
    #[default]
    Native,
    /// The filter, which knows its cluster.
    Filter,
    /// Nobody here.
    Off,
}

/// Tags every answer of a namespace's sidecars.
pub(in crate::istio) fn native(namespace: &str, header: &str, display_name: &str) -> Value {
    // Envoy reads `%` as the begin of a command.
    let header = HeaderValueOption::overwrite(header, display_name.replace('%', "%%"));
    let header = serde_json::to_value(header).unwrap_or_default();
    envoy_filter("meridian-tag", namespace, None, vec![patch::answer(Context::Inbound, header)])
}
