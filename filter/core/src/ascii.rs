//! Lookup of short names without regard to ASCII case, and without allocating: a header value is looked up as the bytes that came.
//!
//! The table is a sorted list of hashes. Its size does not show in the cost of a lookup (a binary search over numbers), and a value
//! that is not text, empty, or 64 KiB long is just another value that is not in the table.

/// Maps names to small numbers; names differ by more than ASCII case. Numbers and not a type of the caller's, because every type would
/// bring another copy of the sort into the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AsciiMap {
    entries: Vec<(u64, Box<[u8]>, u16)>,
    longest: usize,
}

impl AsciiMap {
    /// Builds the table. Of two names that differ only in case the first stays; callers report duplicates before.
    pub(crate) fn new(names: impl IntoIterator<Item = (String, u16)>) -> Self {
        let mut entries: Vec<_> = names
            .into_iter()
            .map(|(name, value)| (hash(name.as_bytes()), name.into_bytes().into_boxed_slice(), value))
            .collect();
        entries.sort_by_key(|entry| entry.0);
        let longest = entries.iter().map(|entry| entry.1.len()).max().unwrap_or(0);
        Self { entries, longest }
    }

    /// The value for `name`, in any case.
    pub(crate) fn get(&self, name: &[u8]) -> Option<u16> {
        if name.len() > self.longest {
            return None;
        }
        let wanted = hash(name);
        let start = self.entries.partition_point(|entry| entry.0 < wanted);
        self.entries
            .iter()
            .skip(start)
            .take_while(|entry| entry.0 == wanted)
            .find(|entry| entry.1.eq_ignore_ascii_case(name))
            .map(|entry| entry.2)
    }
}

/// FNV-1a over the lower-case bytes: short keys, no state, the same on every machine.
fn hash(name: &[u8]) -> u64 {
    fnv1a(name.iter().map(u8::to_ascii_lowercase))
}

/// FNV-1a, 64 bits.
pub(crate) fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;

    fn map() -> AsciiMap {
        AsciiMap::new([("us-west".to_owned(), 1), ("EU".to_owned(), 2)])
    }

    #[test]
    fn a_name_is_found_in_any_case() {
        assert_eq!(map().get(b"Us-West"), Some(1));
        assert_eq!(map().get(b"eu"), Some(2));
    }

    #[test]
    fn what_is_not_text_is_not_found() {
        assert_eq!(map().get(&[0xff, 0xfe]), None);
    }

    #[test]
    fn the_empty_value_is_not_found() {
        assert_eq!(map().get(b""), None);
    }

    #[test]
    fn a_value_of_64_kib_is_not_found() {
        assert_eq!(map().get(&vec![b'e'; 65536]), None);
    }
}
