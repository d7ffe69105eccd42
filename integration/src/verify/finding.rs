//! What was found, for people and for machines.

use std::fmt::{Display, Formatter};

use anyhow::Result;
use serde::Serialize;

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
    Holds(String),
    /// It does not; what was seen instead.
    Broken(String),
    /// It cannot be asked here; why.
    NotHere(String),
}

impl Verdict {
    /// It cannot be asked here.
    pub(super) fn not_here(why: &str) -> Self {
        Self::NotHere(why.to_owned())
    }

    fn mark(&self) -> (char, &str) {
        match self {
            Self::Holds(seen) => ('✓', seen),
            Self::Broken(seen) => ('✗', seen),
            Self::NotHere(why) => ('–', why),
        }
    }
}

/// What an assertion saw if it holds, or why it does not.
impl From<Result<String>> for Verdict {
    fn from(result: Result<String>) -> Self {
        match result {
            Ok(seen) => Self::Holds(seen),
            Err(why) => Self::Broken(format!("{why:#}")),
        }
    }
}

impl Display for Finding {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        let (mark, seen) = self.verdict.mark();
        // What a mesh says must not reach a terminal as it is.
        let seen: String = seen.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        write!(out, "{mark} {:>2}  {}\n       {seen}", self.number, self.name)
    }
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
        let holds = |finding: &Finding| matches!(finding.verdict, Verdict::Holds(_));
        let broken = |finding: &Finding| matches!(finding.verdict, Verdict::Broken(_));
        self.findings.iter().any(holds) && !self.findings.iter().any(broken)
    }

    /// How many hold, are broken, could not be asked.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |mark| self.findings.iter().filter(|finding| finding.verdict.mark().0 == mark).count();
        format!("{}: {} hold, {} broken, {} cannot be asked here", self.target, count('✓'), count('✗'), count('–'))
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
        let (holds, broken) = (Verdict::Holds(String::new()), Verdict::Broken(String::new()));
        assert!(report(&[holds.clone(), Verdict::not_here("no")]).passed());
        assert!(!report(&[holds, broken]).passed());
        assert!(!report(&[Verdict::not_here("no")]).passed());
        assert!(!report(&[]).passed());
    }

    #[test]
    fn machines_get_the_verdict_with_what_was_seen() {
        let report = serde_json::to_value(report(&[Verdict::not_here("no control plane")])).unwrap();
        assert_eq!(report["findings"][0]["verdict"], "notHere");
        assert_eq!(report["findings"][0]["seen"], "no control plane");
    }
}
