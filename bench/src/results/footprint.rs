//! What a filter costs that serves nobody.

use std::fmt::Write;

use super::goals::Goals;
use crate::arms::Name;
use crate::footprint::Footprint;

/// The table; the plain listener's own is taken off.
pub(super) fn section(plain: Footprint, rows: &[(Name, Footprint)]) -> String {
    let mut text = "## Start and memory, for each worker\n\
        Above the plain listener. Configured: the CPU time of a worker until Envoy was ready, which is its VM made and the policy read and compiled.\n\
        Resident: what each further worker adds to the process, by the kernel. Linear: the memory of one VM that the module can use.\n\n\
        | arm | configured | resident | linear |\n|---|---|---|---|\n"
        .to_owned();
    for (name, footprint) in rows {
        let linear = footprint.linear.map_or_else(String::new, |kib| format!("{kib:.0} KiB"));
        let (configured, resident) = (footprint.configured - plain.configured, footprint.resident - plain.resident);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} | {configured:.1} ms | {resident:.0} KiB | {linear} |", name.title());
    }
    text
}

/// The goals that are about it.
pub(super) fn goals(plain: Footprint, rows: &[(Name, Footprint)], goals: &mut Goals) {
    let large = rows.iter().find(|(name, _)| *name == Name::Size(1_000, 1));
    if let Some((name, footprint)) = large {
        let configured = footprint.configured - plain.configured;
        let what = format!("{}: configured within 50 ms", name.title());
        goals.add(&what, "", configured <= 50.0, &format!("{configured:.1} ms"));
    }
}
