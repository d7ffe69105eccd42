//! Where a filter's cost goes: what it does at its border with Envoy.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::arms::{Name, Situation};
use crate::calls::Calls;

/// The table.
pub(super) fn section(rows: &[(Name, Situation, Calls)]) -> String {
    let mut text = "## What happens at the border\n\
        What a request does at the border between Envoy and the module, on average, by Envoy's own trace. A call that\n\
        returns a value is an entry as well, by which the host asks for memory.\n\n\
        | arm | request | entries | host calls | which |\n|---|---|---|---|---|\n"
        .to_owned();
    for (name, situation, calls) in rows {
        let sum = |of: &BTreeMap<String, f64>| of.values().fold(0.0, |sum, count| sum + count);
        let named = |(name, count): (&String, &f64)| {
            let name = name.trim_start_matches("env.").trim_start_matches("proxy_");
            if (count - 1.0).abs() < 0.005 { name.to_owned() } else { format!("{count:.2} × {name}") }
        };
        let which: Vec<_> = calls.entries.iter().chain(&calls.host).map(named).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {:.2} | {:.2} | {} |",
            name.title(),
            situation.title(),
            sum(&calls.entries),
            sum(&calls.host),
            which.join(", ")
        );
    }
    text
}
