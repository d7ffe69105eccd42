//! `stage`, `shadow` and `verify`: to try before acting, and to trust nobody's word for it.

use super::Rule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far the policy acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Stage {
    /// Nothing is rendered but the filter, which counts what it would have done.
    Observe,
    /// The native table acts; the filter counts where it would have done otherwise.
    Native,
    /// Both act.
    #[default]
    Enforce,
}

impl From<meridian_core::Stage> for Stage {
    fn from(stage: meridian_core::Stage) -> Self {
        match stage {
            meridian_core::Stage::Observe => Self::Observe,
            meridian_core::Stage::Native => Self::Native,
            meridian_core::Stage::Enforce => Self::Enforce,
        }
    }
}

/// Rules to try on the same traffic, counted and never acted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Shadow {
    /// In place of `rules`; the rest of the policy is the same.
    pub rules: Vec<Rule>,
}

/// What becomes of answers that cannot be right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Verify {
    /// An answer whose tag the control plane's data contradicts, or that comes from outside the plan it was sent with.
    pub on_mismatch: OnMismatch,
}

/// What becomes of an answer that cannot be right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum OnMismatch {
    /// It is counted, and passed on.
    #[default]
    Count,
    /// It is counted, and the client gets a 502 instead.
    Block,
}

impl From<meridian_core::OnMismatch> for OnMismatch {
    fn from(on_mismatch: meridian_core::OnMismatch) -> Self {
        match on_mismatch {
            meridian_core::OnMismatch::Count => Self::Count,
            meridian_core::OnMismatch::Block => Self::Block,
        }
    }
}
