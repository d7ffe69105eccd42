//! What a request does at the border between Envoy and the module: entries into the VM, and calls out of it.
//!
//! Each costs between a tenth of a microsecond and two, and together they are nearly all that a filter costs, so their number is what to
//! look at when a figure is too high; and unlike a time it is the same on every machine. Envoy writes each down at its lowest log level.
//! Ticks, and what other threads do meanwhile, belong to no request.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use crate::arms::Cell;
use crate::stage::Stage;
use crate::wire::Pace;

/// Of so many requests; more than one in how many responses is looked at in full.
const REQUESTS: u32 = 320;
/// What enters a VM for no request.
const APART: [&str; 4] = ["proxy_on_tick", "proxy_on_queue_ready", "proxy_on_http_call_response", "proxy_on_configure"];

/// Per request, on average.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calls {
    /// Entries into the VM by name, those among them by which the host asks for memory.
    pub entries: BTreeMap<String, f64>,
    /// Calls of the host by name.
    pub host: BTreeMap<String, f64>,
}

impl Calls {
    /// Counts them.
    ///
    /// # Errors
    /// When the arm answers wrongly, or Envoy does not say what it does.
    pub async fn count(stage: &Stage, cell: &Cell) -> Result<Self> {
        let level = async |level: &str| stage.envoy().admin("POST", &format!("/logging?wasm={level}")).await;
        let before = stage.envoy().log().len();
        ensure!(level("trace").await?.status == 200, "Envoy does not change its log level.");
        let tally = stage.wire().send(&cell.traffic, Pace::Closed { connections: 1 }, u64::from(REQUESTS)).await?;
        level("info").await?;
        tally.all_right()?;
        let log = stage.envoy().log();
        let mut calls = read(log.get(before..).unwrap_or_default(), stage.worker()?.thread());
        for count in calls.entries.values_mut().chain(calls.host.values_mut()) {
            *count /= f64::from(REQUESTS);
        }
        Ok(calls)
    }
}

/// Counts in the lines of one thread.
fn read(log: &str, thread: u32) -> Calls {
    let (mut calls, mut depth, mut apart) = (Calls::default(), 0_u32, false);
    let thread = format!("[{thread}]");
    for line in log.lines().filter(|line| line.contains(&thread)) {
        let said = |mark: &str| {
            let (_, after) = line.split_once(mark)?;
            after.split(['(', ' ']).next()
        };
        if let Some(name) = said("[host->vm] ") {
            if depth == 0 {
                apart = APART.contains(&name);
            }
            depth += 1;
            if !apart {
                *calls.entries.entry(name.to_owned()).or_default() += 1.0;
            }
        } else if said("[host<-vm] ").is_some() {
            depth = depth.saturating_sub(1);
        } else if let Some(name) = said("[vm->host] ")
            && !apart
        {
            *calls.host.entry(name.to_owned()).or_default() += 1.0;
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_its_own_thread_does_apart_from_ticks() {
        let log = "[2026-11-21 09:00:00.000][7][trace][wasm] [host->vm] proxy_on_request_headers(2, 9, 1)\n\
                   [2026-11-21 09:00:00.000][7][trace][wasm] [vm->host] env.proxy_get_header_map_value(0, 1, 2, 3, 4)\n\
                   [2026-11-21 09:00:00.000][8][trace][wasm] [host->vm] proxy_on_tick(1)\n\
                   [2026-11-21 09:00:00.000][7][trace][wasm] [host->vm] malloc(12)\n\
                   [2026-11-21 09:00:00.000][7][trace][wasm] [host<-vm] malloc return: 4096\n\
                   [2026-11-21 09:00:00.000][7][trace][wasm] [vm<-host] env.proxy_get_header_map_value return: 0\n\
                   [2026-11-21 09:00:00.000][7][trace][wasm] [host<-vm] proxy_on_request_headers return: 0\n\
                   [2026-11-21 09:00:00.000][7][trace][wasm] [host->vm] proxy_on_tick(1)\n\
                   [2026-11-21 09:00:00.000][7][trace][wasm] [vm->host] env.proxy_get_current_time_nanoseconds(1)\n\
                   [2026-11-21 09:00:00.000][7][trace][wasm] [host<-vm] proxy_on_tick return: void\n";
        let calls = read(log, 7);
        let names = |of: &BTreeMap<String, f64>| of.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&calls.entries), ["malloc", "proxy_on_request_headers"]);
        assert_eq!(names(&calls.host), ["env.proxy_get_header_map_value"]);
    }
}
