//! What an arm costs, item by item: what was counted, times what each thing costs by itself.

use std::fmt::Write;

use crate::arms::{Name, Situation, Step};
use crate::calls::Calls;
use crate::cpu::Figures;

/// The host calls with a price, and the step that has it.
const PRICED: [(&str, Step); 7] = [
    ("get_header_map_pairs", Step::Pairs),
    ("get_current_time_nanoseconds", Step::Time),
    ("increment_metric", Step::Count),
    ("get_shared_data", Step::Shared),
    ("get_property", Step::Property),
    ("set_property", Step::State),
    ("replace_header_map_value", Step::Write),
];

/// Prices in microseconds, as medians.
struct Prices<'a>(&'a Figures);

impl Prices<'_> {
    fn of(&self, name: Name, situation: Situation) -> Option<f64> {
        self.0.addition(name, situation).map(|addition| addition.median)
    }

    /// What the step adds to callbacks that return at once.
    fn step(&self, step: Step, situation: Situation) -> Option<f64> {
        let more = self.0.difference(Name::Step(step), situation, Name::Step(Step::Both))?;
        Some(more.median)
    }

    /// What so many questions for a header cost. Of several, all but the first are for one that is not there.
    fn headers(&self, asked: f64, situation: Situation) -> Option<f64> {
        let (one, two) = (self.step(Step::Header, situation)?, self.step(Step::Headers, situation)?);
        Some(asked.min(1.0) * one + (asked - 1.0).max(0.0) * (two - one))
    }

    /// The items of an arm in the order of the table.
    fn items(&self, name: Name, situation: Situation, calls: &Calls) -> Option<[f64; 5]> {
        let asked = situation.in_peace();
        let called = |wanted: &str| {
            let counts = calls.host.iter().filter(|(call, _)| call.trim_start_matches("env.proxy_") == wanted);
            counts.map(|(_, count)| count).sum::<f64>()
        };
        let price = |(call, step): &(&str, Step)| Some(called(call) * self.step(*step, asked)?);
        let (pairs, others) = PRICED.split_first()?;
        Some([
            self.of(if name == Name::Minimal { Name::MinimalTable } else { Name::Table }, asked)?,
            self.of(Name::Step(Step::Both), asked)?,
            self.headers(called("get_header_map_value"), asked)?,
            price(pairs)?,
            others.iter().map(price).sum::<Option<f64>>()?,
        ])
    }
}

/// The table, of the arms whose native table was measured by itself.
pub(super) fn section(figures: &Figures, rows: &[(Name, Situation, Calls)], parts: &Figures) -> String {
    let prices = Prices(parts);
    let mut text = "## Where it goes\n\
        What each arm adds to the plain listener, in microseconds: its native table as measured without a filter, a filter that is entered twice and\n\
        returns at once, and its calls of the host, as many as were counted, for what each costs by itself. The rest is the module's own code and\n\
        what the parts cost more together than alone: caches are shared, and a header that is written is matched against the whole table.\n\n\
        | arm | request | over plain | table | context, two entries | header or none | all headers | other calls | rest |\n\
        |---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for (name, situation, calls) in rows {
        if ![Name::Minimal, Name::Everything, Name::Unshadowed].contains(name) {
            continue;
        }
        let (Some(whole), Some(items)) = (figures.addition(*name, *situation), prices.items(*name, *situation, calls))
        else {
            continue;
        };
        let rest = whole.median - items.iter().sum::<f64>();
        let columns: Vec<_> = items.iter().chain([&rest]).map(|item| format!("{item:.1}")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} | {} |",
            name.title(),
            situation.title(),
            whole.median,
            columns.join(" | ")
        );
    }
    text
}
