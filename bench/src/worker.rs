//! Envoy's worker thread as the kernel accounts for it.
//!
//! The process as a whole also flushes statistics and answers its admin; what a request costs is what the worker ran. The kernel's
//! scheduler counts that in nanoseconds (`schedstat`), where the usual counters of a process count in hundredths of a second.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// A worker of an Envoy.
#[derive(Clone, Debug)]
pub struct Worker {
    process: u32,
    thread: u32,
}

impl Worker {
    /// Finds them among the threads of a process.
    ///
    /// # Errors
    /// When there are others than so many.
    pub fn all(process: u32, count: u32) -> Result<Vec<Self>> {
        let mut workers = Vec::new();
        for task in fs::read_dir(format!("/proc/{process}/task")).context("The Envoy is gone.")? {
            let task = task?;
            // A thread that has ended meanwhile is no worker.
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            if name.starts_with("wrk:worker") {
                let thread = task.file_name().to_str().and_then(|number| number.parse().ok());
                workers.extend(thread.map(|thread| Self { process, thread }));
            }
        }
        ensure!(u32::try_from(workers.len()) == Ok(count), "The Envoy has {} workers and not {count}.", workers.len());
        Ok(workers)
    }

    /// Its number in the kernel.
    #[must_use]
    pub fn thread(&self) -> u32 {
        self.thread
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

    /// Asks the kernel to let it, and `other`, run before whatever else the machine does, or no longer; whether that is allowed.
    #[must_use]
    pub fn goes_first(&self, other: u32, first: bool) -> bool {
        let (class, priority) = if first { ("--rr", "1") } else { ("--other", "0") };
        [self.thread, other].iter().all(|thread| {
            let asked = Command::new("chrt").args([class, "-p", priority, &thread.to_string()]).output();
            asked.is_ok_and(|asked| asked.status.success())
        })
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
