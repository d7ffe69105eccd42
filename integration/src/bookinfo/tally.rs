//! The count of what reached an instance, kept where a crash cannot take it.
//!
//! The count is the proof that nothing left its fence, so it must be readable when the instance is frozen or killed, and
//! must go on where it was after a restart. Hence a file: eight bytes, overwritten with each request before anything is
//! answered. One process counts on one thread, so nothing is lost between the read and the write.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};

/// A count, in memory or in a file as well.
#[derive(Debug, Default)]
pub struct Tally {
    count: AtomicU64,
    file: Option<File>,
}

impl Tally {
    /// Goes on with the count in the file, or from zero.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn in_file(path: &Path) -> Result<Self> {
        let count = AtomicU64::new(Self::read(path));
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("{} cannot be written.", path.display()))?;
        Ok(Self { count, file: Some(file) })
    }

    /// The count in a file, whoever is counting; zero if nobody has begun.
    #[must_use]
    pub fn read(path: &Path) -> u64 {
        let bytes = std::fs::read(path).ok();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes).unwrap_or_default()
    }

    /// How many so far.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// One more.
    ///
    /// # Errors
    /// When the file cannot be written: then the count is worth nothing, and the request must not look served.
    pub(super) fn count(&self) -> Result<()> {
        let seen = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        match &self.file {
            Some(file) => file.write_all_at(&seen.to_le_bytes(), 0).context("The count cannot be written."),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_goes_on_after_a_restart_and_is_read_from_outside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tally");
        assert_eq!(Tally::read(&path), 0);
        for expected in 1..=3 {
            let tally = Tally::in_file(&path).unwrap();
            tally.count().unwrap();
            assert_eq!((tally.seen(), Tally::read(&path)), (expected, expected));
        }
    }
}
