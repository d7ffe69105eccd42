//! Which series a name and its tags mean, as a number.
//!
//! A host knows a metric by a number that it gave, and whoever counts has the parts of the metric's name. To put them together for each
//! count, only to find the number, would cost more than the count; so the parts are hashed instead, eight bytes at a time.

const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number of 64 bits for a name and its tags. That two of a few thousand names have the same one has a chance of less than one in a
/// thousand billion, as far as nobody makes them up for that; a policy's author could, and would miscount her own requests.
#[must_use]
pub fn series(name: &str, tags: &[(&str, &str)]) -> u64 {
    tags.iter().fold(text(0, name), |before, (tag, value)| text(text(before, tag), value))
}

/// A text after what came before it.
fn text(before: u64, text: &str) -> u64 {
    let text = text.as_bytes();
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    // What is left at the end is taken together with what stands before it.
    let last = match text.last_chunk() {
        Some(last) => word(last),
        None => text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    // The length keeps apart what is one text from what is two.
    let before = mix(mix(before, text.len() as u64), last);
    text.as_chunks().0.iter().fold(before, |hash, bytes| mix(hash, word(bytes)))
}

/// Multiplying moves what differs upwards only, so the upper half is brought down before as well as after.
fn mix(hash: u64, word: u64) -> u64 {
    let hash = hash ^ word;
    let hash = (hash ^ (hash >> 32)).wrapping_mul(SPREAD);
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;
    use std::collections::HashSet;

    #[test]
    fn half_a_million_names_of_one_pattern_are_as_many_numbers() {
        let letters = || (b'a'..=b'z').map(char::from);
        let mut seen = HashSet::new();
        for (one, two, three, four) in letters().flat_map(|a| {
            letters().flat_map(move |b| letters().flat_map(move |c| letters().map(move |d| (a, b, c, d))))
        }) {
            // Where a weak hash lets differences of neighbouring words cancel each other.
            let name = format!("payment{one}aaa{two}{three}a{four}-service");
            assert!(seen.insert(series("meridian_moved_total", &[("service", &name)])), "{name}");
        }
        assert_eq!(seen.len(), 456_976);
    }

    #[test]
    fn where_one_text_ends_and_the_next_begins_counts() {
        assert_ne!(series("a", &[("bc", "d")]), series("a", &[("b", "cd")]));
        assert_ne!(series("a", &[("b", "")]), series("a", &[("", "b")]));
        assert_ne!(series("a", &[]), series("a", &[("", "")]));
    }
}
