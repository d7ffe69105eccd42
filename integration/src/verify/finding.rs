//! What was found, for people and for machines.

use std::fmt::{Display, Formatter};

use anyhow::Result;
use serde::Serialize;

const HELD: &str = "held";
const FAILED: &str = "failed";
const NOT_ASKED: &str = "not asked";
/// Of the table's columns: number, verdict, what was asked, what was seen.
const WIDTHS: [usize; 4] = [2, 9, 40, 76];

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its number.
    pub number: u8,
    /// What has to hold.
    pub name: &'static str,
    /// Whether it does.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Whether something holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "seen", rename_all = "camelCase")]
pub enum Verdict {
    /// It does; what was seen.
    Held(String),
    /// It does not; what was seen instead.
    Failed(String),
    /// It cannot be asked here; why.
    NotAsked(String),
}

impl Verdict {
    /// It cannot be asked here.
    pub(super) fn not_asked(why: &str) -> Self {
        Self::NotAsked(why.to_owned())
    }

    /// In a word, with what was seen or why nothing was.
    fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Held(seen) => (HELD, seen),
            Self::Failed(seen) => (FAILED, seen),
            Self::NotAsked(why) => (NOT_ASKED, why),
        }
    }
}

/// What an assertion saw if it holds, or why it does not.
impl From<Result<String>> for Verdict {
    fn from(result: Result<String>) -> Self {
        match result {
            Ok(seen) => Self::Held(seen),
            Err(why) => Self::Failed(format!("{why:#}")),
        }
    }
}

/// The head of the table that findings are the rows of.
#[must_use]
pub fn head() -> String {
    let head = row(["#", "verdict", "what was asked", "what was seen"].map(|word| vec![word.to_owned()]));
    format!("{head}\n{}", "-".repeat(WIDTHS.iter().sum::<usize>() + 2 * (WIDTHS.len() - 1)))
}

/// A row of the table; what is too long for its column goes on below.
impl Display for Finding {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        let (word, seen) = self.verdict.words();
        // What a mesh says must not reach a terminal as it is.
        let seen: String = seen.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        let [.., asked_width, seen_width] = WIDTHS;
        let columns = [
            vec![format!("{:>2}", self.number)],
            vec![word.to_owned()],
            wrapped(self.name, asked_width),
            wrapped(&seen, seen_width),
        ];
        write!(out, "{}", row(columns))
    }
}

fn row(columns: [Vec<String>; 4]) -> String {
    let height = columns.iter().map(Vec::len).max().unwrap_or_default();
    let line = |number: usize| {
        let cell = |(column, width): (&Vec<String>, usize)| {
            format!("{:width$}", column.get(number).map_or("", String::as_str))
        };
        let cells: Vec<String> = columns.iter().zip(WIDTHS).map(cell).collect();
        cells.join("  ").trim_end().to_owned()
    };
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

/// The words of a text in lines of a width, where they are not longer themselves.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// All that was found on a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Where.
    pub target: String,
    /// In the order of the list.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether something was asked, and nothing of it is broken.
    #[must_use]
    pub fn passed(&self) -> bool {
        let holds = |finding: &Finding| matches!(finding.verdict, Verdict::Held(_));
        let broken = |finding: &Finding| matches!(finding.verdict, Verdict::Failed(_));
        self.findings.iter().any(holds) && !self.findings.iter().any(broken)
    }

    /// How many held, failed, were not asked.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |word| self.findings.iter().filter(|finding| finding.verdict.words().0 == word).count();
        format!("{}: {} held, {} failed, {} not asked", self.target, count(HELD), count(FAILED), count(NOT_ASKED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdicts: &[Verdict]) -> Report {
        let finding = |verdict: &Verdict| Finding { number: 1, name: "it", verdict: verdict.clone() };
        Report { target: "here".to_owned(), findings: verdicts.iter().map(finding).collect() }
    }

    #[test]
    fn nothing_broken_is_not_enough_if_nothing_was_asked() {
        let (holds, broken) = (Verdict::Held(String::new()), Verdict::Failed(String::new()));
        assert!(report(&[holds.clone(), Verdict::not_asked("no")]).passed());
        assert!(!report(&[holds, broken]).passed());
        assert!(!report(&[Verdict::not_asked("no")]).passed());
        assert!(!report(&[]).passed());
    }

    #[test]
    fn machines_get_the_verdict_with_what_was_seen() {
        let report = serde_json::to_value(report(&[Verdict::not_asked("no control plane")])).unwrap();
        assert_eq!(report["findings"][0]["verdict"], "notAsked");
        assert_eq!(report["findings"][0]["seen"], "no control plane");
    }

    #[test]
    fn what_is_long_goes_on_below_in_its_own_column() {
        let seen = "it was served elsewhere, ".repeat(6);
        let row = Finding { number: 7, name: "it", verdict: Verdict::Failed(seen) }.to_string();
        let (first, second) = row.split_once('\n').unwrap();
        assert!(first.starts_with(" 7  failed     it   ") && first.chars().count() <= 133, "{row}");
        assert_eq!(second.find("it was").or(second.find("served")), first.find("it was"), "{row}");
    }
}
