//! What the requests of an outage prove, by themselves: pure arithmetic over what the client saw.
//!
//! The promise differs by policy. With rescue no request may fail. Without it, ejection needs to see failures: as many
//! in a row as the policy says, and one more for each worker, which may have had a request under way. Anything beyond
//! that is a defect, and each failure is listed in the report.

use std::time::Duration;

use super::{PRIMARY, SECONDARY};
use crate::load::Recording;
use crate::timeline::{Check, EventKind, Sample};

/// The load's kinds, by what they ask for.
pub(super) const NO_HEADER: &str = "no header";
/// Pinned to the region that is lost.
pub(super) const ASKS_PRIMARY: &str = "asks us-sanjose-1";
/// Pinned to the region that stays.
pub(super) const ASKS_SECONDARY: &str = "asks us-chicago-1";

/// The longest that the way back may take: the ejection, the trial, the ramp, and slack for a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(20);
/// How much of the end must be as it was in the beginning.
const SETTLED: Duration = Duration::from_secs(1);

/// An outage, and what was promised.
pub(super) struct Outage<'r> {
    /// What the policy is called.
    pub(super) policy: &'r str,
    /// The most requests that may fail, and why so many.
    pub(super) allowed: (usize, String),
    /// When the primary's productpage was stopped.
    pub(super) stopped: Duration,
    /// When it was started again.
    pub(super) returned: Duration,
    /// All that was recorded.
    pub(super) recording: &'r Recording,
}

impl Outage<'_> {
    /// Everything that can be said.
    pub(super) fn judge(&self) -> Vec<Check> {
        vec![self.before(), self.moves(), self.failures(), self.undisturbed(), self.returns()]
    }

    fn check(&self, name: &str, asked: String, seen: String, expected: String, passed: bool) -> Check {
        Check { name: format!("{name}, {}", self.policy), asked, seen, expected, passed }
    }

    fn samples(&self, wanted: impl Fn(&Sample) -> bool) -> impl Iterator<Item = &Sample> {
        self.recording.samples.iter().filter(move |sample| wanted(sample))
    }

    /// As long as both regions are up, everybody is served where they should be.
    fn before(&self) -> Check {
        let early = || self.samples(|sample| sample.at.saturating_add(sample.latency) < self.stopped);
        let home = early().filter(|sample| served_by(sample, if wants_primary(sample) { PRIMARY } else { SECONDARY }));
        let (home, all) = (home.count(), early().count());
        self.check(
            "Both regions up",
            format!("{all} requests: no header, {ASKS_PRIMARY}, {ASKS_SECONDARY}"),
            format!("{home} of {all} served where they should be"),
            "all of them".to_owned(),
            all > 0 && home == all,
        )
    }

    /// Once the region is ejected, nobody is sent there in vain.
    fn moves(&self) -> Check {
        let events = &self.recording.events;
        let ejected = events.iter().find(|event| event.kind == EventKind::Ejected && event.at >= self.stopped);
        let asked = "productpage of the primary cluster stopped".to_owned();
        let expected = format!("ejected within 1 s, then all served by {SECONDARY}");
        let Some(ejected) = ejected.map(|event| event.at) else {
            return self.check("Traffic moves", asked, "the region was not ejected".to_owned(), expected, false);
        };
        let later = || self.samples(|sample| wants_primary(sample) && sample.at > ejected && sample.at < self.returned);
        let (moved, all) = (later().filter(|sample| served_by(sample, SECONDARY)).count(), later().count());
        let after = ejected.saturating_sub(self.stopped);
        let seen = format!("ejected after {:.2} s, then {moved} of {all} served by {SECONDARY}", after.as_secs_f64());
        let passed = after <= Duration::from_secs(1) && all > 0 && moved == all;
        self.check("Traffic moves", asked, seen, expected, passed)
    }

    /// No request fails that did not have to.
    fn failures(&self) -> Check {
        let failed = self.samples(|sample| !sample.succeeded()).count();
        let rescued = self.samples(|sample| sample.succeeded() && rescued(sample)).count();
        let slowest = self.recording.samples.iter().map(|sample| sample.latency).max().unwrap_or_default();
        let (allowed, why) = &self.allowed;
        self.check(
            "Failed requests",
            format!("{} requests through the outage", self.recording.samples.len()),
            format!("{failed} failed, {rescued} rescued; the slowest took {:.0} ms", slowest.as_secs_f64() * 1000.0),
            if *allowed == 0 { "0".to_owned() } else { format!("at most {allowed}: {why}") },
            failed <= *allowed,
        )
    }

    /// The other region's own users notice nothing.
    fn undisturbed(&self) -> Check {
        let pinned = || self.samples(|sample| sample.kind == ASKS_SECONDARY);
        let (served, all) = (pinned().filter(|sample| served_by(sample, SECONDARY)).count(), pinned().count());
        self.check(
            "The other region",
            format!("{all} requests that ask for us-chicago-1, throughout"),
            format!("{served} of {all} served by {SECONDARY}"),
            "all of them".to_owned(),
            all > 0 && served == all,
        )
    }

    /// When it is back, so is its traffic.
    fn returns(&self) -> Check {
        let later = || self.samples(|sample| wants_primary(sample) && sample.at >= self.returned);
        let first = later().find(|sample| served_by(sample, PRIMARY)).map(|sample| sample.at);
        let last_away = later().filter(|sample| !served_by(sample, PRIMARY)).map(|sample| sample.at).max();
        let end = later().map(|sample| sample.at).max().unwrap_or_default();
        let settled = last_away.unwrap_or(self.returned);
        let since = |at: Duration| at.saturating_sub(self.returned).as_secs_f64();
        let seen = match first {
            None => "it was never used again".to_owned(),
            Some(_) if end.saturating_sub(settled) < SETTLED => "not all of its traffic came back".to_owned(),
            Some(first) => format!("first request after {:.1} s, all after {:.1} s", since(first), since(settled)),
        };
        self.check(
            "Traffic returns",
            "productpage of the primary cluster started".to_owned(),
            seen,
            format!("all of it within {} s", BACK_WITHIN.as_secs()),
            first.is_some() && end.saturating_sub(settled) >= SETTLED && since(settled) <= BACK_WITHIN.as_secs_f64(),
        )
    }
}

/// Whether the filter says that the wanted region failed it and another did not.
fn rescued(sample: &Sample) -> bool {
    sample.decision.as_deref().is_some_and(|decision| decision.split(", ").any(|member| member == "outcome=rescued"))
}

/// Whether the lost region is where this request should be served.
pub(super) fn wants_primary(sample: &Sample) -> bool {
    sample.kind != ASKS_SECONDARY
}

/// Whether it was served, and by `cluster`.
pub(super) fn served_by(sample: &Sample, cluster: &str) -> bool {
    sample.succeeded() && sample.served_by.as_deref() == Some(cluster)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::{Event, SampleOutcome};

    fn second(at: f64) -> Duration {
        Duration::from_secs_f64(at)
    }

    /// A request every 10 ms for 30 s: the primary is lost at 5 s, ejected at 5.1 s, back at 12 s and used from 16 s.
    fn recording() -> Recording {
        let sample = |number: u32| {
            let at = f64::from(number) / 100.0;
            let kind = [NO_HEADER, ASKS_PRIMARY, ASKS_SECONDARY][number as usize % 3];
            let primary = kind != ASKS_SECONDARY && !(5.0..16.0).contains(&at);
            Sample {
                at: second(at),
                kind: kind.to_owned(),
                outcome: SampleOutcome::Status(200),
                served_by: Some(if primary { PRIMARY } else { SECONDARY }.to_owned()),
                decision: None,
                latency: Duration::from_millis(2),
                phase: String::new(),
            }
        };
        let event = Event { at: second(5.1), label: "ejected".to_owned(), kind: EventKind::Ejected };
        Recording { samples: (0..3000).map(sample).collect(), events: vec![event] }
    }

    fn judge(recording: &Recording, allowed: usize) -> Vec<bool> {
        let allowed = (allowed, "they were needed".to_owned());
        let outage = Outage { policy: "p", allowed, stopped: second(5.0), returned: second(12.0), recording };
        outage.judge().iter().map(|check| check.passed).collect()
    }

    #[test]
    fn an_outage_that_nobody_pays_for_holds() {
        assert_eq!(judge(&recording(), 0), [true; 5]);
    }

    #[test]
    fn one_failed_request_is_one_too_many_with_rescue() {
        let mut recording = recording();
        recording.samples[501].outcome = SampleOutcome::Status(503);
        assert_eq!(judge(&recording, 0), [true, true, false, true, true]);
        assert_eq!(judge(&recording, 1), [true; 5]);
    }

    #[test]
    fn a_region_that_is_not_ejected_has_not_moved() {
        let mut recording = recording();
        recording.events.clear();
        assert_eq!(judge(&recording, 0), [true, false, true, true, true]);
    }

    #[test]
    fn a_request_sent_to_the_dead_region_after_ejection_is_a_defect_even_if_allowed_to_fail() {
        let mut recording = recording();
        recording.samples[700].outcome = SampleOutcome::Error("reset".to_owned());
        assert_eq!(judge(&recording, 9), [true, false, true, true, true]);
    }

    #[test]
    fn a_region_that_stays_unused_has_not_returned() {
        let mut recording = recording();
        for sample in recording.samples.iter_mut().filter(|sample| sample.at > second(12.0)) {
            sample.served_by = Some(SECONDARY.to_owned());
        }
        assert_eq!(judge(&recording, 0), [true, true, true, true, false]);
    }

    #[test]
    fn a_neighbour_that_is_disturbed_is_seen() {
        let mut recording = recording();
        recording.samples[2].served_by = Some(PRIMARY.to_owned());
        assert_eq!(judge(&recording, 0), [false, true, true, false, true]);
    }

    #[test]
    fn nothing_is_proven_by_no_requests() {
        assert_eq!(judge(&Recording::default(), 0), [false, false, true, false, false]);
    }
}
