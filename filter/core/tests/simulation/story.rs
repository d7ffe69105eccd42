//! What happened, as facts: what the checks see, and what is printed of a story that broke one.

use crate::fault::Fault;
use meridian_core::health::Change;
use std::collections::VecDeque;
use std::fmt;

/// So many facts are told of a story that broke a check.
const LAST: usize = 40;

/// Something that happened. Requests, gateways, workers and regions are numbers.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// A client sent a request, and its gateway decided.
    Sent {
        request: usize,
    },
    /// A try went to a region.
    Tried {
        request: usize,
        region: usize,
    },
    /// A client has its answer; `by`: the region that answered.
    Answered {
        request: usize,
        status: u16,
        by: Option<usize>,
    },
    /// A client went away.
    Aborted {
        request: usize,
    },
    /// A gateway's worker said that a cell changed.
    Changed {
        gateway: usize,
        worker: usize,
        change: Change,
    },
    /// A worker is about to tick.
    Ticks {
        gateway: usize,
        worker: usize,
    },
    /// A worker's VM was made anew.
    Restarted {
        gateway: usize,
        worker: usize,
    },
    /// A gateway's wall clock jumped by so many milliseconds.
    Stepped {
        gateway: usize,
        by: i64,
    },
    Began {
        fault: Fault,
    },
    Ended {
        fault: Fault,
    },
}

/// How much is told: telling costs more than all else, so a story that breaks nothing is not told at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    Nothing,
    /// The end, if it ends badly.
    Last,
    /// All of it, as it happens.
    Aloud,
}

/// The last lines of what happened.
#[derive(Debug)]
pub(crate) struct Story {
    telling: Telling,
    lines: VecDeque<String>,
}

impl Story {
    pub(crate) fn new(telling: Telling) -> Self {
        Self { telling, lines: VecDeque::new() }
    }

    pub(crate) fn tell(&mut self, at: u64, line: impl FnOnce() -> String) {
        if self.telling == Telling::Nothing {
            return;
        }
        let line = format!("{:>9.3} s  {}", at as f64 / 1_000.0, line());
        if self.telling == Telling::Aloud {
            println!("{line}");
        }
        if self.lines.len() == LAST {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
