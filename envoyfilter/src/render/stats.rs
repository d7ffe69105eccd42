//! Tags of the filter's metrics, taken out of their names again.
//!
//! The filter names metrics as Istio's own Wasm extensions do (`service=.=productpage;.;meridian_...`). In Istio `extraStatTags` makes
//! Prometheus labels of that; a plain Envoy wants the same expressions in its bootstrap.

use crate::envoy::{StatsConfig, TagSpecifier};

const TAGS: [&str; 12] =
    ["service", "region", "from", "to", "reason", "cause", "rule", "call", "worker", "chosen", "served", "result"];

pub(super) fn config() -> Option<StatsConfig> {
    let tag = |name: &&str| TagSpecifier { tag_name: (*name).to_owned(), regex: format!(r"({name}=\.=(.*?);\.;)") };
    Some(StatsConfig { stats_tags: TAGS.iter().map(tag).collect() })
}
