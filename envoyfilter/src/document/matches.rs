//! `rules[].match`.

use super::{ClaimName, HeaderName, HeaderValue, Host, Method, PathPrefix, ServiceName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which requests a rule is about; what is absent or empty matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Match {
    /// One of these services. Empty: all.
    pub services: Vec<ServiceName>,
    /// One of these hosts. Empty: all.
    pub hosts: Vec<Host>,
    /// The path begins with this, byte for byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<PathPrefix>,
    /// One of these methods. Empty: all.
    pub methods: Vec<Method>,
    /// All of these headers.
    pub headers: Vec<HeaderMatch>,
    /// All of these claims of a checked token; at a gateway.
    pub claims: Vec<ClaimMatch>,
}

/// A header that must have one exact value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct HeaderMatch {
    /// The header.
    pub name: HeaderName,
    /// Its one value.
    pub exact: HeaderValue,
    /// The mesh sets it and the edge strips it; a rule with a fence asks for this.
    #[serde(default)]
    pub trusted: bool,
}

/// A claim of a token that Envoy's `jwt_authn` has checked (Istio: `RequestAuthentication`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct ClaimMatch {
    /// The claim.
    pub claim: ClaimName,
    /// Its value, or one of its list.
    pub value: HeaderValue,
}
