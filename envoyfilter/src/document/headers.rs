//! `headers`. Defaults are those of `meridian-core`.

use super::HeaderName;
use meridian_core::HeaderNames;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Other names for the mesh's own headers, which no client may bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Headers {
    /// On answers: the displayName of the cluster that served it.
    pub served_by: HeaderName,
    /// On answers: what was decided, and why.
    pub decision: HeaderName,
    /// Inside the gateway: the plan.
    pub route: HeaderName,
    /// On requests: the key of who may ask why.
    pub explain: HeaderName,
}

impl Default for Headers {
    fn default() -> Self {
        Self::from(&HeaderNames::default())
    }
}

impl From<&HeaderNames> for Headers {
    fn from(names: &HeaderNames) -> Self {
        let HeaderNames { served_by, decision, route, explain } = names;
        let name = |name: &String| name.as_str().into();
        Self { served_by: name(served_by), decision: name(decision), route: name(route), explain: name(explain) }
    }
}
