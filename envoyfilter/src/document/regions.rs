//! `regions` and `fences`.

use super::{HeaderValue, Label, RegionName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A unit of routing and health: one or more Istio clusters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Region {
    /// The region, as its nodes name it in topology.kubernetes.io/region.
    #[schemars(extend("examples" = ["eu-west-1"]))]
    pub name: Label,
    /// The Istio clusters (CLUSTER_ID) that make up the region.
    #[schemars(length(min = 1))]
    pub clusters: Vec<HeaderValue>,
    /// What responses are tagged with. Default: the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<HeaderValue>,
    /// Other spellings a client may ask with, in any case.
    #[serde(default)]
    pub aliases: Vec<HeaderValue>,
}

/// Regions that a rule may not leave, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("minItems" = 1))]
pub struct Fence(pub Vec<RegionName>);
