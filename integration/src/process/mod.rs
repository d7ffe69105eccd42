//! Child processes that cannot outlive the run.
//!
//! A harness that leaves Envoys behind poisons the next run, so ending them is not left to good behaviour: the kernel
//! kills each child when the run dies, however it dies. Each child has its own process group, so that Ctrl-C
//! in a terminal reaches only us, who then stop the mesh in order. The output of a child goes to a file in the run's
//! folder, and whoever waits for a child that died is told its last lines.

mod spawn;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How often a state is looked at while waiting for it.
pub(crate) const POLL: Duration = Duration::from_millis(15);
const GRACE: Duration = Duration::from_secs(2);
const LAST_LINES: usize = 12;

/// A supervised child: one command, started as often as needed.
#[derive(Debug)]
pub struct Process {
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// Starts a command; its output goes to `NAME.log` in `folder`.
    ///
    /// # Errors
    /// When the command cannot be started or its log not be written.
    pub fn start<A: Into<OsString>>(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        folder: &Path,
    ) -> Result<Self> {
        let process = Self {
            name: name.to_owned(),
            program: program.to_path_buf(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            log: folder.join(format!("{name}.log")),
            child: Mutex::new(None),
        };
        process.launch()?;
        Ok(process)
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// Everything it has written so far, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Starts it again, if it does not run.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(&self) -> Result<()> {
        let mut child = self.child();
        if child.is_some() {
            return Ok(());
        }
        let output = self.open_log().with_context(|| format!("The log of {} cannot be written.", self.name))?;
        *child = Some(spawn::spawn(&self.program, &self.arguments, output).with_context(|| {
            format!("{} cannot be started: is `setpriv` (package util-linux) installed?", self.name)
        })?);
        Ok(())
    }

    /// Asks it to end, and ends it if it does not within two seconds. Nothing to do if it does not run.
    ///
    /// # Errors
    /// When the kernel refuses to tell whether it ended.
    pub async fn stop(&self) -> Result<()> {
        self.signal(Signal::SIGTERM);
        self.signal(Signal::SIGCONT);
        let deadline = Instant::now() + GRACE;
        while self.exited()?.is_none() {
            if Instant::now() > deadline {
                self.kill();
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        self.child().take();
        Ok(())
    }

    /// Ends it at once, as a lost machine would.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
        if let Some(mut child) = self.child().take() {
            // The signal cannot be refused, so this only collects the remains.
            let _ = child.wait();
        }
    }

    /// Stops its clock: its sockets stay open and nobody answers.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Waits until `probe` is true, looking again and again.
    ///
    /// # Errors
    /// When it dies meanwhile, or `within` is over: both with the last lines of its log.
    pub async fn ready(&self, within: Duration, mut probe: impl AsyncFnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.exited()? {
                self.child().take();
                bail!("{} ended while it was starting ({status}). Its last lines:\n{}", self.name, self.last_lines());
            }
            if probe().await {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} was not ready after {within:?}. Its last lines:\n{}", self.name, self.last_lines());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The end of its log.
    #[must_use]
    pub fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(LAST_LINES);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    fn exited(&self) -> Result<Option<ExitStatus>> {
        match self.child().as_mut() {
            Some(child) => child.try_wait().with_context(|| format!("{} cannot be waited for.", self.name)),
            None => Ok(Some(ExitStatus::default())),
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid().and_then(|pid| i32::try_from(pid).ok()) {
            // An error means that it is gone already, which is what was wanted or will be noticed by who waits.
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &Path) -> Process {
        Process::start("child", Path::new("/bin/sh"), ["-c", script], folder).unwrap()
    }

    fn alive(pid: u32) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn a_child_that_dies_tells_its_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let child = shell("echo cannot bind port; exit 3", folder.path());
        let error = child.ready(Duration::from_secs(5), async || false).await.unwrap_err().to_string();
        assert!(error.contains("ended while it was starting (exit status: 3)"), "{error}");
        assert!(error.contains("cannot bind port"), "{error}");
    }

    #[tokio::test]
    async fn a_frozen_child_can_still_be_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let child = shell("echo up; while :; do sleep 0.01; done", folder.path());
        child.ready(Duration::from_secs(5), async || child.log().contains("up")).await.unwrap();
        let pid = child.pid().unwrap();
        child.freeze();
        child.stop().await.unwrap();
        assert!(!alive(pid) && child.pid().is_none());
        child.launch().unwrap();
        child.ready(Duration::from_secs(5), async || child.log().matches("up").count() == 2).await.unwrap();
    }

    #[tokio::test]
    async fn a_child_outlives_the_thread_that_asked_for_it_but_not_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_path_buf();
        let child = std::thread::spawn(move || shell("echo up; exec sleep 60", &path)).join().unwrap();
        child.ready(Duration::from_secs(5), async || child.log().contains("up")).await.unwrap();
        let pid = child.pid().unwrap();
        assert!(alive(pid));
        drop(child);
        assert!(!alive(pid));
    }
}
