//! What a request costs, and whether that is what was aimed at.

use std::fmt::Write;

use super::goals::Goals;
use super::spread;
use crate::arms::{Name, Situation};
use crate::cpu::{Effort, Figures};

/// What an arm should cost at most: so many times what another adds.
struct Goal {
    name: Name,
    situations: &'static [Situation],
    times: f64,
    of: Name,
}

const IN_PEACE: &[Situation] = &[Situation::Default, Situation::Pinned];
const LOST: &[Situation] = &[Situation::LostDefault, Situation::LostPinned];

const GOALS: [Goal; 4] = [
    Goal { name: Name::Everything, situations: IN_PEACE, times: 1.0, of: Name::Empty },
    Goal { name: Name::Everything, situations: IN_PEACE, times: 0.5, of: Name::Lua },
    Goal { name: Name::Everything, situations: LOST, times: 1.0, of: Name::Lua },
    Goal { name: Name::Plans, situations: &[Situation::Pinned], times: 1.0, of: Name::Lua },
];

/// The table of costs.
pub(super) fn section(figures: &Figures, effort: Effort) -> String {
    let Effort { rounds, slices, requests } = effort;
    format!(
        "## What a request costs\n\
         Microseconds of the worker thread's own CPU time a request, by the kernel's scheduler; {rounds} rounds, in each of which every row is asked\n\
         {slices} times {requests} requests on 16 connections in turns. A round's figure is the median of its turns; here is the median of the rounds,\n\
         with the least and the most. Over plain is against the same request through the plain listener; a failover is compared with the same\n\
         request in peace, since nobody else has one.\n\n{}",
        table(figures)
    )
}

fn table(figures: &Figures) -> String {
    let mut text =
        "| arm | request | µs | over plain | × empty filter | × Lua |\n|---|---|---|---|---|---|\n".to_owned();
    for name in Name::ALL {
        for situation in Situation::ALL {
            let Some(cost) = figures.cost(name, situation) else { continue };
            let (addition, empty, lua) = match name {
                Name::Plain => Default::default(),
                _ => (
                    figures.addition(name, situation),
                    figures.ratio(name, situation, Name::Empty).filter(|_| name != Name::Empty),
                    figures.ratio(name, situation, Name::Lua).filter(|_| name != Name::Lua),
                ),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                name.title(),
                situation.title(),
                spread(Some(cost), 1),
                spread(addition, 1),
                spread(empty, 2),
                spread(lua, 2)
            );
        }
    }
    text
}

/// The goals that are about it.
pub(super) fn goals(figures: &Figures, goals: &mut Goals) {
    for goal in &GOALS {
        let other = if goal.of == Name::Lua { "Lua's" } else { "the empty filter's" };
        for situation in goal.situations {
            let Some(ratio) = figures.ratio(goal.name, *situation, goal.of) else { continue };
            let what = format!("{}: at most {:.1} × {other} addition", goal.name.title(), goal.times);
            let is = format!("{} ×", spread(Some(ratio), 2));
            goals.add(&what, situation.title(), ratio.median <= goal.times, &is);
        }
    }
}
