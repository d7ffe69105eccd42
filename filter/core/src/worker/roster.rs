//! Who can be told of news: the workers of one Envoy, each in a slot of a list that they share.
//!
//! A host delivers a queue's messages to the worker that registered the queue last, so each worker needs a queue of its own, and the
//! others have to find it. The list is a second value in the store, of its own and not of a policy's: it is about workers, and a worker
//! that is told in vain has lost a microsecond. A slot is a lease. Its holder renews it every [`RENEWED_EVERY`], so one that died, in
//! whatever way, is not told for longer than [`LEASE`], which bounds what piles up unread in its queue, and the next worker that begins
//! takes the slot and the queue over. So the list is as long as there ever were workers at the same time, whatever becomes of them.
//! The number of a slot is stable as long as its worker lives, and small: it can name a series of a metric.
//!
//! Nobody tells a worker of its end: a host asks only modules that want to hear of the end of every stream as well, which would cost each
//! of them as much as its request. So a slot is not given back. Who is silent has died if somebody lives who began with it, and has
//! made room if all who live began later: a host puts new workers in the place of all old ones at once.

use super::shared::{Read, Store, TRIES, Version, Written};
use crate::policy::Timestamp;
use std::cell::Cell;
use std::time::Duration;

/// How often a worker says that it is alive.
pub const RENEWED_EVERY: Duration = Duration::from_secs(2);
/// A worker that has not said so for this long has lost its slot to whoever wants it.
pub const LEASE: Duration = Duration::from_secs(10);
/// Workers beyond these hear of news by their ticks alone.
const SLOTS: usize = 128;
/// Workers that begin within this time of each other began together.
const TOGETHER: Duration = Duration::from_secs(30);
const RECORD: usize = 24;

/// A slot of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    /// The host's number of its queue; 0: not known yet.
    queue: u32,
    /// How often it was taken, so that who lost it notices.
    term: u32,
    /// When its holder last said that it is alive; never: its end is told.
    seen: Timestamp,
    /// When its holder began.
    since: Timestamp,
}

impl Slot {
    /// A clock that was put back or forward lets nobody live for long.
    fn is_held(&self, now: Timestamp) -> bool {
        !self.seen.is_never() && self.seen.elapsed(now) < LEASE && self.seen.since(now) < LEASE
    }
}

/// What came of saying that a worker is alive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// The number of its slot.
    pub number: usize,
    /// Slots whose holders made room for those that live now. Each is told once.
    pub ended: Vec<usize>,
}

/// What a worker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    number: usize,
    term: u32,
}

/// A worker as one of all.
#[derive(Debug, Default)]
pub struct Member {
    held: Cell<Option<Held>>,
    renewed_at: Cell<Timestamp>,
}

impl Member {
    /// Whether it is time to [`renew`](Self::renew).
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.renewed_at.get().elapsed(now) >= RENEWED_EVERY || now < self.renewed_at.get()
    }

    /// Says that this worker is alive, and takes a slot if it has none. `queue` registers the queue of a slot by its number and returns
    /// the host's. `None`: there is no slot to be had, or the host fails.
    ///
    /// The queue is registered only by who holds the slot, and again each time: the host delivers to the last one that did, and that may
    /// have been a configuration of this worker that is gone.
    pub fn renew(
        &self,
        store: &impl Store,
        now: Timestamp,
        mut queue: impl FnMut(usize) -> Option<u32>,
    ) -> Option<Renewed> {
        self.renewed_at.set(now);
        let mut told = Vec::new();
        for _ in 0..TRIES {
            let (mut slots, version) = read(store)?;
            let own = self.held.get().filter(|held| slots.get(held.number).is_some_and(|slot| slot.term == held.term));
            let held = match own {
                Some(held) => held,
                None => take(&mut slots, now)?,
            };
            let slot = slots.get_mut(held.number)?;
            slot.seen = now;
            if own.is_some() {
                slot.queue = queue(held.number).unwrap_or_default();
            }
            let ended = end(&mut slots, now);
            match store.write(&to_bytes(&slots), version) {
                Written::Done => self.held.set(Some(held)),
                Written::Raced => continue,
                Written::Failed => return None,
            }
            told.extend(ended);
            if own.is_some() {
                return Some(Renewed { number: held.number, ended: told });
            }
        }
        None
    }

    /// The queues of all other workers that are alive.
    #[must_use]
    pub fn others(&self, store: &impl Store, now: Timestamp) -> Vec<u32> {
        let Some((slots, _)) = read(store) else { return Vec::new() };
        let own = self.held.get().map(|held| held.number);
        let others = slots.iter().enumerate().filter(|(number, slot)| Some(*number) != own && slot.is_held(now));
        others.map(|(_, slot)| slot.queue).filter(|queue| *queue != 0).collect()
    }
}

/// Ends those whose place others have taken; their numbers.
fn end(slots: &mut [Slot], now: Timestamp) -> Vec<usize> {
    let first = slots.iter().filter(|slot| slot.is_held(now)).map(|slot| slot.since).min();
    let Some(first) = first else { return Vec::new() };
    let ends = |slot: &Slot| !slot.seen.is_never() && !slot.is_held(now) && slot.since.elapsed(first) > TOGETHER;
    let ended = slots.iter_mut().enumerate().filter(|(_, slot)| ends(slot));
    ended.map(|(number, slot)| (number, slot.seen = Timestamp::NEVER).0).collect()
}

/// The first slot that nobody holds. Its queue is kept: a queue goes by the number of its slot.
fn take(slots: &mut Vec<Slot>, now: Timestamp) -> Option<Held> {
    let number = slots.iter().position(|slot| !slot.is_held(now)).unwrap_or(slots.len());
    if number == slots.len() {
        if number >= SLOTS {
            return None;
        }
        slots.push(Slot::default());
    }
    let slot = slots.get_mut(number)?;
    slot.term = slot.term.wrapping_add(1);
    slot.since = now;
    Some(Held { number, term: slot.term })
}

/// Somebody else's bytes are no slots.
fn read(store: &impl Store) -> Option<(Vec<Slot>, Version)> {
    match store.read() {
        Read::Value(bytes, version) => Some((from_bytes(&bytes), version)),
        Read::Nothing => Some((Vec::new(), Version::FIRST)),
        Read::Failed => None,
    }
}

fn to_bytes(slots: &[Slot]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(slots.len() * RECORD);
    for slot in slots {
        bytes.extend_from_slice(&slot.queue.to_le_bytes());
        bytes.extend_from_slice(&slot.term.to_le_bytes());
        bytes.extend_from_slice(&slot.seen.0.to_le_bytes());
        bytes.extend_from_slice(&slot.since.0.to_le_bytes());
    }
    bytes
}

fn from_bytes(bytes: &[u8]) -> Vec<Slot> {
    if !bytes.len().is_multiple_of(RECORD) {
        return Vec::new();
    }
    bytes.chunks_exact(RECORD).take(SLOTS).filter_map(slot).collect()
}

fn slot(bytes: &[u8]) -> Option<Slot> {
    let (queue, rest) = bytes.split_first_chunk()?;
    let (term, rest) = rest.split_first_chunk()?;
    let (seen, rest) = rest.split_first_chunk()?;
    let (since, _) = rest.split_first_chunk()?;
    let time = |bytes: &[u8; 8]| Timestamp(u64::from_le_bytes(*bytes));
    let (queue, term) = (u32::from_le_bytes(*queue), u32::from_le_bytes(*term));
    Some(Slot { queue, term, seen: time(seen), since: time(since) })
}

#[cfg(test)]
mod tests;
