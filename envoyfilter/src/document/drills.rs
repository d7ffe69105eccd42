//! `drills`.

use super::{Label, RegionName, ServiceName, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A region that is taken away from a share of the requests between two times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Drill {
    /// Unique in the policy.
    #[schemars(extend("examples" = ["q4"]))]
    pub name: Label,
    /// The region that is taken away.
    pub region: RegionName,
    /// From these services. Empty: all.
    #[serde(default)]
    pub services: Vec<ServiceName>,
    /// From how many of their requests, in percent.
    #[schemars(range(min = 1, max = 100))]
    pub percent: u8,
    /// From then on.
    pub from: Time,
    /// Until then.
    pub until: Time,
}
