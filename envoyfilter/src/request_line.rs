//! A request as people write one down: `GET https://bookinfo.example.com/productpage region: eu`.
//!
//! What its token says stands among the headers in Istio's word for it: `@request.auth.claims.tenant: acme`, once for each value of a list.

use anyhow::{Context, Result, bail};
use meridian_core::{ClaimMatch, Claims};
use std::str::FromStr;

/// Istio's word for a claim, before its name.
const CLAIM: &str = "@request.auth.claims.";

/// A request's header lines, pseudo-headers included, and what its token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// Claims of a checked token, with `.` between the names of nested ones, and their values.
    pub claims: Vec<(String, String)>,
    /// Lower-case names with their values, in order and as they are sent.
    pub headers: Vec<(String, String)>,
}

impl FromStr for RequestLine {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut words = text.split_whitespace().peekable();
        let method =
            words.next().context("the request is empty; write e.g. 'GET https://bookinfo.example.com/ region: eu'")?;
        let url = words
            .next()
            .with_context(|| format!("`{text}` has no URL; write e.g. 'GET https://bookinfo.example.com/'"))?;
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if authority.is_empty() {
            bail!("`{url}` names no host; write e.g. 'GET https://bookinfo.example.com/'");
        }
        let mut headers = vec![
            (":method".to_owned(), method.to_owned()),
            (":authority".to_owned(), authority.to_owned()),
            (":path".to_owned(), path.to_owned()),
        ];
        let mut claims = Vec::new();
        while let Some(name) = words.next() {
            let Some(name) = name.strip_suffix(':').filter(|name| !name.is_empty()) else {
                bail!("`{name}` is not a header; write e.g. `region: eu`");
            };
            let mut value = Vec::new();
            while let Some(word) = words.next_if(|word| !word.ends_with(':')) {
                value.push(word);
            }
            let value = value.join(" ");
            match name.strip_prefix(CLAIM) {
                Some(claim) => claims.push((claim.to_owned(), value)),
                None if name.starts_with('@') => bail!("`{name}` is not a claim; write e.g. `{CLAIM}tenant: acme`"),
                None => headers.push((name.to_ascii_lowercase(), value)),
            }
        }
        Ok(Self { claims, headers })
    }
}

impl Claims for RequestLine {
    fn holds(&self, claim: &ClaimMatch) -> bool {
        self.claims.iter().any(|(name, value)| name == claim.claim() && value == claim.value())
    }
}

impl RequestLine {
    /// The header lines as Envoy matches them: with its spelling of the path, in which an escaped slash is one if the routes ask for it.
    #[must_use]
    pub fn matched(&self, unescape_slashes: bool) -> Vec<(String, String)> {
        let line = |(name, value): &(String, String)| {
            let value = if name == ":path" { normalized(value, unescape_slashes) } else { value.clone() };
            (name.clone(), value)
        };
        self.headers.iter().map(line).collect()
    }
}

/// The path as Envoy matches it, in Envoy's order: escaped slashes if they are to be unescaped, then what needs no escape unescaped and
/// backslashes turned, then `.` and `..` resolved (RFC 3986 §5.2.4), then slashes merged. The query is left alone.
fn normalized(path: &str, unescape_slashes: bool) -> String {
    let (path, query) = match path.find(['?', '#']) {
        Some(at) => path.split_at(at),
        None => (path, ""),
    };
    let path = unescaped(path, unescape_slashes).replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let merged: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("/{}{}{query}", merged.join("/"), if folder && !merged.is_empty() { "/" } else { "" })
}

/// Letters, digits and `-._~` out of their escapes, and slashes of both kinds where asked for. Once: what comes out is not read again.
fn unescaped(path: &str, slashes: bool) -> String {
    let mut pieces = path.split('%');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.get(..2).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok()).map(char::from);
        let plain = |char: &char| {
            char.is_ascii_alphanumeric() || "-._~".contains(*char) || (slashes && ['/', '\\'].contains(char))
        };
        match (byte.filter(plain), piece.get(2..)) {
            (Some(char), Some(rest)) => {
                text.push(char);
                text.push_str(rest);
            }
            _ => {
                text.push('%');
                text.push_str(piece);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> Vec<(String, String)> {
        text.parse::<RequestLine>().unwrap().headers
    }

    #[test]
    fn headers_follow_the_url() {
        let headers = headers("GET https://a.example.com/x?y=1 Region: eu x-tenant: acme corp");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            headers[1..],
            [
                pair(":authority", "a.example.com"),
                pair(":path", "/x?y=1"),
                pair("region", "eu"),
                pair("x-tenant", "acme corp")
            ]
        );
    }

    #[test]
    fn the_path_is_the_one_envoy_matches() {
        let path = |text: &str| normalized(text, false);
        assert_eq!(path("//api///x"), "/api/x");
        assert_eq!(path("/x/../api/./y/"), "/api/y/");
        assert_eq!(path("/x//../api"), "/x/api", "dots come before slashes");
        assert_eq!(path("/../.."), "/");
        assert_eq!(path("/a/..?x=/../"), "/?x=/../");
        assert_eq!(path("/%61pi/%2e%2E/\\x"), "/x", "what needs no escape has none");
        assert_eq!(headers("GET https://a")[2].1, "/");
    }

    #[test]
    fn an_escaped_slash_is_a_slash_only_where_the_routes_say_so() {
        assert_eq!(normalized("/x%2f..%2Feu%5cy", false), "/x%2f..%2Feu%5cy");
        assert_eq!(normalized("/x%2f..%2Feu%5cy", true), "/eu/y");
        assert_eq!(normalized("/%252feu?z=%2f", true), "/%252feu?z=%2f", "once, and not in the query");
        assert_eq!(normalized("/%2", true), "/%2");
        assert_eq!(normalized("/%zz%é", true), "/%zz%é");
    }

    #[test]
    fn what_a_token_says_is_no_header() {
        let line =
            "GET https://a/ @request.auth.claims.realm.Tenant: acme corp region: eu".parse::<RequestLine>().unwrap();
        assert_eq!(line.headers.len(), 4);
        assert!(line.holds(&ClaimMatch::new("realm.Tenant", "acme corp").unwrap()));
        assert!(!line.holds(&ClaimMatch::new("realm.tenant", "acme corp").unwrap()));
        assert!("GET https://a/ @request.headers.x: y".parse::<RequestLine>().is_err());
    }

    #[test]
    fn a_header_without_a_colon_is_an_error() {
        assert!("GET https://a/ region eu".parse::<RequestLine>().is_err());
    }
}
