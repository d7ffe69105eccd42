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
        let count = self.number(0).unwrap_or(0);
        let mut at = count.checked_mul(8).and_then(|lengths| lengths.checked_add(4)).unwrap_or(usize::MAX);
        (0..count).map_while(move |index| {
            let name = self.take(&mut at, self.number(4 + index * 8)?)?;
            let value = self.take(&mut at, self.number(8 + index * 8)?)?;
            Some((name, value))
        })
    }

    fn number(&self, at: usize) -> Option<usize> {
        let bytes = self.block.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    }

    fn take(&self, at: &mut usize, length: usize) -> Option<&[u8]> {
        let end = at.checked_add(length)?;
        let bytes = self.block.get(*at..end)?;
        *at = end.checked_add(1)?;
        Some(bytes)
    }
}

impl HeaderLines for HeaderMap {
    fn lines(&self, name: &str) -> Lines<'_> {
        let mut found = self.iter().filter(|(header, _)| *header == name.as_bytes());
        match (found.next(), found.next()) {
            (None, _) => Lines::None,
            (Some((_, value)), None) => Lines::One(value),
            (Some(_), Some(_)) => Lines::Several,
        }
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
            let _ = HeaderMap::new(block[..end].to_vec()).iter().count();
        }
    }

    #[test]
    fn a_block_that_promises_more_than_it_holds_is_no_trap() {
        assert_eq!(HeaderMap::new(vec![0xff; 64]).iter().count(), 0);
    }
}
