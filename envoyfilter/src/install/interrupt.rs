//! Ctrl-C, noticed between two steps.
//!
//! A step that is cut in the middle leaves a cluster in a state that nobody has named. So the first Ctrl-C (or SIGTERM) is only
//! noted, and the run ends where a step ends; `kubectl` is in a process group of its own and does not see it. A second one ends us.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Whether somebody asked to stop.
#[derive(Debug)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on.
    pub(super) fn listen() -> Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down and only raises it.
            flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&came))
                .context("Ctrl-C cannot be listened to")?;
            flag::register(signal, Arc::clone(&came)).context("Ctrl-C cannot be listened to")?;
        }
        Ok(Self(came))
    }

    /// Whether it came.
    pub(super) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
