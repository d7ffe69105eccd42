//! A mesh under load, with an eye on the filter's log: what happens is recorded and told as it happens.

use std::pin::pin;
use std::time::Duration;

use anyhow::Result;

use super::journal::Journal;
use super::narrator::Narrator;
use crate::clock::Clock;
use crate::load::{Load, Recording};
use crate::mesh::Ingress;
use crate::timeline::{EventKind, Sample};

/// How often the log is read: the precision of the events.
const LOOK: Duration = Duration::from_millis(20);
/// How many looks between two at the requests, which are copied for it.
const LOOKS: u32 = 10;

/// An ingress with a load on it.
pub(super) struct Scene<'s> {
    ingress: &'s Ingress,
    narrator: Narrator,
    load: Load,
    clock: Clock,
    journal: Journal,
    acted: Option<Duration>,
}

impl<'s> Scene<'s> {
    /// The load is running; the log up to now is history.
    pub(super) fn new(ingress: &'s Ingress, narrator: Narrator, load: Load, clock: Clock) -> Self {
        let mut journal = Journal::default();
        journal.news(&ingress.envoy().log());
        Self { ingress, narrator, load, clock, journal, acted: None }
    }

    /// A new phase, which begins with what is now done to the mesh.
    pub(super) fn act(&mut self, phase: &str, kind: EventKind, label: &str) -> Duration {
        self.load.mark(phase);
        self.load.event(kind, label);
        self.narrator.event(kind, label, None);
        let now = self.clock.now();
        self.acted = Some(now);
        now
    }

    /// Lets it run for a while.
    pub(super) async fn wait(&mut self, time: Duration) {
        self.until(time, |_| false).await;
    }

    /// Does something to the mesh that takes a while, without looking away.
    pub(super) async fn during<T>(&mut self, deed: impl Future<Output = T>) -> T {
        let mut deed = pin!(deed);
        loop {
            tokio::select! {
                done = &mut deed => return done,
                () = tokio::time::sleep(LOOK) => self.look(),
            }
        }
    }

    /// Lets it run until the requests so far are as wanted, but no longer than `within`. Whether they were.
    pub(super) async fn until(&mut self, within: Duration, wanted: impl Fn(&[Sample]) -> bool) -> bool {
        let end = self.clock.now() + within;
        let mut looks = 0_u32;
        while self.clock.now() < end {
            tokio::time::sleep(LOOK).await;
            self.look();
            looks += 1;
            if looks.is_multiple_of(LOOKS) && wanted(&self.load.so_far()) {
                return true;
            }
        }
        false
    }

    /// Stops the load; what it recorded.
    pub(super) async fn end(mut self) -> Result<Recording> {
        self.look();
        self.load.stop().await
    }

    /// Records and tells what the filter has logged.
    fn look(&mut self) {
        for (kind, label) in self.journal.news(&self.ingress.envoy().log()) {
            self.load.event(kind, &label);
            let after = self.acted.map(|acted| self.clock.now().saturating_sub(acted));
            self.narrator.event(kind, &label, after);
        }
    }
}
