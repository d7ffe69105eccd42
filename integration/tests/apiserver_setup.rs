//! What a person sees where Kubernetes' API server cannot be built, and what a caller can rely on.

use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use anyhow::{Context as _, Result};
use integration::paths;

const SENTENCE: &str = "Kubernetes is built with Go, which is not installed: install Go and run this again.\n";

/// The script on a machine whose `PATH` holds the tools that every machine has, and no Go.
fn without_go(arguments: &[&str]) -> Result<Output> {
    let path = tempfile::tempdir()?;
    for tool in ["dirname", "awk", "cat"] {
        let found = Command::new("/bin/bash").args(["-c", &format!("command -v {tool}")]).output()?;
        symlink(String::from_utf8(found.stdout)?.trim(), path.path().join(tool))?;
    }
    let script = paths::workspace().join("integration/setup/apiserver.sh");
    let mut command = Command::new("/bin/bash");
    command
        .arg(script)
        .args(arguments)
        .env("PATH", path.path())
        .output()
        .context("bash is needed for the setup scripts")
}

#[test]
fn a_missing_go_is_one_plain_sentence_and_a_status_of_its_own() -> Result<()> {
    let output = without_go(&[])?;
    assert_eq!(output.status.code(), Some(2), "callers skip on this");
    assert_eq!(String::from_utf8(output.stderr)?, SENTENCE);
    Ok(())
}

#[test]
fn where_it_is_optional_a_missing_go_is_said_and_is_no_failure() -> Result<()> {
    let output = without_go(&["optional"])?;
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(
        said,
        format!("{SENTENCE}-- without Go: what an API server would say of an installation is not tried\n")
    );
    Ok(())
}
