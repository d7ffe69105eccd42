//! Lookup of names as the bytes that came, without allocating, at a cost that does not grow with the number of names.
//!
//! A table of hashes with more than half of its places free: a name is where its hash says, or a place or two further on. A value that is
//! not text, empty, or 64 KiB long is just another value that is not in the table.

use crate::header_map::is_same;

/// Which names are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// Those that differ in nothing but ASCII case.
    Ignored,
    /// The same bytes.
    Kept,
}

/// Maps names to small numbers. Numbers and not a type of the caller's, because every type would bring another copy into the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameMap {
    case: Case,
    entries: Box<[Entry]>,
    /// Positions in `entries`, from 1; 0: free. Their number is a power of two.
    places: Box<[u32]>,
    longest: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hash: u32,
    value: u32,
    name: Box<[u8]>,
}

impl Entry {
    fn new(name: &[u8], value: u32) -> Self {
        Self { hash: hash(name), value, name: name.into() }
    }
}

impl NameMap {
    /// Builds the table. A name may stand in it more than once; callers that mean it not to report that before.
    pub(crate) fn new(case: Case, names: impl IntoIterator<Item = (impl AsRef<str>, u32)>) -> Self {
        let entry = |(name, value): (_, u32)| Entry::new(AsRef::<str>::as_ref(&name).as_bytes(), value);
        Self::of(case, names.into_iter().map(entry).collect())
    }

    fn of(case: Case, entries: Box<[Entry]>) -> Self {
        let mut places = vec![0_u32; (entries.len() * 2 + 1).next_power_of_two()].into_boxed_slice();
        for (entry, position) in entries.iter().zip(1..) {
            let free = Self::path(entry.hash, places.len()).find(|at| places.get(*at) == Some(&0));
            if let Some(place) = free.and_then(|at| places.get_mut(at)) {
                *place = position;
            }
        }
        let longest = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
        Self { case, entries, places, longest }
    }

    /// The places where a hash may be, in order.
    fn path(hash: u32, places: usize) -> impl Iterator<Item = usize> {
        (0..places).map(move |step| (hash as usize).wrapping_add(step) & (places - 1))
    }

    /// The value for `name`; of several, the first.
    pub(crate) fn get(&self, name: &[u8]) -> Option<u32> {
        self.find(name, &|_| true)
    }

    /// The first value for `name` that is accepted.
    pub(crate) fn find(&self, name: &[u8], accepts: &dyn Fn(u32) -> bool) -> Option<u32> {
        if name.len() > self.longest {
            return None;
        }
        let wanted = hash(name);
        for at in Self::path(wanted, self.places.len()) {
            let position = self.places.get(at)?.checked_sub(1)?;
            let entry = self.entries.get(position as usize)?;
            if entry.hash == wanted && self.is_same(&entry.name, name) && accepts(entry.value) {
                return Some(entry.value);
            }
        }
        None
    }

    fn is_same(&self, one: &[u8], other: &[u8]) -> bool {
        is_same(one, other) || (self.case == Case::Ignored && one.eq_ignore_ascii_case(other))
    }
}

/// A hash of the bytes without their ASCII case, eight at a time: short keys, no state, the same on every machine. Not one that withstands
/// an adversary, who would have to write the policy: what clients send is only looked up.
fn hash(name: &[u8]) -> u32 {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    /// Sets the bit by which the case of an ASCII letter differs.
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let (words, rest) = name.as_chunks();
    let rest = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain([rest]);
    let mixed = words.fold(name.len() as u64, |hash, word| {
        let hash = (hash ^ (word | LOWER)).wrapping_mul(SPREAD);
        hash ^ (hash >> 32)
    });
    // Both halves depend on every byte by now.
    (mixed.wrapping_mul(SPREAD) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;

    fn map(case: Case) -> NameMap {
        NameMap::new(case, [("us-west", 1), ("EU", 2), ("us-west", 3)])
    }

    #[test]
    fn a_name_is_found_in_any_case_where_case_does_not_count() {
        assert_eq!(map(Case::Ignored).get(b"Us-West"), Some(1));
        assert_eq!(map(Case::Ignored).get(b"eu"), Some(2));
        assert_eq!(map(Case::Kept).get(b"eu"), None);
        assert_eq!(map(Case::Kept).get(b"EU"), Some(2));
    }

    #[test]
    fn of_several_with_one_name_the_first_that_is_accepted_is_found() {
        assert_eq!(map(Case::Kept).get(b"us-west"), Some(1));
        assert_eq!(map(Case::Kept).find(b"us-west", &|value| value > 1), Some(3));
        assert_eq!(map(Case::Kept).find(b"us-west", &|value| value > 3), None);
    }

    #[test]
    fn what_is_not_text_is_not_found() {
        assert_eq!(map(Case::Ignored).get(&[0xff, 0xfe]), None);
    }

    #[test]
    fn the_empty_value_is_not_found() {
        assert_eq!(map(Case::Ignored).get(b""), None);
        assert_eq!(NameMap::new(Case::Kept, [("", 0); 0]).get(b""), None);
    }

    #[test]
    fn a_value_of_64_kib_is_not_found() {
        assert_eq!(map(Case::Ignored).get(&vec![b'e'; 65536]), None);
    }

    #[test]
    fn a_thousand_names_of_one_pattern_are_a_place_from_where_their_hash_says() {
        let names = (0..1_000).map(|n| (format!("region-{n:04}.example.com"), n));
        let map = NameMap::new(Case::Ignored, names);
        let steps = |hash, position| NameMap::path(hash, map.places.len()).position(|at| map.places[at] == position);
        let steps = map.entries.iter().zip(1..).map(|(entry, position)| steps(entry.hash, position).unwrap());
        let steps: Vec<_> = steps.collect();
        assert!(steps.iter().sum::<usize>() < 1_000 && steps.iter().all(|steps| *steps < 20), "{steps:?}");
        for entry in &map.entries {
            assert_eq!(map.get(&entry.name.to_ascii_uppercase()), Some(entry.value));
        }
    }
}
