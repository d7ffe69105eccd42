//! The policy document as types: every key, its shape, its default and a sentence.
//!
//! The reader in `meridian-core` stays the judge of a document: it knows names, fences and sums, answers with every error at once, and
//! is made small for the module that ships. These types are for everything around it that wants the document as a whole. The JSON
//! Schema is made from them ([`schema`](crate::schema)), the sentences in it are the comments here, and a compiled policy is written
//! back as one ([`Document::from`]). Defaults are the core's own wherever it has a type for them. Tests hold the types and the reader
//! equal: key by key, value by value, and by the way from a policy to its document and back.

mod drills;
mod explain;
mod from_policy;
mod headers;
mod health;
mod matches;
mod names;
mod regions;
mod rules;
mod services;
mod stage;
mod text;

pub use drills::Drill;
pub use explain::Explain;
pub use headers::Headers;
pub use health::{ActiveHealthCheck, FailurePercentage, OutlierDetection, Warmup};
pub use matches::{ClaimMatch, HeaderMatch, Match};
pub use names::Names;
pub use regions::{Fence, Region};
pub use rules::{Failover, OnUnknownRegion, Rescue, Rule, Share, WhenExhausted};
pub use services::{Destination, Probe, Service};
pub use stage::{OnMismatch, Shadow, Stage, Verify};
pub use text::{
    ClaimName, Duration, FenceName, HeaderName, HeaderValue, Host, Label, Method, OneHost, PathPrefix, ProbePath,
    RegionName, ServiceName, Sha256, Time,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which region serves each request, and where it may never go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Meridian policy")]
pub struct Document {
    /// The version of this document.
    pub api_version: ApiVersion,
    /// Where the filter sits.
    pub role: Role,
    /// The region this Envoy runs in. Absent: by its CLUSTER_ID, else by its locality, else none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<RegionName>,
    /// The header a client may ask with.
    #[serde(default = "region_header")]
    pub region_header: HeaderName,
    /// The units of routing and health, in order of preference.
    #[schemars(length(min = 1))]
    pub regions: Vec<Region>,
    /// Named sets of regions, in order, that a rule may not leave.
    #[serde(default)]
    pub fences: Names<FenceName, Fence>,
    /// The scope of health, and what native routes are made for.
    #[schemars(length(min = 1))]
    pub services: Vec<Service>,
    /// The first that matches decides. None: asked, else local, else the first region.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// When a region is ejected for a service, and for how long.
    #[serde(default)]
    pub outlier_detection: OutlierDetection,
    /// How services that have a probe are asked.
    #[serde(default)]
    pub active_health_check: ActiveHealthCheck,
    /// How a region comes back.
    #[serde(default)]
    pub warmup: Warmup,
    /// Regions that are taken away on purpose, to see that nobody notices.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub drills: Vec<Drill>,
    /// How much of the policy the native table holds.
    #[serde(default)]
    pub table: Table,
    /// How far the policy acts.
    #[serde(default)]
    pub stage: Stage,
    /// Rules to try on the same traffic, counted and never acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
    /// What becomes of answers that cannot be right.
    #[serde(default)]
    pub verify: Verify,
    /// Other names for the mesh's own headers, which no client may bring.
    #[serde(default)]
    pub headers: Headers,
    /// Who may see which cluster served a request.
    #[serde(default)]
    pub tag: Tag,
    /// Who is told why a request went where it went. Absent: nobody.
    #[serde(default)]
    pub explain: Explain,
    /// Keys that a filter too old to know them must refuse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub critical: Vec<String>,
}

fn region_header() -> HeaderName {
    "region".into()
}

/// The version of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum ApiVersion {
    /// The first.
    #[serde(rename = "meridian/v1")]
    V1,
}

/// Where the filter sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Role {
    /// An edge proxy.
    Gateway,
    /// A sidecar's calls.
    Outbound,
    /// A sidecar's answers, which it only tags.
    Inbound,
}

/// How much of the policy the native table holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Table {
    /// Rules, spellings and plans.
    #[default]
    Full,
    /// Plans only, for many regions or spellings.
    Plans,
}

/// Who may see which cluster served a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Tag {
    /// Whether clients see the tag; false: the gateways take it out of answers.
    pub public: bool,
}

impl Default for Tag {
    fn default() -> Self {
        Self { public: true }
    }
}
