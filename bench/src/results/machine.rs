//! On what it was measured.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use integration::envoy::EnvoyVersion;
use integration::paths;

/// The machine, and everything that has a version.
pub(super) fn section(version: &EnvoyVersion) -> Result<String> {
    let module = module()?;
    let empty = kib(&paths::workspace().join("target/empty-filter.wasm"))?;
    let rows = [
        ("date", said("date", &["--utc", "+%Y-%m-%d %H:%M UTC"])),
        ("processor", processor()),
        ("processors", std::thread::available_parallelism()?.to_string()),
        ("kernel", said("uname", &["-sr"])),
        ("load when it began", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()),
        ("Envoy", format!("{}, one worker", version.as_str())),
        (
            "Meridian",
            said("git", &["-C", &paths::workspace().display().to_string(), "describe", "--always", "--dirty"]),
        ),
        ("its module", format!("{module:.1} KiB")),
        ("the empty filter's", format!("{empty:.1} KiB, by the proxy-wasm SDK for Rust {}", sdk())),
    ];
    let rows: String = rows.iter().map(|(what, value)| format!("| {what} | {value} |\n")).collect();
    Ok(format!("| | |\n|---|---|\n{rows}"))
}

/// The size of Meridian's module, in KiB.
pub(super) fn module() -> Result<f64> {
    kib(&paths::module()?)
}

#[allow(clippy::cast_precision_loss)]
fn kib(file: &Path) -> Result<f64> {
    Ok(fs::metadata(file).with_context(|| format!("{} is not there.", file.display()))?.len() as f64 / 1024.0)
}

/// The model, as the kernel names it.
pub(crate) fn processor() -> String {
    let known = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = known.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown".to_owned(), |(_, model)| model.to_owned())
}

/// The version of the SDK in the lock file.
fn sdk() -> String {
    let lock = fs::read_to_string(paths::workspace().join("Cargo.lock")).unwrap_or_default();
    let after = lock.split_once("name = \"proxy-wasm\"\nversion = \"").map(|(_, after)| after);
    after.and_then(|after| after.split('"').next()).unwrap_or("unknown").to_owned()
}

/// What a command says; nothing if it cannot be asked.
pub(crate) fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
