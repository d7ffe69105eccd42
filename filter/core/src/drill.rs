//! Drills: a region taken away from some requests on purpose, for a while, to see that nobody notices.
//!
//! A drilled region must not serve a drilled request at all, so it may be in no plan that is used: such a request takes an `only-` plan,
//! which Envoy's own retry cannot leave. Which requests are drilled is decided once for each of them, by one number, so that a drill of
//! 10 % and one of 20 % share the ten.

use crate::ids::{RegionId, ServiceId};
use crate::policy::Timestamp;

/// More drills than this are refused: they are watched one by one.
pub(crate) const MOST: usize = 16;

/// A region that is taken away from a share of the requests between two times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drill {
    /// Unique in the policy.
    pub name: String,
    /// The region that is taken away.
    pub region: RegionId,
    /// The services it is taken away from; empty: all.
    pub services: Vec<ServiceId>,
    /// From how many of their requests, in percent.
    pub percent: u8,
    /// From then on.
    pub from: Timestamp,
    /// Until then.
    pub until: Timestamp,
}

impl Drill {
    /// Whether it takes the region away from a request for `service` at `now` whose number (below 100) is `die`.
    fn takes(&self, service: ServiceId, now: Timestamp, die: u8) -> bool {
        self.from <= now
            && now < self.until
            && die < self.percent
            && (self.services.is_empty() || self.services.contains(&service))
    }
}

/// The drills that one request takes part in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drilled(u16);

impl Drilled {
    /// Those of a request for `service` at `now` whose number (below 100) is `die`.
    pub(crate) fn new(drills: &[Drill], service: ServiceId, now: Timestamp, die: u8) -> Self {
        let bits = drills.iter().zip(0_u16..).filter(|(drill, _)| drill.takes(service, now, die));
        Self(bits.fold(0, |set, (_, index)| set | 1_u16.checked_shl(u32::from(index)).unwrap_or(0)))
    }

    /// Whether none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether they take the region away.
    #[must_use]
    pub fn takes(self, region: RegionId, drills: &[Drill]) -> bool {
        let set = |index: u16| self.0.checked_shr(u32::from(index)).is_some_and(|bits| bits & 1 == 1);
        !self.is_empty() && drills.iter().zip(0_u16..).any(|(drill, index)| set(index) && drill.region == region)
    }
}
