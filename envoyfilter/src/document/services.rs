//! `services`.

use super::{Host, Label, OneHost, ProbePath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The scope of health, and what native routes are made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Service {
    /// Unique in the policy.
    #[schemars(extend("examples" = ["productpage"]))]
    pub name: Label,
    /// The hosts it answers for: a DNS name, `*.` and a DNS name, or `*`.
    #[schemars(length(min = 1))]
    pub hosts: Vec<Host>,
    /// Where its requests go natively.
    pub destination: Destination,
    /// What the filter asks it in every region, so that no client has to find out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
}

/// A question to a service: a GET.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Probe {
    /// Its path.
    pub path: ProbePath,
}

/// Istio's `Destination`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Destination {
    /// A host of the service registry, e.g. productpage.bookinfo.svc.cluster.local.
    pub host: OneHost,
    /// Its port.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: u16,
}
