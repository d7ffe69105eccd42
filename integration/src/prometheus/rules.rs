//! The alert rules that users get, and the one place where a test makes them faster.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::paths;

/// Where the rules are, in the workspace.
pub const FOLDER: &str = "envoyfilter/alerts";

/// How long a rule waits and looks back for users, and for a drill that nobody waits ten minutes for. All else stays as it is.
const FASTER: [(&str, &str); 3] = [("for: 1m", "for: 1s"), ("[5m]", "[3s]"), ("offset 5m", "offset 3s")];

/// The rules with the times of a drill.
///
/// # Errors
/// When they cannot be read, or have times that are not known here.
pub fn faster() -> Result<String> {
    let path: PathBuf = paths::workspace().join(FOLDER).join("meridian.rules.yaml");
    let rules = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read.", path.display()))?;
    for (slow, _) in FASTER {
        ensure!(rules.contains(slow), "No rule says `{slow}` any more: say here what it says now.");
    }
    Ok(FASTER.iter().fold(rules, |rules, (slow, fast)| rules.replace(slow, fast)))
}
