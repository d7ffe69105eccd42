//! Each region's health for each service, as this Envoy has seen it.
//!
//! A cell is a small state machine (healthy → ejected → half-open → healthy) whose every change is returned as a [`Transition`], so
//! that whoever applies it can log and count it once. Only cells that differ from healthy-with-no-history are kept: the whole state is
//! a short sorted list that can be copied between workers as bytes ([`Health::to_bytes`]), and "is there anything to know?" is whether the
//! list is empty. Time is an argument everywhere.

mod cell;
mod snapshot;

use crate::ids::{RegionId, ServiceId};
use crate::policy::{OutlierDetection, Timestamp};
use cell::Cell;
pub use cell::{Cause, Outcome, State, Transition};
use std::time::Duration;

/// A service in a region: the scope of an ejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellKey {
    /// The service.
    pub service: ServiceId,
    /// The region it is served in.
    pub region: RegionId,
}

/// Whether a region may be used for a service now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Yes.
    Usable,
    /// No, for this long still.
    Ejected(Duration),
    /// By a request that takes a token first ([`Health::take_token`]).
    HalfOpen,
    /// Half-open, and every token is out.
    HalfOpenBusy,
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

    /// Whether the region may be used for the service at `now`.
    #[must_use]
    pub fn availability(&self, key: CellKey, now: Timestamp, settings: &OutlierDetection) -> Availability {
        self.cell(key).map_or(Availability::Usable, |cell| cell.availability(now, settings))
    }

    /// The state of a cell, for people and metrics.
    #[must_use]
    pub fn state(&self, key: CellKey, now: Timestamp) -> State {
        self.cell(key).map_or(State::Healthy, |cell| cell.state(now))
    }

    /// Takes one of a half-open region's tokens for a request that will try it. `false`: it is not half-open any more, or none is left.
    ///
    /// A token that never comes back (its stream was aborted) expires after the interval, because an Envoy that loses a token for good
    /// would never use the region again.
    pub fn take_token(&mut self, key: CellKey, now: Timestamp, settings: &OutlierDetection) -> bool {
        self.cell_mut(key).is_some_and(|cell| cell.take_token(now, settings))
    }

    /// Gives a token back whose request was served elsewhere and so proved nothing, as happens while Envoy's own outlier detection still
    /// keeps the region's hosts out. The next token is a tenth of the interval away.
    pub fn return_token(&mut self, key: CellKey, now: Timestamp, settings: &OutlierDetection) {
        if let Some(cell) = self.cell_mut(key) {
            cell.return_token(now, settings);
        }
    }

    /// Records what a region did with a request for a service. `probe` says that the request held one of its tokens. `regions` is how
    /// many regions serve the service, for `maxEjectionPercent`.
    pub fn record(&mut self, event: Event, now: Timestamp, settings: &OutlierDetection, regions: usize) -> Transition {
        let may_eject = self.may_eject(event.key.service, settings, regions);
        let index = match self.cells.binary_search_by_key(&event.key, |(key, _)| *key) {
            Ok(index) => index,
            Err(_) if event.outcome == Outcome::Success => return Transition::None,
            Err(index) => {
                self.cells.insert(index, (event.key, Cell::default()));
                index
            }
        };
        let Some((_, cell)) = self.cells.get_mut(index) else { return Transition::None };
        let transition = cell.record(event.outcome, event.probe, now, settings, may_eject);
        if *cell == Cell::default() {
            self.cells.remove(index);
        }
        transition
    }

    /// Ejects a region for a service by hand until `until`: what `explain --ejected` and tests start from.
    pub fn eject(&mut self, key: CellKey, until: Timestamp) {
        let cell = Cell::ejected(until);
        match self.cells.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(index) => {
                if let Some(entry) = self.cells.get_mut(index) {
                    entry.1 = cell;
                }
            }
            Err(index) => self.cells.insert(index, (key, cell)),
        }
    }

    fn may_eject(&self, service: ServiceId, settings: &OutlierDetection, regions: usize) -> bool {
        let ejected = self.cells.iter().filter(|(key, cell)| key.service == service && !cell.is_healthy()).count();
        ejected == 0 || (ejected + 1) * 100 <= usize::from(settings.max_ejection_percent) * regions
    }

    fn cell(&self, key: CellKey) -> Option<&Cell> {
        let index = self.cells.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.cells.get(index).map(|(_, cell)| cell)
    }

    fn cell_mut(&mut self, key: CellKey) -> Option<&mut Cell> {
        let index = self.cells.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.cells.get_mut(index).map(|(_, cell)| cell)
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

#[cfg(test)]
mod tests;
