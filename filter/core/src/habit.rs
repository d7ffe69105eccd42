//! What requests usually are, so that the cheaper question comes first.
//!
//! While all is well a request matters only if it brings a header that few or nearly all requests of a gateway bring. A host that is asked
//! for a header that is not there answers for less than all headers cost, but one that is there costs as much as all of them, which are
//! needed then as well (`bench/RESULTS.md`). So whoever expects that the header is there begins with all of them. Two bits remember what the
//! last requests were, as a processor foresees a branch: one request out of the ordinary changes nothing, two do.

/// What is expected of the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habit(u8);

impl Habit {
    const MOST: u8 = 3;

    /// Whether the next request will probably matter.
    #[must_use]
    pub fn matters(self) -> bool {
        self.0 > Self::MOST / 2
    }

    /// After a request that did, or did not.
    #[must_use]
    pub fn after(self, mattered: bool) -> Self {
        Self(if mattered { (self.0 + 1).min(Self::MOST) } else { self.0.saturating_sub(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;

    fn after(requests: &[bool]) -> Habit {
        requests.iter().fold(Habit::default(), |habit, mattered| habit.after(*mattered))
    }

    #[test]
    fn nothing_is_expected_of_the_first_request() {
        assert!(!Habit::default().matters());
    }

    #[test]
    fn two_in_a_row_are_a_habit() {
        assert!(!after(&[true]).matters());
        assert!(after(&[true, true]).matters());
    }

    #[test]
    fn one_out_of_the_ordinary_changes_no_habit() {
        assert!(after(&[true, true, true, true, false]).matters());
        assert!(!after(&[false, false, true]).matters());
    }

    #[test]
    fn a_habit_ends_after_two() {
        assert!(!after(&[true, true, true, true, false, false]).matters());
    }
}
