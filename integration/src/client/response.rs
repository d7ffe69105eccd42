//! A response, read from the bytes that came.
//!
//! Header values stay bytes and repeated lines stay repeated, since that is what is asserted about them; a body that ends
//! before it should is an error and never a short body.

use anyhow::{Context, Result, bail};

/// A complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Every header line in order, names in lower case, values as bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, without its transfer coding.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.values(name).first().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Every value of a header.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<&[u8]> {
        let same = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_slice()).collect()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The response, if these bytes are all of it and say so themselves.
    pub(super) fn complete(bytes: &[u8], head_only: bool) -> Option<Self> {
        let response = Self::parse(bytes, head_only).ok()?;
        let has_end = ["content-length", "transfer-encoding"].iter().any(|name| !response.values(name).is_empty());
        (has_end || head_only || matches!(response.status, 204 | 304)).then_some(response)
    }

    pub(super) fn parse(bytes: &[u8], head_only: bool) -> Result<Self> {
        let (head, rest) = split_at(bytes, b"\r\n\r\n").context("The response was cut short in its head.")?;
        let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("The response starts with {first:?}, which is not HTTP."))?;
        let headers = lines
            .filter_map(|line| split_at(line, b":"))
            .map(|(name, value)| (String::from_utf8_lossy(name).to_ascii_lowercase(), value.trim_ascii().to_vec()));
        let mut response = Self { status, headers: headers.collect(), body: Vec::new() };
        if !head_only && !matches!(status, 204 | 304) {
            response.body = response.decode(rest)?;
        }
        Ok(response)
    }

    fn decode(&self, rest: &[u8]) -> Result<Vec<u8>> {
        if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return dechunk(rest);
        }
        let announced = self.header("content-length").and_then(|length| length.parse::<usize>().ok());
        match announced {
            Some(length) if rest.len() < length => bail!("The response was cut short in its body."),
            Some(length) => Ok(rest.get(..length).unwrap_or_default().to_vec()),
            None => Ok(rest.to_vec()),
        }
    }
}

fn split_at<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((bytes.get(..at)?, bytes.get(at + mark.len()..)?))
}

fn dechunk(mut rest: &[u8]) -> Result<Vec<u8>> {
    const CUT: &str = "The response was cut short in a chunk.";
    let mut body = Vec::new();
    loop {
        let (size, after) = split_at(rest, b"\r\n").context(CUT)?;
        let size = String::from_utf8_lossy(size);
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).with_context(|| format!("{size:?} is not the size of a chunk."))?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(after.get(..size).context(CUT)?);
        rest = after.get(size + 2..).context(CUT)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_and_odd_headers_are_kept_as_bytes() {
        let raw = b"HTTP/1.1 200 OK\r\nX-A: one\r\nx-a: \xff\r\nx-empty:\r\ncontent-length: 2\r\n\r\nhi";
        let response = Response::parse(raw, false).unwrap();
        assert_eq!(response.values("x-a"), [b"one".as_slice(), b"\xff"]);
        assert_eq!((response.header("x-empty").as_deref(), response.text().as_str()), (Some(""), "hi"));
    }

    #[test]
    fn chunks_are_joined() {
        let raw = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert_eq!(Response::parse(raw, false).unwrap().text(), "abcde");
    }

    #[test]
    fn a_response_is_complete_when_it_says_so_and_not_before() {
        let complete = |raw: &str| Response::complete(raw.as_bytes(), false).is_some();
        assert!(complete("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab"));
        assert!(!complete("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na"));
        assert!(!complete("HTTP/1.1 200 OK\r\n\r\nab"), "only the end of the connection ends it");
        assert!(complete("HTTP/1.1 204 No Content\r\n\r\n"));
    }

    #[test]
    fn a_response_that_is_cut_short_is_an_error() {
        for raw in [
            "HTTP/1.1 200 OK\r\ncontent-",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "",
        ] {
            assert!(Response::parse(raw.as_bytes(), false).is_err(), "{raw:?}");
        }
    }
}
