//! Ctrl-C, for the programs of the harness.
//!
//! The kernel ends the processes of a run that is interrupted either way; what would stay is its folder. So a program
//! wraps its work: when a person has seen enough, the work is dropped as if it had ended, and everything it owns goes.

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Does `work` until it ends or the program is asked to: then there is no answer.
///
/// # Errors
/// Those of `work`, or when signals cannot be listened to.
pub async fn unless_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C cannot be listened to.")?;
    let mut terminate = signal(SignalKind::terminate()).context("The signal to end cannot be listened to.")?;
    tokio::select! {
        done = work => done.map(Some),
        _ = interrupt.recv() => Ok(None),
        _ = terminate.recv() => Ok(None),
    }
}
