//! `explain`.

use super::Sha256;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who is told why a request went where it went. Absent: nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Explain {
    /// The SHA-256 of a key: a request that shows the key in `x-region-explain` is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_sha256: Option<Sha256>,
    /// Tells everybody whose request did not simply get what it asked for: for laptops and demos.
    pub public: bool,
}

impl From<&meridian_core::Explain> for Explain {
    fn from(explain: &meridian_core::Explain) -> Self {
        let digest = explain.key.as_ref().map(|key| Sha256(key.to_hex()));
        Self { key_sha256: digest, public: explain.public }
    }
}
