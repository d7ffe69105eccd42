//! On what it was measured.

use std::fs;
use std::process::Command;

use anyhow::Result;
use integration::envoy::EnvoyVersion;
use integration::paths;

/// The machine, and everything that has a version.
pub(super) fn section(version: &EnvoyVersion) -> Result<String> {
    let module = fs::metadata(paths::module()?)?.len();
    let empty = fs::metadata(paths::workspace().join("target/empty-filter.wasm")).map_or(0, |file| file.len());
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
        ("its module", format!("{:.1} KiB ({module} bytes)", kib(module))),
        ("the empty filter's", format!("{:.1} KiB, by the proxy-wasm SDK for Rust {}", kib(empty), sdk())),
    ];
    let rows: String = rows.iter().map(|(what, value)| format!("| {what} | {value} |\n")).collect();
    Ok(format!("| | |\n|---|---|\n{rows}"))
}

#[allow(clippy::cast_precision_loss)]
fn kib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
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
