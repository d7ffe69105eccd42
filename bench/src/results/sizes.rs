//! What a request costs by how much there is to decide about.

use std::fmt::Write;

use super::goals::Goals;
use super::spread;
use crate::arms::{Name, SIZES, Situation};
use crate::cpu::{Effort, Figures};
use crate::statistics::Spread;

/// The table.
pub(super) fn section(figures: &Figures, effort: Effort) -> String {
    let Effort { rounds, slices, requests } = effort;
    let mut text = format!(
        "## What a request costs, by the size of the policy\n\
         As above ({rounds} rounds of {slices} times {requests} requests), for the last host of policies with `table: plans`, so that the filter decides about each\n\
         request and writes the plan of a region that is asked for.\n\n\
         | policy | no region header: over plain, µs | × the smallest | region header: over plain, µs | × the smallest |\n|---|---|---|---|---|\n"
    );
    for name in SIZES {
        let columns = [Situation::Default, Situation::Pinned].map(|situation| {
            let addition = figures.addition(name, situation);
            let ratio: Option<Spread> = SIZES.first().and_then(|first: &Name| figures.ratio(name, situation, *first));
            format!("{} | {}", spread(addition, 1), spread(ratio, 2))
        });
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} | {} |", name.title(), columns.join(" | "));
    }
    text
}

/// The goals that are about it. Nothing that is measured is ever quite the same twice.
pub(super) fn goals(figures: &Figures, goals: &mut Goals) {
    let largest = SIZES.last().zip(SIZES.first());
    for situation in [Situation::Default, Situation::Pinned] {
        let ratio = largest.and_then(|(last, first)| figures.ratio(*last, situation, *first));
        if let Some(ratio) = ratio {
            let what = "the addition at 1,000 regions and 1,000 hosts: at most 1.2 × that at 2 and 1";
            goals.add(what, situation.title(), ratio.median <= 1.2, &format!("{} ×", spread(Some(ratio), 2)));
        }
    }
}
