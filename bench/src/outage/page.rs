//! `bench/OUTAGES.md`: the figures, where they come from, and what people have remarked about them.

use std::fmt::Write;
use std::time::Duration;

use super::{Arm, Goal, Place, Row, Way, goals};

/// What comes after it in the file is written by people, and kept.
const REMARKS: &str = "## Remarks";

/// All that was measured.
#[derive(Clone, Debug)]
pub struct Page {
    place: Place,
    rows: Vec<(Way, Arm, Row)>,
}

impl Page {
    /// A page of these figures.
    #[must_use]
    pub fn new(place: Place, rows: Vec<(Way, Arm, Row)>) -> Self {
        Self { place, rows }
    }

    /// Every goal that these figures can tell of.
    #[must_use]
    pub fn goals(&self) -> Vec<Goal> {
        self.ways().into_iter().flat_map(|way| goals(way, &self.of(way))).collect()
    }

    /// The tables and the goals, for a terminal.
    #[must_use]
    pub fn figures(&self) -> String {
        let tables = self.ways().into_iter().map(|way| table(way, &self.of(way)));
        format!("{}{}{}", summary(&self.rows), tables.collect::<String>(), goal_table(&self.goals()))
    }

    /// The whole file, with the remarks that the `old` one has.
    #[must_use]
    pub fn text(&self, old: &str) -> String {
        let remarks = old.find(REMARKS).and_then(|start| old.get(start..)).unwrap_or("## Remarks\n\nNone yet.\n");
        let facts: String = self.place.facts().iter().map(|fact| format!("- {fact}\n")).collect();
        let arms: String = Arm::ALL.iter().map(|arm| format!("- **{}**: {}\n", arm.name(), arm.text())).collect();
        format!("{INTRODUCTION}\n{facts}\n## Arms\n\n{arms}\n{COLUMNS}\n{}\n{remarks}", self.figures())
    }

    fn ways(&self) -> Vec<Way> {
        Way::ALL.into_iter().filter(|way| self.rows.iter().any(|(known, ..)| known == way)).collect()
    }

    fn of(&self, way: Way) -> Vec<(Arm, Row)> {
        let rows = self.rows.iter().filter(|(known, ..)| *known == way);
        rows.map(|(_, arm, row)| (*arm, row.clone())).collect()
    }
}

const INTRODUCTION: &str = "# Outages

Written by `make outages`, as measured. Two regions, an ingress of two workers in the one that is lost, and behind every arm a mesh of its
own: real Envoys (ingress, sidecars, east-west gateways) and applications that count what reaches them. Open requests (200 GETs a second,
half of them ask for each region) may be served anywhere; fenced ones (20 a second) only in the region that is lost. The region is lost
for 12 s. Timeout 5 s, two retries of 1 s each, ejection after 5 errors for 3 s times the number of times, in all arms; Meridian's warm-up
is 10 s. Whatever the fenced requests get while their region is lost, they must not be served elsewhere.
";
const COLUMNS: &str = "## Figures

- **as asked**: requests that were served where they asked to be, while all was well.
- **failed**: open requests that got no answer below 400, from the loss to the end, of all that were sent.
- **outside**: fenced requests that reached a service outside the fence, counted there, of all that were sent.
- **late**: open requests that got their answer after more than half a second, from the loss to the end.
- **move**: from the loss until a whole second of requests for the lost region is served elsewhere, each within half a second.
- **p99**: what 99 of 100 requests for the lost region waited at most while it was lost.
- **load**: requests that reached the survivor's service while the region was lost, for each that was sent. All of them there once is 1.
- **return**: from the moment the region serves until the first whole second in which it has 95 % of its requests.
- **jump**: the largest step from one second to the next of its share of them, in points of a hundred.
";

/// Each arm over all outages: what it cost together, and the worst of what is a time or a step.
fn summary(rows: &[(Way, Arm, Row)]) -> String {
    let mut text =
        "### all outages\n\n| | failed | outside | late | slowest return | largest jump |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for arm in Arm::ALL {
        let of: Vec<_> = rows.iter().filter(|(_, known, _)| *known == arm).map(|(.., row)| row).collect();
        if of.is_empty() {
            continue;
        }
        let sum = |count: fn(&Row) -> usize| of.iter().map(|row| count(row)).sum::<usize>();
        let outside: u64 = of.iter().map(|row| row.outside).sum();
        let slowest =
            of.iter().map(|row| row.to_return).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
        let jump = 100.0 * of.iter().map(|row| row.jump).fold(0.0, f64::max);
        let (failed, sent, fenced, late) =
            (sum(|row| row.failed), sum(|row| row.sent), sum(|row| row.fenced), sum(|row| row.late));
        let (name, slowest) = (arm.name(), after(slowest));
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "| {name} | {failed} of {sent} | {outside} of {fenced} | {late} | {slowest} | {jump:.0} |");
    }
    text + "\n"
}

fn table(way: Way, rows: &[(Arm, Row)]) -> String {
    let mut text = format!("### {}\n\n{}\n\n", way.name(), way.text());
    text += "| | as asked | failed | outside | late | move | p99 | load | return | jump |\n|---|---|---|---|---|---|---|---|---|---|\n";
    for (arm, row) in rows {
        let (asked, jump) = (100.0 * row.as_asked, 100.0 * row.jump);
        let (to_move, to_return, p99) = (after(row.to_move), after(row.to_return), seconds(row.p99));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {asked:.0} % | {} of {} | {} of {} | {} | {to_move} | {p99} | {:.2} | {to_return} | {jump:.0} |",
            arm.name(),
            row.failed,
            row.sent,
            row.outside,
            row.fenced,
            row.late,
            row.survivor_load,
        );
    }
    text + "\n"
}

fn goal_table(goals: &[Goal]) -> String {
    let line = |goal: &Goal| {
        let held = if goal.held { "held" } else { "**missed**" };
        format!("| {} | {} | {} | {held} |\n", goal.way, goal.what, goal.seen)
    };
    let lines: String = goals.iter().map(line).collect();
    format!("## Goals\n\n| outage | what must hold of Meridian | seen | |\n|---|---|---|---|\n{lines}")
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn after(time: Option<Duration>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let row = Row {
            failed: 3,
            sent: 400,
            fenced: 40,
            late: 7,
            to_move: Some(Duration::from_millis(1250)),
            ..Row::default()
        };
        let rows = [Arm::Subsets, Arm::Meridian].map(|arm| (Way::Frozen, arm, row.clone()));
        Page::new(Place::unknown(), rows.to_vec())
    }

    #[test]
    fn a_line_tells_never_as_never_and_a_missed_goal_as_missed() {
        let text = page().text("");
        let line = "| Meridian | 0 % | 3 of 400 | 0 of 40 | 7 | 1.2 s | 0.00 s | 0.00 | never | 0 |";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("| frozen | no GET fails | 3 of 400 | **missed** |"), "{text}");
    }

    #[test]
    fn all_outages_together_are_the_sum_of_what_was_counted_and_the_worst_of_the_rest() {
        let mut page = page();
        page.rows.push((Way::Slow, Arm::Meridian, Row { failed: 1, sent: 100, jump: 0.25, ..Row::default() }));
        assert!(page.text("").contains("| Meridian | 4 of 500 | 0 of 40 | 7 | never | 25 |"), "{}", page.text(""));
    }

    #[test]
    fn remarks_outlive_the_figures() {
        let first = page().text("");
        let remarked = first.replace("None yet.", "The machine was busy.");
        assert!(first.contains("None yet."));
        assert_eq!(page().text(&remarked), remarked);
    }
}
