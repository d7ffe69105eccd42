//! Envoy's worker thread as the kernel accounts for it.
//!
//! The process as a whole also flushes statistics and answers its admin; what a request costs is what the worker ran. The kernel's
//! scheduler counts that in nanoseconds (`schedstat`), where the usual counters of a process count in hundredths of a second.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// The worker of an Envoy that has one.
#[derive(Clone, Debug)]
pub struct Worker {
    process: u32,
    thread: u32,
}

impl Worker {
    /// Finds it among the threads of a process.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn of(process: u32) -> Result<Self> {
        let mut workers = Vec::new();
        for task in fs::read_dir(format!("/proc/{process}/task")).context("The Envoy is gone.")? {
            let task = task?;
            // A thread that has ended meanwhile is no worker.
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            if name.starts_with("wrk:worker") {
                workers.extend(task.file_name().to_str().and_then(|number| number.parse::<u32>().ok()));
            }
        }
        ensure!(workers.len() == 1, "The Envoy has {} workers, and one can be measured.", workers.len());
        Ok(Self { process, thread: workers.pop().context("The Envoy has no worker.")? })
    }

    /// How long it has run on a processor.
    ///
    /// # Errors
    /// When it is gone, or the kernel does not count.
    pub fn ran(&self) -> Result<Duration> {
        let path = format!("/proc/{}/task/{}/schedstat", self.process, self.thread);
        let counted = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read."))?;
        let nanoseconds = counted.split_whitespace().next().and_then(|first| first.parse().ok());
        Ok(Duration::from_nanos(nanoseconds.with_context(|| format!("{path} holds no time: {counted:?}"))?))
    }

    /// Gives it the last processor and `other`, a thread of this program, the first, so that neither moves and neither takes from the
    /// other. Nothing happens on a machine with one.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn part_from(&self, other: u32) -> Result<()> {
        let last = std::thread::available_parallelism()?.get() - 1;
        if last > 0 {
            for (thread, processor) in [(self.thread, last), (other, 0)] {
                let mut set = CpuSet::new();
                set.set(processor)?;
                sched_setaffinity(Pid::from_raw(i32::try_from(thread)?), &set)?;
            }
        }
        Ok(())
    }
}
