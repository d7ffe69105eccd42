//! `shadow`: rules that are tried on the same traffic and never acted on.

use super::builder::Builder;
use super::reader::Object;
use super::rules;
use crate::ids::RegionId;
use crate::policy::Stage;

/// Reads `shadow.rules` in place of `rules`, for a policy that differs in nothing else.
pub(super) fn read(root: &Object<'_>, builder: &Builder, local: Option<RegionId>, stage: Stage) -> Option<Builder> {
    let node = root.get("shadow")?;
    let shadow = node.object(&["rules"])?;
    shadow.required("rules")?;
    if stage != Stage::Enforce {
        // Both would be counted under one name, and nobody could tell which was meant.
        node.error_with("has nothing to be held against while the policy itself is not acted on", "`stage: enforce`");
    }
    let mut builder = builder.clone();
    rules::read(&shadow, &mut builder, local);
    Some(builder)
}
