//! Each region's health for each service, as this Envoy has seen it.
//!
//! A cell is a small state machine (healthy → ejected → half-open → ramping → healthy) whose every change is returned as a
//! [`Transition`], so that whoever applies it can log and count it once. Only cells that differ from healthy-with-no-history are kept:
//! the whole state is a short sorted list that can be copied between workers as bytes ([`Health::to_bytes`]), and "is there anything to
//! know?" is whether the list is empty. Beside the services there is a cell for the region as a whole, which is ejected only when its
//! path is what failed. Time is an argument everywhere.

mod blame;
mod cell;
mod change;
mod settings;
mod snapshot;
mod window;

use crate::ids::{RegionId, ServiceId};
use crate::policy::Timestamp;
pub use blame::ProbeResult;
pub use cell::State;
use cell::{Cell, Circumstances};
pub use change::{Cause, Change, Changes, Transition};
pub use settings::{ActiveHealthCheck, FailurePercentage, HealthSettings, OutlierDetection, Ramp, Warmup};
use std::time::Duration;

/// A service in a region, or a whole region: the scope of an ejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellKey {
    /// The service.
    pub service: ServiceId,
    /// The region it is served in.
    pub region: RegionId,
}

impl CellKey {
    /// The region, for every service.
    #[must_use]
    pub fn whole(region: RegionId) -> Self {
        Self { service: ServiceId::EVERY, region }
    }

    /// The same region for every service.
    fn of_region(self) -> Self {
        Self::whole(self.region)
    }
}

/// Something a region did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which service, in which region.
    pub key: CellKey,
    /// How it went.
    pub outcome: Outcome,
    /// The request held one of the region's half-open tokens.
    pub probe: bool,
}

/// What a region did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer below 500.
    Success,
    /// 502, 503 or 504 from the service itself.
    GatewayError,
    /// A failure that Envoy's own retry hid, so that nobody knows more about it. Counts as a gateway error.
    Retried,
    /// No answer, or one that the service did not sign: connect failure, reset, timeout, a gateway on the way. Counts as a gateway
    /// error for the service, and against the region if others there fail alike.
    Unreachable,
    /// Another 5xx: the application's own.
    ServerError,
    /// Somebody else answered at the first attempt: Envoy's own balancing moved it. No failure, but no sign of life either.
    Absent,
    /// Requests have waited for half of `stallTimeout`, and none was answered.
    Stalled,
}

/// Whether a region may be used for a service now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Yes.
    Usable,
    /// For this share of its requests, in percent.
    Ramping(u8),
    /// No, for this long still; no time left: until its probe passes.
    Ejected(Duration),
    /// By a request that takes a token first ([`Health::take_token`]).
    HalfOpen,
    /// Half-open, and every token is out.
    HalfOpenBusy,
    /// A drill takes it away from this request; health never says so.
    Drilled,
}

impl Availability {
    /// The one that leaves less, of a service's and its region's.
    fn worse(self, other: Self) -> Self {
        let rank = |availability: &Self| match availability {
            Self::Usable => (0, Duration::ZERO),
            Self::Ramping(percent) => (1, Duration::from_millis(u64::from(100 - (*percent).min(100)))),
            Self::HalfOpen => (2, Duration::ZERO),
            Self::HalfOpenBusy => (3, Duration::ZERO),
            Self::Drilled => (4, Duration::ZERO),
            Self::Ejected(left) => (5, *left),
        };
        if rank(&self) >= rank(&other) { self } else { other }
    }
}

/// The health of every service in every region. Empty means healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    cells: Vec<(CellKey, Cell)>,
}

impl Health {
    /// Whether nothing is known against any region: no error counted, nobody ejected, no history that could still decay.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.cells.is_empty()
    }

    /// Whether every region may be used for every service, so that the native table is right as it stands.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.cells.iter().all(|(_, cell)| cell.is_healthy())
    }

    /// Whether a worker that knows what was known `before` would now do something else: something is known where all was quiet, so that
    /// successes count, or a region's part in traffic is another one. An error more is not news, and neither is one forgotten.
    #[must_use]
    pub fn is_news_after(&self, before: &Self) -> bool {
        (before.is_quiet() && !self.is_quiet()) || self.parts().ne(before.parts())
    }

    /// What part the regions have in traffic that have not all of theirs.
    fn parts(&self) -> impl Iterator<Item = (CellKey, Timestamp, Timestamp, u16)> {
        let impaired = self.cells.iter().filter(|(_, cell)| !cell.is_healthy());
        impaired.map(|(key, cell)| (*key, cell.until, cell.ramp_from, cell.tokens_out))
    }

    /// Whether the region may be used for the service at `now`.
    #[must_use]
    pub fn availability(&self, key: CellKey, now: Timestamp, settings: &HealthSettings) -> Availability {
        self.of(key)
            .map(|(own, cell)| cell.availability(settings.is_probed(own.service), now, settings))
            .fold(Availability::Usable, Availability::worse)
    }

    /// The state of a cell, for people and metrics.
    #[must_use]
    pub fn state(&self, key: CellKey, now: Timestamp, settings: &HealthSettings) -> State {
        let probed = settings.is_probed(key.service);
        self.cell(key).map_or(State::Healthy, |cell| cell.state(probed, now, settings))
    }

    /// Whether a success has to be recorded at once, may be counted together with others ([`Health::add_successes`]), or not at all.
    #[must_use]
    pub fn notice(&self, key: CellKey, now: Timestamp) -> Notice {
        match self.of(key).map(|(_, cell)| cell.awaits_success(now)).reduce(|one, other| one || other) {
            None => Notice::Never,
            Some(false) => Notice::Later,
            Some(true) => Notice::AtOnce,
        }
    }

    /// Takes one of a half-open region's tokens for a request that will try it. `false`: it is not half-open any more, or none is left.
    ///
    /// A token that never comes back (its stream was aborted) expires after the interval, because an Envoy that loses a token for good
    /// would never use the region again.
    pub fn take_token(&mut self, key: CellKey, now: Timestamp, settings: &HealthSettings) -> bool {
        if self.availability(key, now, settings) != Availability::HalfOpen {
            return false;
        }
        for key in [key, key.of_region()] {
            let probed = settings.is_probed(key.service);
            if let Some(cell) = self.cell_mut(key)
                && cell.state(probed, now, settings) == State::HalfOpen
            {
                cell.take_token(now, &settings.outlier_detection);
            }
        }
        true
    }

    /// Gives a token back whose request was served elsewhere and so proved nothing, as happens while Envoy's own outlier detection still
    /// keeps the region's hosts out. The next token is a tenth of the interval away.
    pub fn return_token(&mut self, key: CellKey, now: Timestamp, settings: &HealthSettings) {
        for key in [key, key.of_region()] {
            if let Some(cell) = self.cell_mut(key) {
                cell.return_token(now, settings);
            }
        }
    }

    /// Records what a region did with a request for a service. `regions` is how many regions serve the service, for
    /// `maxEjectionPercent`.
    pub fn record(&mut self, event: Event, now: Timestamp, settings: &HealthSettings, regions: usize) -> Changes {
        if event.outcome != Outcome::Success {
            self.ensure(event.key);
        }
        let at = Circumstances { probe: event.probe, ..self.circumstances(event.key, now, settings, regions) };
        let mut own = None;
        if let Some(cell) = self.cell_mut(event.key) {
            if event.outcome == Outcome::Unreachable {
                cell.unreachable_at = now;
            }
            own = change(event.key, cell.record(event.outcome, &at));
        }
        let changes = [own, self.record_for_region(&event, &at)];
        self.tidy();
        changes
    }

    /// An answer says that the way there works, also one that says that the service does not. Any other failure is the service's, until
    /// others fail alike; but it decides for a region that is being tried.
    fn record_for_region(&mut self, event: &Event, at: &Circumstances<'_>) -> Option<Change> {
        let key = event.key.of_region();
        let outcome = match event.outcome {
            Outcome::GatewayError | Outcome::ServerError => Outcome::Success,
            other => other,
        };
        let is_tried = event.probe && self.cell(key).is_some_and(|cell| !cell.is_in_use());
        if is_tried || outcome == Outcome::Success {
            return change(key, self.cell_mut(key)?.record(outcome, at));
        }
        if outcome == Outcome::Unreachable { self.blame_region(event.key.region, at) } else { None }
    }

    /// Counts successes that nobody had to know of at once.
    pub fn add_successes(&mut self, key: CellKey, count: u32, now: Timestamp, settings: &HealthSettings) {
        for key in [key, key.of_region()] {
            if let Some(cell) = self.cell_mut(key) {
                cell.add_successes(count, now, &settings.outlier_detection);
            }
        }
        self.tidy();
    }

    /// Forgets what is over, and says which regions have warmed up. Cheap when there is nothing to forget; for the tick.
    pub fn age(&mut self, now: Timestamp, settings: &HealthSettings) -> Vec<Change> {
        let warm = self.cells.iter_mut().filter_map(|(key, cell)| change(*key, cell.age(now, settings)));
        let warm = warm.collect();
        self.tidy();
        warm
    }

    /// Ejects a region for a service by hand until `until`: what `explain --ejected` and tests start from.
    pub fn eject(&mut self, key: CellKey, until: Timestamp) {
        self.ensure(key);
        if let Some(cell) = self.cell_mut(key) {
            *cell = Cell::ejected(until);
        }
    }

    fn circumstances<'s>(
        &self,
        about: CellKey,
        now: Timestamp,
        settings: &'s HealthSettings,
        regions: usize,
    ) -> Circumstances<'s> {
        let count =
            |is: &dyn Fn(&CellKey, &Cell) -> bool| self.cells.iter().filter(|(key, cell)| is(key, cell)).count();
        let is_out = |key: CellKey| self.cell(key).is_some_and(|cell| !cell.is_in_use());
        // A region that is out for this service and as a whole is one.
        let out = count(&|key, cell| {
            let own = CellKey { region: key.region, ..about };
            !cell.is_in_use() && (*key == own || key.service == ServiceId::EVERY && !is_out(own))
        });
        let alike = count(&|key, cell| {
            key.service == about.service
                && key.region != about.region
                && cell.fails_as_well(now, &settings.outlier_detection)
                && !is_out(CellKey::whole(key.region))
        });
        let percent = usize::from(settings.outlier_detection.max_ejection_percent);
        Circumstances {
            now,
            settings,
            probe: false,
            may_eject: out == 0 || (out + 1) * 100 <= percent * regions,
            has_company: out + alike + 1 < regions,
            probed: settings.is_probed(about.service),
        }
    }

    /// A service's cell and its region's, as far as there are any.
    fn of(&self, key: CellKey) -> impl Iterator<Item = (CellKey, &Cell)> {
        [key, key.of_region()].into_iter().filter_map(|key| self.cell(key).map(|cell| (key, cell)))
    }

    fn cell(&self, key: CellKey) -> Option<&Cell> {
        let index = self.cells.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.cells.get(index).map(|(_, cell)| cell)
    }

    fn cell_mut(&mut self, key: CellKey) -> Option<&mut Cell> {
        let index = self.cells.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.cells.get_mut(index).map(|(_, cell)| cell)
    }

    /// Makes the cell if it is not there.
    fn ensure(&mut self, key: CellKey) {
        if let Err(index) = self.cells.binary_search_by_key(&key, |(key, _)| *key) {
            self.cells.insert(index, (key, Cell::default()));
        }
    }

    fn tidy(&mut self) {
        self.cells.retain(|(_, cell)| *cell != Cell::default());
    }
}

/// What to do with a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nothing is known against the region.
    Never,
    /// It counts, but nothing hangs on it.
    Later,
    /// It ends a row of errors, or proves something.
    AtOnce,
}

fn change(key: CellKey, transition: Transition) -> Option<Change> {
    (transition != Transition::None).then_some(Change { key, transition })
}

#[cfg(test)]
mod tests;
