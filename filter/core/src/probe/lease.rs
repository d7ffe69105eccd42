//! Who asks: one worker of an Envoy, for as long as it goes on saying so.
//!
//! Every worker runs the same filter, and each of them asking would multiply the probes by their number. So the one that asks holds a
//! lease in the store they share: taken by compare-and-set, true for one interval, renewed when half of it is over. Every worker looks at
//! every tick, so when the holder is gone another takes over within an interval and a tick. A holder that comes back late finds
//! somebody else's lease and does not ask beside it. A lease is known by being exactly what its holder wrote, with a number that no
//! two of them share, so nobody needs a name.
//!
//! After a new configuration the workers of the old one run on for as long as their connections drain. They may ask the wrong thing, so
//! a worker of another revision that was configured later takes the lease at once, and never the other way round. Workers of one
//! revision ask the same, and wait for each other: they are configured one after the other, and each would begin with a question.

use super::millis;
use crate::policy::Timestamp;
use crate::worker::{Read, Store, Version, Written};
use std::time::Duration;

const VERSION: u8 = 1;
/// Milliseconds. Workers read the same clock one after the other; a lease from further ahead is from before the clock was set back.
const TOLERANCE: u64 = 1_000;

/// One worker's part in who asks.
#[derive(Clone, Debug)]
pub struct Lease {
    /// In milliseconds.
    term: u64,
    born: Timestamp,
    revision: u16,
    mine: Option<Held>,
}

/// What the store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    /// One more than the last one's.
    number: u64,
    /// When its holder was configured.
    born: Timestamp,
    /// Of its holder's policy.
    revision: u16,
    from: Timestamp,
    until: Timestamp,
}

impl Lease {
    /// A worker's that was configured at `born` with a policy of this revision; a lease is good for `term`.
    #[must_use]
    pub fn new(term: Duration, born: Timestamp, revision: u16) -> Self {
        Self { term: millis(term), born, revision, mine: None }
    }

    /// Takes or renews the lease if that is right at `now`, and says whether this worker holds it.
    pub fn hold(&mut self, store: &impl Store, now: Timestamp) -> bool {
        let (held, version) = match store.read() {
            Read::Value(bytes, version) => (Held::from_bytes(&bytes), version),
            Read::Nothing => (None, Version::FIRST),
            // Who cannot see whether somebody else asks does not.
            Read::Failed => return false,
        };
        if let Some(held) = held {
            let mine = self.mine == Some(held);
            if mine && held.is_good(now) && now.0.saturating_add(self.term / 2) < held.until.0 {
                return true;
            }
            let outdated = held.revision != self.revision && held.born < self.born;
            if !mine && held.is_good(now) && !outdated {
                return false;
            }
        }
        let next = Held {
            number: held.map_or(0, |held| held.number).wrapping_add(1),
            born: self.born,
            revision: self.revision,
            from: now,
            until: Timestamp(now.0.saturating_add(self.term)),
        };
        self.mine = (store.write(&next.to_bytes(), version) == Written::Done).then_some(next);
        self.mine.is_some()
    }

    /// Whether these bytes are what this worker wrote last.
    #[cfg(test)]
    pub(super) fn is_written(&self, bytes: &[u8]) -> bool {
        self.mine.is_some() && Held::from_bytes(bytes) == self.mine
    }
}

impl Held {
    /// Whether it has begun and is not over.
    fn is_good(&self, now: Timestamp) -> bool {
        self.from.0 <= now.0.saturating_add(TOLERANCE) && now < self.until
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for word in [self.number, self.born.0, u64::from(self.revision), self.from.0, self.until.0] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// `None` for bytes that nobody wrote here: the store belongs to nobody.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (version, words) = bytes.split_first()?;
        if *version != VERSION || words.len() != 40 {
            return None;
        }
        let mut words = words.chunks_exact(8).map(|eight| eight.try_into().map_or(0, u64::from_le_bytes));
        let (number, born) = (words.next()?, Timestamp(words.next()?));
        let revision = u16::try_from(words.next()?).ok()?;
        Some(Self { number, born, revision, from: Timestamp(words.next()?), until: Timestamp(words.next()?) })
    }
}
