//! What would be applied, and what the lint says of it before it is.

use anyhow::{Context, Result, ensure};
use meridian::istio::{self, Module, Options, Source};
use meridian::lint;
use meridian::policy_file::PolicyFile;

use super::{POLICY, REMOTE};
use crate::paths;

/// The code of a plan without a subset.
const NO_SUBSET: &str = "MER001";

/// Renders the policy for both clusters, and lints that whole and without the other cluster's subsets.
pub(super) fn lint_without_subsets() -> Result<String> {
    let folder = tempfile::tempdir().context("No temporary folder could be made.")?;
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, POLICY)?;
    let file = PolicyFile::load_for_the_mesh(&policy)?;
    let module = Module::load(&paths::module()?, "/etc/meridian")?;
    let options = Options {
        gateways: vec!["istio-system/ingress".to_owned()],
        module: Some(Source::File(module)),
        ..Options::default()
    };
    let out = folder.path().join("out");
    for (path, text) in istio::render(&file, &options)?.iter() {
        let path = out.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(&out))?;
        std::fs::write(path, text)?;
    }
    let missing = || -> Result<Vec<lint::Finding>> {
        let findings = lint::lint(&file, &out)?.findings;
        Ok(findings.into_iter().filter(|finding| finding.code == NO_SUBSET).collect())
    };
    let whole = missing()?;
    ensure!(whole.is_empty(), "of what is rendered the lint says {whole:?}");
    std::fs::remove_dir_all(out.join(REMOTE.cluster).join("subsets")).context("No subsets are rendered.")?;
    let found = missing()?;
    let there = |finding: &&lint::Finding| format!("{finding:?}").contains(REMOTE.cluster);
    let found = found.iter().filter(there).count();
    ensure!(found > 0, "the lint does not see that {} has no subsets", REMOTE.cluster);
    Ok(format!("the lint names {found} plans that lack theirs in {} ({NO_SUBSET})", REMOTE.cluster))
}
