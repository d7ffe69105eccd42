//! Health that all workers of an Envoy share.
//!
//! The truth is one value in the host's shared store, changed by compare-and-set; every worker keeps a copy. While all is well nobody
//! reads the store: a worker learns that something is wrong when another one rings, by its own first error, which it records in the
//! store and so sees everybody else's, or by the next tick, whichever comes first. While anything is known against a region it reads
//! the store before it decides, once a millisecond at most. Whoever changes the value rings if that is news: something is known where all
//! was quiet, or a region is used for another share than before. Between those, errors that are merely counted are nobody's business but
//! the store's. A ring says nothing beyond itself, so one that is lost, late or doubled does no harm. So a lost region costs
//! `consecutiveGatewayErrors` requests in all and those that are under way, and a healthy one costs nothing.

use crate::health::Health;
use std::cell::{Cell, Ref, RefCell};

/// A compare-and-set that loses this often in a row gives up and keeps its change to itself.
pub(super) const TRIES: u32 = 16;

/// One value that all workers of an Envoy can read and change.
pub trait Store {
    /// The value, as it is.
    fn read(&self) -> Read;

    /// Puts another value in its place, if nobody else has since the change `since`.
    fn write(&self, value: &[u8], since: Version) -> Written;

    /// Tells the other workers, at once or never, that there is another value ([`Worker::heard`](super::Worker::heard)). A host that
    /// cannot do that leaves them to their ticks.
    fn ring(&self) {}
}

/// What a [`Store`] holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Nothing yet.
    Nothing,
    /// This, as of this change.
    Value(Vec<u8>, Version),
    /// Nobody knows: the host did not say.
    Failed,
}

/// A change of the value in a [`Store`]: a number that is never the same for two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub u32);

impl Version {
    /// Before the first change. No real one has this number, so that only one of many can be the first.
    pub const FIRST: Self = Self(u32::MAX);
}

/// What became of a [`Store::write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It holds.
    Done,
    /// Somebody else was faster.
    Raced,
    /// The host refused.
    Failed,
}

/// A worker's view of the shared health.
#[derive(Debug, Default)]
pub(super) struct SharedHealth {
    copy: RefCell<Health>,
    read_at: Cell<Option<Version>>,
}

impl SharedHealth {
    /// This worker's copy.
    pub(super) fn view(&self) -> Ref<'_, Health> {
        self.copy.borrow()
    }

    /// Brings the copy up to date.
    pub(super) fn refresh(&self, store: &impl Store) {
        if let Read::Value(bytes, version) = store.read()
            && self.read_at.get() != Some(version)
        {
            self.copy.replace(Health::from_bytes(&bytes).unwrap_or_default());
            self.read_at.set(Some(version));
        }
    }

    /// Changes the shared health. `change` may run several times, each time on fresher health; its last answer is returned.
    pub(super) fn update<T>(&self, store: &impl Store, mut change: impl FnMut(&mut Health) -> T) -> T {
        for _ in 0..TRIES {
            let Some((before, version)) = latest(store) else { break };
            let mut health = before.clone();
            let answer = change(&mut health);
            match self.commit(store, &before, health, version) {
                Written::Done => return answer,
                Written::Raced => {}
                Written::Failed => break,
            }
        }
        change(&mut self.copy.borrow_mut())
    }

    /// Puts `health` in the place of what was there `before`, and tells the others if that is news.
    fn commit(&self, store: &impl Store, before: &Health, health: Health, version: Version) -> Written {
        let written = if health == *before { Written::Done } else { store.write(&health.to_bytes(), version) };
        if written == Written::Done {
            if health.is_news_after(before) {
                store.ring();
            }
            self.copy.replace(health);
            self.read_at.set(None);
        }
        written
    }
}

/// Health as it is now; somebody else's bytes are none. `None`: the host does not say.
fn latest(store: &impl Store) -> Option<(Health, Version)> {
    match store.read() {
        Read::Value(bytes, version) => Some((Health::from_bytes(&bytes).unwrap_or_default(), version)),
        Read::Nothing => Some((Health::default(), Version::FIRST)),
        Read::Failed => None,
    }
}
