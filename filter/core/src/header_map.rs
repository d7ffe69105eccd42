//! A header map as proxy-wasm serialises it, read in place.
//!
//! The host hands over one block: the number of pairs, the length of every name and value, then the bytes, each followed by a zero
//! (proxy-wasm ABI 0.2.1, `proxy_get_header_map_pairs`). Looking headers up in that block costs no allocation, whatever their number,
//! and a block that is not what the ABI promises is an empty map rather than a trap.

use crate::request::{HeaderLines, Lines};

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
        self.places().map_while(|place| self.pair(&place))
    }

    /// The lines of several headers, by their lower-case names, in one pass over the block. The names are different ones.
    #[must_use]
    pub fn several<const N: usize>(&self, names: [&str; N]) -> [Lines<'_>; N] {
        let mut found = [Lines::None; N];
        // Most headers are none of them, and most of those have a length that none of them has.
        let lengths = names.iter().fold(0, |lengths, name| lengths | bit(name.len() as u64));
        for place in self.places().filter(|place| lengths & bit(place.name_size) != 0) {
            let Some((name, value)) = self.pair(&place) else { break };
            let wanted = names.iter().zip(&mut found).find(|(wanted, _)| is_same(wanted.as_bytes(), name));
            if let Some((_, lines)) = wanted {
                *lines = lines.and(value);
            }
        }
        found
    }

    /// The name and the value at a place, if it is wholly there.
    fn pair(&self, place: &Place) -> Option<(&[u8], &[u8])> {
        let (name_size, value_size) = (place.name_size as usize, place.value_size as usize);
        let (name, rest) = self.block.get(usize::try_from(place.at).ok()?..)?.split_at_checked(name_size)?;
        let (value, behind) = rest.get(1..)?.split_at_checked(value_size)?;
        (!behind.is_empty()).then_some((name, value))
    }

    /// Where every pair is, as the block says.
    fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let (lengths, at) = self.lengths().unwrap_or((&[], 0));
        let mut at = at as u64;
        lengths.iter().map(move |pair| {
            let both = u64::from_le_bytes(*pair);
            let place = Place { at, name_size: both & 0xffff_ffff, value_size: both >> 32 };
            at += place.name_size + place.value_size + 2;
            place
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

/// A bit for a length.
fn bit(length: u64) -> u64 {
    1 << (length % 64)
}

/// Whether two texts are one, eight bytes at a time: what a compiler makes of `==` for WebAssembly is a call, and a loop over bytes.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let eight = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let four = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
    // What is left at the end is compared together with what stands before it.
    if let (Some(last), Some(other_last)) = (one.last_chunk(), other.last_chunk()) {
        let (one, other) = (one.as_chunks().0, other.as_chunks().0);
        eight(last) == eight(other_last) && one.iter().zip(other).all(|(one, other)| eight(one) == eight(other))
    } else if let (Some((first, _)), Some((other_first, _))) = (one.split_first_chunk(), other.split_first_chunk())
        && let (Some(last), Some(other_last)) = (one.last_chunk(), other.last_chunk())
    {
        four(first) == four(other_first) && four(last) == four(other_last)
    } else {
        one.iter().zip(other).all(|(one, other)| one == other)
    }
}

/// Where a name and its value are in a block, if what it says is true. In 64 bits, in which no sum of a block's own lengths can overflow.
struct Place {
    at: u64,
    name_size: u64,
    value_size: u64,
}

impl HeaderLines for HeaderMap {
    fn lines(&self, name: &str) -> Lines<'_> {
        let wanted = name.len() as u64;
        let mut lines = Lines::None;
        for place in self.places().filter(|place| place.name_size == wanted) {
            let Some((found, value)) = self.pair(&place) else { break };
            if is_same(name.as_bytes(), found) {
                lines = lines.and(value);
            }
        }
        lines
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
        assert_eq!(map.several(["x", "y", "region"]), [Lines::One(b""), Lines::None, Lines::Several]);
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
