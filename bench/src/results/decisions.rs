//! What a decision costs, by how much there is to decide about.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, anyhow};
use meridian_core::decide::decide;
use meridian_core::health::Health;
use meridian_core::request::RequestFacts;

use crate::statistics::Spread;
use crate::{NOW, document, ejected, policy, request};

/// Regions, and hosts with a rule each.
const SIZES: [(usize, usize); 7] = [(2, 1), (10, 1), (100, 1), (1_000, 1), (2, 100), (2, 1_000), (1_000, 1_000)];
const ROUNDS: u32 = 9;
const DECISIONS: u32 = 20_000;

/// The table, from the core compiled for this machine.
pub(super) fn section() -> Result<String> {
    let mut text = format!(
        "## What a decision costs\n\
         The core alone, compiled for this machine and not for WebAssembly; the median of {ROUNDS} rounds of {DECISIONS} decisions, and how often it is the\n\
         first row. Reading and compiling the policy is in the last column.\n\n\
         | regions | hosts with rules | no region header | region header | failover | configure |\n|---|---|---|---|---|---|\n"
    );
    let mut base = None;
    for (regions, hosts) in SIZES {
        let row = row(regions, hosts)?;
        let first = *base.get_or_insert(row);
        let [healthy, header, failover, configure] = row;
        let times = |now: f64, first: f64| format!("{now:.0} ns ({:.2} ×)", now / first);
        let [base_healthy, base_header, base_failover, _] = first;
        let (healthy, header) = (times(healthy, base_healthy), times(header, base_header));
        let failover = times(failover, base_failover);
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "| {regions} | {hosts} | {healthy} | {header} | {failover} | {:.2} ms |", configure / 1e6);
    }
    Ok(text)
}

/// Nanoseconds without and with a region header, during a failover, and of a whole configuration.
fn row(regions: usize, hosts: usize) -> Result<[f64; 4]> {
    let document = document(regions, hosts);
    let configure = median(1, || {
        let _ = black_box(policy(&document));
    });
    let policy = policy(&document).map_err(|problems| anyhow!("The measured policy does not compile: {problems:?}"))?;
    let (plain, pinned) = (request(hosts, None), request(hosts, Some("ALIAS-1")));
    let (calm, lost) = (Health::default(), ejected(&policy, hosts));
    let time = |headers: &Vec<(&'static str, String)>, health: &Health| {
        median(DECISIONS, || {
            black_box(decide(&policy, health, &RequestFacts::new(black_box(headers)), NOW, 0));
        })
    };
    Ok([time(&plain, &calm), time(&pinned, &calm), time(&plain, &lost), configure])
}

/// Nanoseconds each.
fn median(times: u32, mut work: impl FnMut()) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        (0..times).for_each(|_| work());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(times)
    });
    Spread::of(rounds).map_or(0.0, |spread| spread.median)
}
