//! Which virtual host a request belongs to, chosen as Envoy chooses it.
//!
//! Envoy looks for the exact host first, then for the longest `*.suffix`, then for `*` (`RouteMatcher::findVirtualHost`,
//! `source/common/router/config_impl.cc`). The same order here, and the port cut off, because the rendered tables ignore it.

use crate::names::{Case, NameMap};

/// A host pattern: `example.com`, `*.example.com` or `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HostPattern {
    Exact(String),
    /// Without the star, with the dot: `.example.com`.
    Suffix(String),
    Any,
}

impl HostPattern {
    /// Parses a pattern; `None` where it is not one. Hosts are lower-cased, as DNS has no case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let (suffix, labels) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let valid = !labels.is_empty()
            && labels.len() <= 253
            && labels.split('.').all(|label| {
                !label.is_empty()
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            });
        let labels = labels.to_ascii_lowercase();
        valid.then(|| if suffix { Self::Suffix(format!(".{labels}")) } else { Self::Exact(labels) })
    }

    /// Whether every host that matches `other` matches this one as well.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Suffix(wide), Self::Suffix(narrow) | Self::Exact(narrow)) => narrow.ends_with(wide.as_str()),
            (Self::Exact(one), Self::Exact(another)) => one == another,
            (Self::Suffix(_) | Self::Exact(_), _) => false,
        }
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Suffix(suffix) => write!(f, "*{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// Finds the virtual host for an authority; its cost does not grow with the number of hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostTable {
    exact: NameMap,
    suffixes: NameMap,
    any: Option<u32>,
}

impl HostTable {
    /// Builds the table from patterns and the position of the virtual host each belongs to.
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = (&'a HostPattern, u32)>) -> Self {
        let (mut exact, mut suffixes, mut any) = (Vec::new(), Vec::new(), None);
        for (pattern, index) in patterns {
            match pattern {
                HostPattern::Exact(host) => exact.push((host.as_str(), index)),
                HostPattern::Suffix(suffix) => suffixes.push((suffix.as_str(), index)),
                HostPattern::Any => any = Some(index),
            }
        }
        let map = |names: Vec<(&str, u32)>| NameMap::new(Case::Ignored, names);
        Self { exact: map(exact), suffixes: map(suffixes), any }
    }

    /// The virtual host for the `:authority` bytes.
    pub(crate) fn find(&self, authority: &[u8]) -> Option<u32> {
        let host = without_port(authority);
        // The dot at a name's end is taken away before anything matches on the host (`strip_trailing_host_dot`).
        let host = host.strip_suffix(b".").unwrap_or(host);
        if let Some(index) = self.exact.get(host) {
            return Some(index);
        }
        // A DNS name is at most 253 bytes; what is longer cannot match a suffix and is not worth scanning.
        let scan = host.len() <= 255;
        let longest_suffix = host
            .iter()
            .enumerate()
            .filter(|(position, byte)| scan && **byte == b'.' && *position > 0)
            .find_map(|(position, _)| host.get(position..).and_then(|suffix| self.suffixes.get(suffix)));
        longest_suffix.or(self.any)
    }
}

/// The authority without `:port`, as Envoy cuts it off (`HeaderUtility::getPortStart`): from the last colon, whatever follows, but not
/// inside the brackets of an IPv6 literal. A client that sends what is no port must not get another decision than the native table's.
fn without_port(authority: &[u8]) -> &[u8] {
    let last = authority.iter().rposition(|byte| matches!(byte, b':' | b']'));
    let colon = last.filter(|at| authority.get(*at) == Some(&b':'));
    colon.and_then(|at| authority.get(..at)).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;

    fn table(patterns: &[&str]) -> HostTable {
        let parsed: Vec<_> = patterns.iter().map(|text| HostPattern::parse(text).unwrap()).collect();
        HostTable::new(parsed.iter().zip(0..))
    }

    #[test]
    fn the_exact_host_wins_over_a_suffix() {
        assert_eq!(table(&["*.example.com", "a.example.com"]).find(b"a.example.com"), Some(1));
    }

    #[test]
    fn the_longest_suffix_wins() {
        assert_eq!(table(&["*.com", "*.example.com", "*"]).find(b"a.example.com"), Some(1));
    }

    #[test]
    fn a_suffix_does_not_match_the_bare_domain() {
        assert_eq!(table(&["*.example.com"]).find(b"example.com"), None);
    }

    #[test]
    fn the_port_does_not_count() {
        assert_eq!(table(&["a.example.com"]).find(b"A.Example.com:8080"), Some(0));
    }

    #[test]
    fn the_dot_at_the_end_does_not_count() {
        assert_eq!(table(&["a.example.com"]).find(b"a.example.com."), Some(0));
        assert_eq!(table(&["*.example.com"]).find(b"a.example.com.:80"), Some(0));
        assert_eq!(table(&["a.example.com"]).find(b"a.example.com.."), None);
    }

    #[test]
    fn what_stands_where_a_port_would_does_not_count_either() {
        assert_eq!(without_port(b"a.example.com:"), b"a.example.com");
        assert_eq!(without_port(b"a.example.com:x1"), b"a.example.com");
        assert_eq!(without_port(b":"), b"");
    }

    #[test]
    fn an_ipv6_literal_is_left_whole() {
        assert_eq!(without_port(b"[::1]:80"), b"[::1]");
        assert_eq!(without_port(b"[::1]"), b"[::1]");
    }

    #[test]
    fn a_star_inside_is_no_pattern() {
        assert_eq!(HostPattern::parse("a.*.com"), None);
        assert_eq!(HostPattern::parse("*a.com"), None);
        assert_eq!(HostPattern::parse("a.com:80"), None);
    }
}
