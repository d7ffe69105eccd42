//! Health as bytes, to be shared between the workers of one Envoy.
//!
//! Fixed-size little-endian records behind a version byte. Workers of one Envoy may run two versions of the module for a while, and the
//! shared store belongs to nobody: bytes that do not parse are taken as "nothing known", never as an error.

use super::cell::Cell;
use super::{CellKey, Health};
use crate::ids::{RegionId, ServiceId};
use crate::policy::Timestamp;

const VERSION: u8 = 1;
const RECORD: usize = 28;

impl Health {
    /// The bytes another worker can read with [`Health::from_bytes`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.cells.len() * RECORD);
        bytes.push(VERSION);
        for (key, cell) in &self.cells {
            for short in
                [key.service.0, key.region.0, cell.gateway_errors, cell.server_errors, cell.times, cell.tokens_out]
            {
                bytes.extend_from_slice(&short.to_le_bytes());
            }
            bytes.extend_from_slice(&cell.until.0.to_le_bytes());
            bytes.extend_from_slice(&cell.due.0.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Health::to_bytes`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (version, records) = bytes.split_first()?;
        if *version != VERSION || records.len() % RECORD != 0 {
            return None;
        }
        let cells: Vec<_> = records.chunks_exact(RECORD).map(record).collect::<Option<_>>()?;
        let sorted = cells.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0));
        sorted.then_some(Self { cells })
    }
}

fn record(bytes: &[u8]) -> Option<(CellKey, Cell)> {
    let short = |index: usize| Some(u16::from_le_bytes(bytes.get(index * 2..index * 2 + 2)?.try_into().ok()?));
    let long = |at: usize| Some(Timestamp(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?)));
    let key = CellKey { service: ServiceId(short(0)?), region: RegionId(short(1)?) };
    let cell = Cell {
        gateway_errors: short(2)?,
        server_errors: short(3)?,
        times: short(4)?,
        tokens_out: short(5)?,
        until: long(12)?,
        due: long(20)?,
    };
    Some((key, cell))
}
