//! A request as people write one down: `GET https://bookinfo.example.com/productpage region: eu`.

use anyhow::{Context, Result, bail};
use std::str::FromStr;

/// A request's header lines, pseudo-headers included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// Lower-case names with their values, in order.
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
        let path = normalized(path);
        if authority.is_empty() {
            bail!("`{url}` names no host; write e.g. 'GET https://bookinfo.example.com/'");
        }
        let mut headers = vec![
            (":method".to_owned(), method.to_owned()),
            (":authority".to_owned(), authority.to_owned()),
            (":path".to_owned(), path),
        ];
        while let Some(name) = words.next() {
            let Some(name) = name.strip_suffix(':').filter(|name| !name.is_empty()) else {
                bail!("`{name}` is not a header; write e.g. `region: eu`");
            };
            let mut value = Vec::new();
            while let Some(word) = words.next_if(|word| !word.ends_with(':')) {
                value.push(word);
            }
            headers.push((name.to_ascii_lowercase(), value.join(" ")));
        }
        Ok(Self { headers })
    }
}

/// The path as Envoy matches it: `.` and `..` resolved (RFC 3986 §5.2.4), slashes merged, the query left alone.
fn normalized(path: &str) -> String {
    let (path, query) = match path.find(['?', '#']) {
        Some(at) => path.split_at(at),
        None => (path, ""),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let folder = !parts.is_empty() && ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    format!("/{}{}{query}", parts.join("/"), if folder { "/" } else { "" })
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
        let path = |text: &str| headers(&format!("GET https://a{text}"))[2].1.clone();
        assert_eq!(path("//api///x"), "/api/x");
        assert_eq!(path("/x/../api/./y/"), "/api/y/");
        assert_eq!(path("/../.."), "/");
        assert_eq!(path("/a/..?x=/../"), "/?x=/../");
        assert_eq!(path(""), "/");
    }

    #[test]
    fn a_header_without_a_colon_is_an_error() {
        assert!("GET https://a/ region eu".parse::<RequestLine>().is_err());
    }
}
