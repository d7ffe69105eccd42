//! What requests leave behind for their responses, in a ring keyed by the host's number of the stream.
//!
//! A host numbers streams one after the other, so a request's place is taken again [`PLACES`] streams later, and nobody has to be told
//! that a stream ended. Who finds another's trail in its place, because it was open for so long, has lost its own, and what its response
//! teaches is asked of the host instead. The ring is made when the first trail is left: a VM in which nothing was ever decided has none.

use crate::stream::Trail;
use std::cell::RefCell;

/// So many streams later a trail is gone: more than a worker has open, and 600 KiB.
const PLACES: usize = 4096;

/// The trails of a VM.
#[derive(Default)]
pub(crate) struct Trails(RefCell<Vec<Option<(u32, Trail)>>>);

impl Trails {
    /// Leaves a trail.
    pub(crate) fn leave(&self, stream: u32, trail: Trail) {
        let mut places = self.0.borrow_mut();
        if places.is_empty() {
            places.resize_with(PLACES, || None);
        }
        if let Some(place) = places.get_mut(place(stream)) {
            *place = Some((stream, trail));
        }
    }

    /// Takes the trail of a stream, if it left one and it is still there.
    pub(crate) fn take(&self, stream: u32) -> Option<Trail> {
        let mut places = self.0.borrow_mut();
        let place = places.get_mut(place(stream))?;
        if place.as_ref().is_some_and(|(owner, _)| *owner == stream) {
            place.take().map(|(_, trail)| trail)
        } else {
            None
        }
    }
}

fn place(stream: u32) -> usize {
    stream as usize % PLACES
}
