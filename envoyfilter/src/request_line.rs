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
        if authority.is_empty() {
            bail!("`{url}` names no host; write e.g. 'GET https://bookinfo.example.com/'");
        }
        let mut headers = vec![
            (":method".to_owned(), method.to_owned()),
            (":authority".to_owned(), authority.to_owned()),
            (":path".to_owned(), path.to_owned()),
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
    fn a_header_without_a_colon_is_an_error() {
        assert!("GET https://a/ region eu".parse::<RequestLine>().is_err());
    }
}
