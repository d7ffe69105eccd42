//! A region that fails is left: so many gateway errors in a row as the policy says, with no answer between, and it is ejected. All
//! workers of a gateway count together. Errors of a region's own retries count once, and a row that takes longer than the longest
//! ejection is none.

use super::{Check, Seen, named};
use crate::ledger::Use;
use crate::mesh::Mesh;
use crate::story::Fact;
use meridian_core::health::CellKey;
use std::collections::BTreeMap;

/// When it began, and how long it is.
#[derive(Clone, Copy)]
struct Row {
    since: u64,
    length: u64,
}

#[derive(Default)]
pub(crate) struct Notice {
    rows: BTreeMap<(usize, CellKey), Row>,
}

impl Check for Notice {
    fn name(&self) -> &'static str {
        "notice"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        match *fact {
            Fact::Stepped { gateway, .. } => {
                self.rows.retain(|(at, _), _| *at != gateway);
                Seen::Nothing
            }
            Fact::Changed { gateway, change, .. } => {
                self.rows.remove(&(gateway, change.key));
                Seen::Held
            }
            Fact::Answered { request, status, by, .. } => self.answered(mesh, request, status, by),
            _ => Seen::Nothing,
        }
    }
}

impl Notice {
    fn answered(&mut self, mesh: &Mesh, request: usize, status: u16, by: Option<usize>) -> Seen {
        let (this, health) = (&mesh.requests[request], &mesh.sketch.health);
        let at = &mesh.gateways[this.gateway];
        // Whoever answers well starts its row again, in whoever's place it does.
        if let Some(by) = by.filter(|_| status < 500) {
            self.rows.remove(&(this.gateway, at.key(this.ask.service, by)));
        }
        let (Some(first), Some(planned)) = (this.tries.first(), this.route.first()) else { return Seen::Nothing };
        let key = at.key(this.ask.service, *planned);
        // Who is in use and has a full row now had it a moment ago, when it should have been ejected.
        let usage = at.ledger.use_of(key, at.wall(mesh.now), health.ramp);
        let place = (this.gateway, key);
        if health.gateway_errors == 0 || health.most < 100 {
            return Seen::Nothing;
        }
        if usage >= Use::HalfOpen {
            self.rows.remove(&place);
            return Seen::Nothing;
        }
        if let Some(row) = self.rows.get(&place)
            && row.length >= health.gateway_errors
        {
            return Seen::Broken(format!(
                "{} had {} errors in a row at gateway {} and is in use",
                named(key),
                row.length,
                this.gateway
            ));
        }
        let failed = (502..=504).contains(&status) || (this.tries.len() > 1 && by != Some(*planned));
        if first != planned || at.vms[this.worker].number != this.vm {
            return Seen::Nothing;
        }
        let row = self.rows.get(&place).copied().filter(|row| mesh.now - row.since < health.longest);
        let row = row.unwrap_or(Row { since: mesh.now, length: 0 });
        if failed && status != 500 {
            self.rows.insert(place, Row { length: row.length + 1, ..row });
        } else {
            self.rows.remove(&place);
        }
        Seen::Nothing
    }
}
