//! A header map as proxy-wasm serialises it, read in place.
//!
//! The host hands over one block: the number of pairs, the length of every name and value, then the bytes, each followed by a zero
//! (proxy-wasm ABI 0.2.1, `proxy_get_header_map_pairs`). Looking headers up in that block costs no allocation, whatever their number,
//! and a block that is not what the ABI promises is an empty map rather than a trap.

use crate::request::{HeaderLines, Lines};
use std::ops::Range;

/// A serialised header map.
#[derive(Clone, Debug, Default)]
pub struct HeaderMap {
    block: Vec<u8>,
}

impl HeaderMap {
    /// Wraps a block as the host gave it.
    #[must_use]
    pub fn new(block: Vec<u8>) -> Self {
        Self { block }
    }

    /// Every pair, in order; stops where the block stops making sense.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.places().filter_map(|Place { name, value }| Some((self.block.get(name)?, self.block.get(value)?)))
    }

    /// Where every pair is that is wholly there.
    fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let (lengths, mut at) = self.lengths().unwrap_or((&[], 0));
        lengths.iter().map_while(move |pair| {
            let both = u64::from_le_bytes(*pair);
            let (name_size, value_size) = ((both & 0xffff_ffff) as usize, (both >> 32) as usize);
            let value = at.checked_add(name_size)?.checked_add(1)?;
            let end = value.checked_add(value_size)?;
            let place = Place { name: at..value - 1, value: value..end };
            at = end.checked_add(1)?;
            (end < self.block.len()).then_some(place)
        })
    }

    /// The lengths of every name and value, and where the texts begin; nothing of a block that is too short for what it promises.
    fn lengths(&self) -> Option<(&[[u8; 8]], usize)> {
        let (count, rest) = self.block.split_first_chunk()?;
        let size = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(8)?;
        let (pairs, _) = rest.get(..size)?.as_chunks();
        Some((pairs, size + 4))
    }
}

/// Where a name and its value are in a block.
struct Place {
    name: Range<usize>,
    value: Range<usize>,
}

impl HeaderLines for HeaderMap {
    /// Only names of the right length are looked at: most lookups pass every line by.
    fn lines(&self, name: &str) -> Lines<'_> {
        let mut found = Lines::None;
        for place in self.places().filter(|place| place.name.len() == name.len()) {
            if self.block.get(place.name) == Some(name.as_bytes()) {
                let Some(value) = self.block.get(place.value) else { break };
                found = match found {
                    Lines::None => Lines::One(value),
                    Lines::One(_) | Lines::Several => return Lines::Several,
                };
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;

    fn serialised(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut block = u32::try_from(pairs.len()).unwrap().to_le_bytes().to_vec();
        for (name, value) in pairs {
            block.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
            block.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
        }
        for (name, value) in pairs {
            block.extend_from_slice(name);
            block.push(0);
            block.extend_from_slice(value);
            block.push(0);
        }
        block
    }

    #[test]
    fn values_are_bytes() {
        let map = HeaderMap::new(serialised(&[(b"region", &[0xff, 0x00, b'e'])]));
        assert_eq!(map.lines("region"), Lines::One(&[0xff, 0x00, b'e']));
    }

    #[test]
    fn a_header_that_comes_twice_has_several_lines() {
        let map = HeaderMap::new(serialised(&[(b"region", b"eu"), (b"x", b""), (b"region", b"eu")]));
        assert_eq!(map.lines("region"), Lines::Several);
        assert_eq!(map.lines("x"), Lines::One(b""));
    }

    #[test]
    fn a_block_cut_off_anywhere_is_no_trap() {
        let block = serialised(&[(b"region", b"eu"), (b":path", b"/")]);
        for end in 0..block.len() {
            let map = HeaderMap::new(block[..end].to_vec());
            assert_eq!(map.lines(":path"), Lines::None, "{end}");
        }
    }

    #[test]
    fn a_block_that_promises_more_than_it_holds_is_no_trap() {
        for promised in [1_u32, 4, u32::MAX] {
            let block = [promised.to_le_bytes().as_slice(), &[0xff; 64]].concat();
            assert_eq!(HeaderMap::new(block).lines(""), Lines::None);
        }
        assert_eq!(HeaderMap::default().lines(""), Lines::None);
    }
}
