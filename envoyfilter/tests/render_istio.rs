//! What is rendered for Istio: the same bytes as were reviewed, the same meaning as the routes that were there, and no way out of a
//! fence, whatever the policy.

// What the tests share may fail them as they may themselves.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "render_istio/golden.rs"]
mod golden;
#[path = "render_istio/manifests.rs"]
mod manifests;
#[path = "render_istio/meaning.rs"]
mod meaning;
#[path = "render_istio/properties.rs"]
mod properties;
#[path = "render_istio/refusals.rs"]
mod refusals;
