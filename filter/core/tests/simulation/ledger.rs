//! What the workers of one gateway have said of each cell, kept as anybody could who reads their log: the checks ask this, and not the
//! workers, what is in use.

use meridian_core::Timestamp;
use meridian_core::health::{CellKey, Change, Transition};
use std::collections::BTreeMap;

/// What the last change of a cell said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Out until this time of the gateway's clock, then half-open.
    Out { until: Timestamp },
    /// Back since then, for a growing share.
    Back { since: Timestamp },
}

/// What a service in a region can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    Full,
    /// A share, and the milliseconds since it began to grow.
    Share(u64),
    /// One request at a time may try.
    HalfOpen,
    /// Nothing.
    Out,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    standings: BTreeMap<CellKey, Standing>,
    /// The time of the story of each cell's last change.
    changed: BTreeMap<CellKey, u64>,
}

impl Ledger {
    pub(crate) fn write(&mut self, change: &Change, now: u64, wall: Timestamp) {
        self.changed.insert(change.key, now);
        let standing = match change.transition {
            Transition::Ejected { duration, .. } => Some(Standing::Out { until: wall.plus(duration) }),
            Transition::Readmitted { ramps: true } => Some(Standing::Back { since: wall }),
            Transition::Readmitted { ramps: false } | Transition::Warm | Transition::None => None,
        };
        match standing {
            Some(standing) => self.standings.insert(change.key, standing),
            None => self.standings.remove(&change.key),
        };
    }

    /// The worse of a service's own standing and its region's.
    pub(crate) fn use_of(&self, key: CellKey, wall: Timestamp, ramp: u64) -> Use {
        let one = |key: CellKey| match self.standings.get(&key) {
            None => Use::Full,
            Some(Standing::Out { until }) if wall < *until => Use::Out,
            Some(Standing::Out { .. }) => Use::HalfOpen,
            Some(Standing::Back { since }) => match since.elapsed(wall).as_millis() as u64 {
                elapsed if elapsed < ramp => Use::Share(elapsed),
                _ => Use::Full,
            },
        };
        match (one(key), one(CellKey::whole(key.region))) {
            // The one that began later leaves less.
            (Use::Share(own), Use::Share(whole)) => Use::Share(own.min(whole)),
            (own, whole) => own.max(whole),
        }
    }

    /// What was said of this very cell.
    pub(crate) fn standing(&self, key: CellKey) -> Option<Standing> {
        self.standings.get(&key).copied()
    }

    /// When a service's standing in a region, or the region's, changed last.
    pub(crate) fn changed(&self, key: CellKey) -> Option<u64> {
        self.changed.get(&key).max(self.changed.get(&CellKey::whole(key.region))).copied()
    }

    /// When anything changed last.
    pub(crate) fn changed_last(&self) -> Option<u64> {
        self.changed.values().max().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.standings.is_empty()
    }
}
