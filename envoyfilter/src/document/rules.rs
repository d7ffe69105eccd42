//! `rules`.

use super::{Duration, FenceName, Label, Match, Method, Names, RegionName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which requests it is about, and what holds for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Rule {
    /// Unique in the policy; `default` is the implied last rule.
    #[schemars(extend("examples" = ["eu-residents"]))]
    pub name: Label,
    /// Which requests it is about. Absent: all.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// No route of this rule leads out of these regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<FenceName>,
    /// Where to go instead. Absent: the other regions of the fence, in order.
    #[serde(default)]
    pub failover: Vec<Failover>,
    /// Shares in percent, adding up to 100, for requests that ask for no region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribute: Option<Names<RegionName, Share>>,
    /// The whole request ends by then.
    #[serde(default = "timeout")]
    pub timeout: Duration,
    /// What Envoy tries again by itself, inside the fence. Absent: the user's own retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescue: Option<Rescue>,
    /// What becomes of a request for a region that does not exist.
    #[serde(default)]
    pub on_unknown_region: OnUnknownRegion,
    /// What becomes of a request when no region is usable.
    #[serde(default)]
    pub when_exhausted: WhenExhausted,
}

fn timeout() -> Duration {
    "15s".into()
}

/// Where the requests that want a region go instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Failover {
    /// The wanted region.
    pub from: RegionName,
    /// Where to go instead, in order. Empty: nowhere.
    pub to: Vec<RegionName>,
}

/// A share of requests, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Share(#[schemars(range(min = 1, max = 100))] pub u8);

/// What Envoy tries again by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Rescue {
    /// Tries after the first.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u32,
    /// One try ends by then.
    pub per_try_timeout: Duration,
    /// Requests that may be sent twice.
    #[schemars(length(min = 1))]
    pub methods: Vec<Method>,
}

impl Default for Rescue {
    fn default() -> Self {
        Self { attempts: 2, per_try_timeout: "1s".into(), methods: vec!["GET".into(), "HEAD".into()] }
    }
}

/// What becomes of a request for a region that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub enum OnUnknownRegion {
    /// As if none were asked for.
    #[default]
    Ignore,
    /// It is answered with 400.
    Reject,
}

/// What becomes of a request when no region is usable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub enum WhenExhausted {
    /// The wanted one is tried all the same.
    #[default]
    Preferred,
    /// It is answered with 503.
    Fail,
}
