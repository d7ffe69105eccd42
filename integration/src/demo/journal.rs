//! The filter's own words about regions, as events.
//!
//! The filter logs one line for each change of a region's health. Reading them off the ingress shows the instant at
//! which Meridian acted, which the requests alone do not: with rescue, they never notice.

use std::collections::BTreeMap;

use crate::timeline::EventKind;

const OURS: &str = "meridian: ";

/// How much of a log has been read, and what it said last.
#[derive(Debug, Default)]
pub(super) struct Journal {
    read: usize,
    last: Option<(EventKind, String)>,
}

impl Journal {
    /// The changes that `log`, the whole of it, tells since the last time. A line still being written waits; the same
    /// again (another request tries the half-open region) is not a change.
    pub(super) fn news(&mut self, log: &str) -> Vec<(EventKind, String)> {
        let fresh = log.get(self.read..).unwrap_or_default();
        let complete = fresh.rfind('\n').map_or(0, |end| end + 1);
        self.read += complete;
        let mut changes: Vec<_> = fresh.get(..complete).unwrap_or_default().lines().filter_map(change).collect();
        let before = self.last.take();
        changes.dedup();
        self.last = changes.last().cloned().or_else(|| before.clone());
        if changes.first() == before.as_ref() && before.is_some() {
            changes.remove(0);
        }
        changes
    }
}

/// The change of health that a line tells, if it tells one.
fn change(line: &str) -> Option<(EventKind, String)> {
    // Envoy puts its own names of the module before the message, and those are ours too.
    let (_, told) = line.rsplit_once(OURS)?;
    let mut words = told.split_whitespace();
    let word = words.next()?;
    let values: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
    let region = *values.get("region")?;
    let (kind, did) = match word {
        "ejected" => (EventKind::Ejected, "ejected"),
        "half_open" => (EventKind::Note, "half-open"),
        "readmitted" => (EventKind::Readmitted, "readmitted"),
        _ => return None,
    };
    let details = [("service", ", "), ("for", " for "), ("cause", ": ")];
    let details =
        details.map(|(key, before)| values.get(key).map_or(String::new(), |value| format!("{before}{value}")));
    Some((kind, format!("{region} {did}{}", details.concat())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EJECTED: &str = "[2026-11-20 12:00:00.123][7][warning][wasm] [source/x.cc:1] \
        wasm log meridian meridian meridian: meridian: ejected \
        service=productpage region=us-sanjose-1 cause=consecutiveGatewayErrors times=1 for=3s\n";

    #[test]
    fn an_ejection_is_told_with_its_cause() {
        let news = Journal::default().news(EJECTED);
        let label = "us-sanjose-1 ejected, productpage for 3s: consecutiveGatewayErrors";
        assert_eq!(news, [(EventKind::Ejected, label.to_owned())]);
    }

    #[test]
    fn nothing_is_told_twice() {
        let mut journal = Journal::default();
        journal.news(EJECTED);
        assert!(journal.news(EJECTED).is_empty());
        assert_eq!(journal.news(&format!("{EJECTED}x meridian: readmitted region=a\n")).len(), 1);
    }

    #[test]
    fn every_try_of_a_half_open_region_is_one_change() {
        let (mut journal, line) = (Journal::default(), "x meridian: half_open service=a region=b\n");
        assert_eq!(journal.news(&line.repeat(2)).len(), 1);
        assert!(journal.news(&line.repeat(3)).is_empty());
        assert!(journal.news(&line.repeat(3)).is_empty());
        let ejected = "meridian: ejected service=a region=b\n";
        assert_eq!(journal.news(&(line.repeat(4) + ejected + line)).len(), 2);
    }

    #[test]
    fn a_line_still_being_written_waits() {
        let mut journal = Journal::default();
        let (start, end) = EJECTED.split_at(120);
        assert!(journal.news(start).is_empty());
        assert_eq!(journal.news(&format!("{start}{end}")).len(), 1);
    }

    #[test]
    fn other_lines_are_not_changes() {
        let log = "meridian: configured rev=3f9a region=x\nsomebody else: ejected region=x\nmeridian: ejected\n";
        assert!(Journal::default().news(log).is_empty());
    }
}
