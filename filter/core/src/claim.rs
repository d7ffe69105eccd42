//! What a token says of who is asking, once somebody has checked it.
//!
//! Envoy's `envoy.filters.http.jwt_authn` checks tokens, and leaves what a good one says in the stream's metadata, under `payload`, as
//! Istio has it do. A client writes none of it, so a fence may hang on a claim as it stands. Matching is the native table's (Istio's
//! `@request.auth.claims`): a claim holds a value that is its text, or one text of its list, byte for byte; numbers, truths and objects
//! hold nothing. Nobody reads a claim that no rule asks for. What a list looks like here was seen on Envoy 1.36 and 1.40.

use crate::header_map::HeaderMap;

/// Where the host keeps what a checked token says, as a property's path; the names inside follow.
const PAYLOAD: &str = "metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0payload";

/// A claim that must hold one exact value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimMatch {
    claim: String,
    value: String,
    property: String,
}

/// Where claims can be asked for.
pub trait Claims {
    /// Whether the request's token holds what is asked.
    fn holds(&self, claim: &ClaimMatch) -> bool;
}

/// No token, or none that was checked.
impl Claims for () {
    fn holds(&self, _: &ClaimMatch) -> bool {
        false
    }
}

impl ClaimMatch {
    /// A claim, with `.` between the names of nested ones (`realm.tenant`), and its value. `None` where that is no claim.
    #[must_use]
    pub fn new(claim: &str, value: &str) -> Option<Self> {
        // What cannot stand in Istio's word for it, or would end a name in a property's path.
        let letter = |byte: u8| byte.is_ascii_graphic() && !b"[]\"\\".contains(&byte);
        let valid = claim.len() <= 256 && claim.split('.').all(|name| !name.is_empty() && name.bytes().all(letter));
        let property = || [PAYLOAD, "\0", &claim.replace('.', "\0")].concat();
        valid.then(|| Self { claim: claim.to_owned(), value: value.to_owned(), property: property() })
    }

    /// The claim, with `.` between the names of nested ones.
    #[must_use]
    pub fn claim(&self) -> &str {
        &self.claim
    }

    /// Its names, from the outside in.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.claim.split('.')
    }

    /// The one value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The path of the host's property that holds it.
    #[must_use]
    pub fn property(&self) -> &[u8] {
        self.property.as_bytes()
    }

    /// Whether the host's property says so: a text as it is, or a list, which Envoy writes as a header map of names without values.
    #[must_use]
    pub fn is_in(&self, property: Vec<u8>) -> bool {
        let value = self.value.as_bytes();
        property == value || HeaderMap::new(property).iter().any(|(text, rest)| text == value && rest.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;

    fn tenant() -> ClaimMatch {
        ClaimMatch::new("tenant", "acme").unwrap()
    }

    /// Pairs as the host writes them: how many, their lengths, and then each part with a zero behind it.
    fn pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
        let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let mut bytes = number(pairs.len()).to_vec();
        bytes.extend(pairs.iter().flat_map(|(name, value)| [number(name.len()), number(value.len())].concat()));
        bytes.extend(pairs.iter().flat_map(|(name, value)| [name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat()));
        bytes
    }

    /// A list as Envoy writes one.
    fn list(texts: &[&str]) -> Vec<u8> {
        pairs(&texts.iter().map(|text| (*text, "")).collect::<Vec<_>>())
    }

    #[test]
    fn a_text_is_the_value_or_is_not() {
        for (property, holds) in [("acme", true), ("Acme", false), ("acme ", false), ("acm", false), ("", false)] {
            assert_eq!(tenant().is_in(property.into()), holds, "{property}");
        }
    }

    #[test]
    fn a_list_holds_each_of_its_texts_and_no_part_of_one() {
        let long = "x".repeat(300);
        assert!(tenant().is_in(list(&["acme"])));
        assert!(tenant().is_in(list(&["other", &long, "acme"])));
        assert!(!tenant().is_in(list(&["acme2", "xacme", ""])));
        assert!(!tenant().is_in(list(&[])));
    }

    #[test]
    fn an_object_with_that_key_is_no_list() {
        assert!(!tenant().is_in(pairs(&[("acme", "acme")])));
    }

    #[test]
    fn bytes_that_end_before_the_text_does_hold_nothing() {
        let whole = list(&["acme"]);
        let text = whole.len() - "acme\0\0".len();
        for end in 0..text + "acme".len() {
            assert!(!tenant().is_in(whole[..end].to_vec()), "{end}");
        }
    }

    #[test]
    fn nested_claims_are_nested_properties() {
        let claim = ClaimMatch::new("realm.tenant", "acme").unwrap();
        assert!(claim.property().ends_with(b"\0payload\0realm\0tenant"));
        assert!(claim.names().eq(["realm", "tenant"]));
    }

    #[test]
    fn what_istio_has_no_word_for_is_no_claim() {
        for claim in ["", ".", "a.", ".a", "a..b", "a b", "a[0]", "a\0b", "é"] {
            assert_eq!(ClaimMatch::new(claim, "acme"), None, "{claim}");
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    mod properties {
        use super::*;
        use proptest::collection::vec;
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn any_bytes_are_read_without_a_trap(bytes in vec(any::<u8>(), 0..64)) {
                let _ = tenant().is_in(bytes);
            }

            #[test]
            fn a_list_holds_what_it_lists(texts in vec("[a-z]{0,200}", 0..5)) {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                for text in &texts {
                    prop_assert!(ClaimMatch::new("tenant", text).unwrap().is_in(list(&texts)));
                }
                prop_assert_eq!(tenant().is_in(list(&texts)), texts.contains(&"acme"));
            }
        }
    }
}
