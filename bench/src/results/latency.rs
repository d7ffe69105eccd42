//! How long requests take.

use std::fmt::Write;

use super::spread;
use crate::arms::Situation;
use crate::latency::{Effort, Latencies, NAMES};

/// The table.
pub(super) fn section(latencies: &Latencies, effort: Effort) -> String {
    let Effort { rounds, requests, rate } = effort;
    let shared = if latencies.undisturbed() {
        "It and Envoy's worker ran before whatever else the machine did."
    } else {
        "It and Envoy's worker shared the machine with whatever else it did."
    };
    let mut text = format!(
        "## How long a request takes\n\
         Microseconds from when a request was due, at {rate} requests a second whatever becomes of them; {rounds} rounds of {requests} requests, arm after arm.\n\
         The median of the rounds, with the least and the most. The sender is the upstream as well. {shared}\n\n\
         | arm | request | p50 | p99 | p99.9 |\n|---|---|---|---|---|\n"
    );
    for name in NAMES {
        for situation in Situation::ALL {
            let Some(shares) = latencies.of(name, situation) else { continue };
            let [half, most, nearly_all] = shares.map(|share| spread(Some(share), 0));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} | {} | {half} | {most} | {nearly_all} |", name.title(), situation.title());
        }
    }
    text
}
