//! Who may ask why.
//!
//! An explanation names regions, rules and what is broken right now, which is nobody's business outside. So a response carries one only
//! for a client that shows the key, and the policy holds no more of that key than its digest: the document lies in config maps, in
//! config dumps and in repositories. `public` is for laptops and demos.

use hmac_sha256::Hash;

/// A longer key is nobody's: hashing is paid for by whoever answers, not by whoever asks.
const LONGEST_KEY: usize = 256;

/// `explain`: who is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explain {
    /// Everybody, where a request did not simply get what it asked for.
    pub public: bool,
    /// Whoever has this key, for every request.
    pub key: Option<ExplainKey>,
}

/// The SHA-256 of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExplainKey([u8; 32]);

impl ExplainKey {
    /// Reads a digest in hexadecimal, 64 digits of either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        let mut digits = text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()));
        for byte in &mut digest {
            *byte = digits.next()?? << 4 | digits.next()??;
        }
        digits.next().is_none().then_some(Self(digest))
    }

    /// Whether this is the key. What is compared are digests, so how long it takes tells nothing about the key.
    #[must_use]
    pub fn opens(&self, key: &[u8]) -> bool {
        key.len() <= LONGEST_KEY && Hash::hash(key) == self.0
    }

    /// The digest, in hexadecimal.
    #[must_use]
    pub fn to_hex(&self) -> String {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
        self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;

    /// FIPS 180-2, appendix B.1: the digest of `abc`.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_key_of_the_digest_opens_and_no_other_does() {
        let key = ExplainKey::parse(ABC).unwrap();
        assert!(key.opens(b"abc") && !key.opens(b"abd") && !key.opens(b""));
    }

    #[test]
    fn a_digest_may_be_written_in_capitals() {
        assert_eq!(ExplainKey::parse(&ABC.to_ascii_uppercase()), ExplainKey::parse(ABC));
    }

    #[test]
    fn what_is_not_64_hexadecimal_digits_is_no_digest() {
        for text in ["", "abc", &ABC[1..], &format!("{ABC}0"), &ABC.replace('b', "g")] {
            assert_eq!(ExplainKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_digest_reads_back_as_it_was_written() {
        assert_eq!(ExplainKey::parse(ABC).unwrap().to_hex(), ABC);
    }

    #[test]
    fn an_endless_key_is_not_hashed() {
        let long = [b'a'; LONGEST_KEY + 1];
        let digest: String = Hash::hash(&long).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!ExplainKey::parse(&digest).unwrap().opens(&long));
    }
}
