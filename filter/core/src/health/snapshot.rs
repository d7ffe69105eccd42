//! Health as bytes, to be shared between the workers of one Envoy.
//!
//! Fixed-size little-endian records behind a version byte. Workers of one Envoy may run two versions of the module for a while, and the
//! shared store belongs to nobody: bytes that do not parse are taken as "nothing known", never as an error.

use super::cell::Cell;
use super::window::{Counts, Window};
use super::{CellKey, Health};
use crate::ids::{RegionId, ServiceId};
use crate::policy::Timestamp;

const VERSION: u8 = 3;
const SHORTS: usize = 8;
const WORDS: usize = 4;
const TIMES: usize = 8;
const RECORD: usize = SHORTS * 2 + WORDS * 4 + TIMES * 8;

impl Health {
    /// The bytes another worker can read with [`Health::from_bytes`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.cells.len() * RECORD);
        bytes.push(VERSION);
        for (key, cell) in &self.cells {
            let shorts: [u16; SHORTS] = [
                key.service.0,
                key.region.0,
                cell.gateway_errors,
                cell.server_errors,
                cell.times,
                cell.tokens_out,
                cell.probe_failures,
                cell.probe_passes,
            ];
            let Window { now, before, .. } = cell.window;
            let words: [u32; WORDS] = [now.requests, now.failures, before.requests, before.failures];
            let times: [Timestamp; TIMES] = [
                cell.until,
                cell.due,
                cell.ramp_from,
                cell.window.start,
                cell.absent_since,
                cell.stalled_since,
                cell.unreachable_at,
                cell.probed_at,
            ];
            shorts.iter().for_each(|short| bytes.extend_from_slice(&short.to_le_bytes()));
            words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
            times.iter().for_each(|time| bytes.extend_from_slice(&time.0.to_le_bytes()));
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
    let (shorts, rest) = bytes.split_at_checked(SHORTS * 2)?;
    let (words, times) = rest.split_at_checked(WORDS * 4)?;
    let mut shorts = shorts.chunks_exact(2).map(|two| two.try_into().map_or(0, u16::from_le_bytes));
    let mut words = words.chunks_exact(4).map(|four| four.try_into().map_or(0, u32::from_le_bytes));
    let mut times = times.chunks_exact(8).map(|eight| Timestamp(eight.try_into().map_or(0, u64::from_le_bytes)));
    let key = CellKey { service: ServiceId(shorts.next()?), region: RegionId(shorts.next()?) };
    // Fields are read in the order they are written.
    let (gateway_errors, server_errors) = (shorts.next()?, shorts.next()?);
    let (ejections, tokens_out) = (shorts.next()?, shorts.next()?);
    let (probe_failures, probe_passes) = (shorts.next()?, shorts.next()?);
    let counts = Counts { requests: words.next()?, failures: words.next()? };
    let before = Counts { requests: words.next()?, failures: words.next()? };
    let (until, due, ramp_from) = (times.next()?, times.next()?, times.next()?);
    let window = Window { start: times.next()?, now: counts, before };
    let (absent_since, stalled_since) = (times.next()?, times.next()?);
    let (unreachable_at, probed_at) = (times.next()?, times.next()?);
    let cell = Cell {
        gateway_errors,
        server_errors,
        times: ejections,
        tokens_out,
        until,
        due,
        ramp_from,
        window,
        absent_since,
        stalled_since,
        unreachable_at,
        probed_at,
        probe_failures,
        probe_passes,
    };
    Some((key, cell))
}
