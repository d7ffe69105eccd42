//! Who is to blame: a service in a region, or the region.
//!
//! An answer that the serving side signed with its tag is the service's own, whatever its status. One without is nobody's yet: it
//! counts for the service, because that is all that is known. Only when a second service fails in the same region in the same way
//! within the `interval` is the path the likelier culprit, and the region is ejected whole, so that the services which have not been
//! tried there yet need not find out one request at a time. A probe asks through the same path and counts the same, and where only one
//! service has a probe, its word is enough: it was made to tell. It says so once for each row of failures, so that a region whose other
//! services answer is not ejected again by every probe of the one that does not. And no probe takes the last region of its service that
//! is in use: what fails everywhere is the probe, e.g. a path that nobody serves.

use super::cell::Circumstances;
use super::change::{Cause, Change, Changes};
use super::{CellKey, Health, change};
use crate::ids::{RegionId, ServiceId};
use crate::policy::{Policy, Timestamp};

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// With an expected status.
    Passed,
    /// With another answer, signed by the serving side.
    Failed,
    /// With no answer, or an unsigned one.
    Unreachable,
}

impl ProbeResult {
    /// The name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Health {
    /// Records how a service's probe in a region ended.
    pub fn record_probe(&mut self, key: CellKey, result: ProbeResult, now: Timestamp, policy: &Policy) -> Changes {
        let settings = policy.health();
        let at = Circumstances {
            has_company: self.has_company(key, policy),
            ..self.circumstances(key, now, settings, policy.regions().len())
        };
        if result == ProbeResult::Passed {
            if let Some(cell) = self.cell_mut(key) {
                cell.probe_passed(now);
            }
            self.tidy();
            return [None; 2];
        }
        self.ensure(key);
        let (mut own, mut reached) = (None, false);
        if let Some(cell) = self.cell_mut(key) {
            if result == ProbeResult::Unreachable {
                cell.unreachable_at = now;
            }
            own = change(key, cell.probe_failed(&at));
            reached = !cell.is_in_use() && cell.probe_failures == settings.active_health_check.unhealthy_threshold;
        }
        let whole = match (result, settings.probed.len()) {
            (ProbeResult::Unreachable, 1) if reached => self.eject_region(key.region, &at),
            (ProbeResult::Unreachable, _) if reached => self.blame_region(key.region, &at),
            _ => None,
        };
        [own, whole]
    }

    /// Whether another region that is asked the same is in use.
    fn has_company(&self, key: CellKey, policy: &Policy) -> bool {
        let others = policy.probes().iter().map(|probe| probe.key);
        let mut others = others.filter(|other| other.service == key.service && other.region != key.region);
        others.any(|other| self.of(other).all(|(_, cell)| cell.is_in_use()))
    }

    /// Ejects the region if several of its services are out, unreachable all of them within the interval.
    pub(super) fn blame_region(&mut self, region: RegionId, at: &Circumstances<'_>) -> Option<Change> {
        let recent =
            |time: Timestamp| !time.is_never() && time.elapsed(at.now) < at.settings.outlier_detection.interval;
        let unreachable = self.cells.iter().filter(|(key, cell)| {
            key.region == region && key.service != ServiceId::EVERY && !cell.is_in_use() && recent(cell.unreachable_at)
        });
        if unreachable.count() < 2 {
            return None;
        }
        self.eject_region(region, at)
    }

    fn eject_region(&mut self, region: RegionId, at: &Circumstances<'_>) -> Option<Change> {
        let key = CellKey::whole(region);
        self.ensure(key);
        let cell = self.cell_mut(key).filter(|cell| cell.is_in_use())?;
        change(key, cell.eject(at, Cause::Unreachable))
    }
}
