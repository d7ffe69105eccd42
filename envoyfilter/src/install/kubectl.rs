//! `kubectl`, always told which cluster.

use super::journal::Stop;
use std::io::{ErrorKind, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

const PROGRAM: &str = "kubectl";
/// No answer of an API server takes this long; one that is gone must not hold us up.
const REQUEST_TIMEOUT: &str = "--request-timeout=30s";
/// Whose fields the applied ones are.
const MANAGER: &str = "--field-manager=meridian";

/// One cluster.
#[derive(Clone, Debug)]
pub(super) struct Kubectl {
    context: String,
}

/// What a call said.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// The exit code; none if a signal ended it.
    pub(super) code: Option<i32>,
    /// Its answer.
    pub(super) stdout: String,
    /// Its complaints.
    pub(super) stderr: String,
}

impl Said {
    /// Whether it did what it was asked.
    pub(super) fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// Why not, in its own words.
    pub(super) fn why(&self) -> String {
        let errors: Vec<&str> = self.stderr.lines().filter(|line| !line.trim().is_empty() && !is_log(line)).collect();
        let words = if errors.is_empty() { self.stdout.trim().to_owned() } else { errors.join("\n") };
        if words.is_empty() { "kubectl gave no reason".to_owned() } else { words }
    }
}

/// Whether a line is of kubectl's own log (`E1121 00:46:32.2 …`), which says the same again and worse.
fn is_log(line: &str) -> bool {
    let mut letters = line.chars();
    letters.next().is_some_and(|level| "EWI".contains(level))
        && letters.by_ref().take(4).all(|digit| digit.is_ascii_digit())
        && letters.next() == Some(' ')
}

/// Calls it without a cluster, for what its own configuration knows.
pub(super) fn alone(arguments: &[&str]) -> Result<Said, Stop> {
    call(arguments, None)
}

impl Kubectl {
    /// The cluster of a context.
    pub(super) fn new(context: &str) -> Self {
        Self { context: context.to_owned() }
    }

    /// The context.
    pub(super) fn context(&self) -> &str {
        &self.context
    }

    /// Calls it in this cluster.
    pub(super) fn run(&self, arguments: &[&str], input: Option<&str>) -> Result<Said, Stop> {
        call(&[&["--context", self.context(), REQUEST_TIMEOUT], arguments].concat(), input)
    }

    /// Applies resources as ours.
    pub(super) fn apply(&self, resources: &str, dry_run: bool, take_over: bool) -> Result<Said, Stop> {
        let mut arguments = vec!["apply", "--server-side", MANAGER];
        if take_over {
            arguments.push("--force-conflicts");
        }
        if dry_run {
            arguments.push("--dry-run=server");
        }
        arguments.extend(["-f", "-"]);
        self.run(&arguments, Some(resources))
    }

    /// Compares resources with what the cluster has: 0 the same, 1 not, more an error.
    pub(super) fn diff(&self, resources: &str, take_over: bool) -> Result<Said, Stop> {
        let mut arguments = vec!["diff", "--server-side", MANAGER];
        if take_over {
            arguments.push("--force-conflicts");
        }
        arguments.extend(["-f", "-"]);
        self.run(&arguments, Some(resources))
    }

    /// Those of these resources that the cluster has.
    pub(super) fn get(&self, resources: &str) -> Result<Said, Stop> {
        self.run(&["get", "--ignore-not-found", "-o", "json", "-f", "-"], Some(resources))
    }
}

fn call(arguments: &[&str], input: Option<&str>) -> Result<Said, Stop> {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn();
    let mut child = child.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Stop::failed("kubectl is not installed", "install kubectl and run this again"),
        _ => Stop::failed(format!("kubectl cannot be run: {error}"), "check that it is a program you may run"),
    })?;
    let (pipe, text) = (child.stdin.take(), input.map(str::to_owned));
    // Beside the reading, because a program may answer before it has read all.
    let writer = std::thread::spawn(move || {
        if let (Some(mut pipe), Some(text)) = (pipe, text) {
            // One that reads no more says why itself.
            drop(pipe.write_all(text.as_bytes()));
        }
    });
    let output = child.wait_with_output();
    let output = output.map_err(|error| Stop::failed(format!("kubectl was lost: {error}"), "run this again"))?;
    drop(writer.join());
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_kubectl_says_and_not_its_log() {
        let log = "E1121 00:46:32.216976    8713 memcache.go:265] \"Unhandled Error\" err=\"refused\"\n";
        let said = |stderr: String| Said { code: Some(1), stdout: "no\n".to_owned(), stderr };
        assert_eq!(said(format!("{log}Error: no\n\nEven so\n")).why(), "Error: no\nEven so");
        assert_eq!(said(log.to_owned()).why(), "no");
    }
}
