//! The facts of one request, as bytes. What a client sent is never assumed to be text.

use crate::claim::Claims;

/// A header's lines: a value that comes twice is not two votes, it is a request nobody should guess about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines<'a> {
    /// The header is not there.
    None,
    /// It came once, with this value.
    One(&'a [u8]),
    /// It came more than once.
    Several,
}

impl<'a> Lines<'a> {
    /// With one line more.
    pub(crate) fn and(self, value: &'a [u8]) -> Self {
        match self {
            Self::None => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

/// The header lines of a request, as the host gave them: lower-case names, pseudo-headers included; and what its token says.
#[derive(Clone, Copy)]
pub struct RequestFacts<'a> {
    headers: &'a dyn HeaderLines,
    claims: &'a dyn Claims,
}

/// Where header lines can be looked up.
pub trait HeaderLines {
    /// The lines of the header with this lower-case name.
    fn lines(&self, name: &str) -> Lines<'_>;
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> HeaderLines for [(N, V)] {
    fn lines(&self, name: &str) -> Lines<'_> {
        let mut found = self.iter().filter(|(header, _)| header.as_ref() == name.as_bytes());
        match (found.next(), found.next()) {
            (None, _) => Lines::None,
            (Some((_, value)), None) => Lines::One(value.as_ref()),
            (Some(_), Some(_)) => Lines::Several,
        }
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> HeaderLines for Vec<(N, V)> {
    fn lines(&self, name: &str) -> Lines<'_> {
        self.as_slice().lines(name)
    }
}

impl<'a> RequestFacts<'a> {
    /// Facts over these header lines, without a token.
    #[must_use]
    pub fn new(headers: &'a dyn HeaderLines) -> Self {
        Self { headers, claims: &() }
    }

    /// With what a checked token says.
    #[must_use]
    pub fn with_claims(self, claims: &'a dyn Claims) -> Self {
        Self { claims, ..self }
    }

    /// What a checked token says.
    #[must_use]
    pub fn claims(&self) -> &'a dyn Claims {
        self.claims
    }

    /// The lines of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Lines<'a> {
        self.headers.lines(name)
    }

    /// `:authority`.
    #[must_use]
    pub fn authority(&self) -> &'a [u8] {
        self.single(":authority")
    }

    /// `:path` without its query; Envoy matches prefixes on the same part.
    #[must_use]
    pub fn path(&self) -> &'a [u8] {
        let path = self.single(":path");
        path.split(|byte| *byte == b'?' || *byte == b'#').next().unwrap_or(path)
    }

    /// `:method`.
    #[must_use]
    pub fn method(&self) -> &'a [u8] {
        self.single(":method")
    }

    fn single(&self, name: &str) -> &'a [u8] {
        match self.header(name) {
            Lines::One(value) => value,
            Lines::None | Lines::Several => b"",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;

    #[test]
    fn a_header_that_comes_twice_has_several_lines() {
        let headers = [("region", "eu"), ("region", "eu")];
        assert_eq!(headers.as_slice().lines("region"), Lines::Several);
    }

    #[test]
    fn the_path_ends_at_the_query() {
        let headers = vec![(":path", "/a/b?c=/d")];
        assert_eq!(RequestFacts::new(&headers).path(), b"/a/b");
    }

    #[test]
    fn what_is_not_there_is_empty() {
        let headers: Vec<(&str, &str)> = vec![];
        assert_eq!(RequestFacts::new(&headers).authority(), b"");
    }
}
