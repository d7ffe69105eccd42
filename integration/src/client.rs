//! Requests, in two ways: exactly as asked, and many on few connections.
//!
//! A [`Request`] is written to a socket of its own byte by byte, because what has to be proven includes headers that a
//! decent client library refuses to send: not UTF-8, empty, repeated, 64 KiB long. A [`Pool`] keeps connections open as
//! browsers and sidecars do, for the load and for the applications' own calls. Neither follows, retries or hides
//! anything: a connection that is cut is an error, since "no failed request" is worth nothing from a client that retries.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// One request, sent exactly as it is put together here.
#[derive(Clone, Debug)]
pub struct Request {
    head: Vec<u8>,
    host: Vec<u8>,
    headers: Vec<u8>,
    body: Vec<u8>,
    patience: Duration,
}

impl Request {
    /// A request with any method.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            head: format!("{method} {path} HTTP/1.1\r\n").into_bytes(),
            host: b"localhost".to_vec(),
            headers: Vec::new(),
            body: Vec::new(),
            patience: PATIENCE,
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Names the host asked for; `localhost` otherwise.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = host.as_bytes().to_vec();
        self
    }

    /// Adds a header line, any bytes; the same name again makes a second line.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        for part in [name.as_bytes(), b": ", value.as_ref(), b"\r\n"] {
            self.headers.extend_from_slice(part);
        }
        self
    }

    /// Adds a body, with its length.
    #[must_use]
    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref().to_vec();
        Self { body: body.clone(), ..self.header("content-length", body.len().to_string()) }
    }

    /// How long to wait for the whole response; 30 seconds otherwise.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Sends it on a connection of its own and reads the whole response.
    ///
    /// # Errors
    /// When no complete response comes in time.
    pub async fn send(&self, address: SocketAddr) -> Result<Response> {
        let answer = timeout(self.patience, self.exchange(address)).await;
        answer.with_context(|| format!("{address} did not answer within {:?}.", self.patience))?
    }

    async fn exchange(&self, address: SocketAddr) -> Result<Response> {
        let mut stream = TcpStream::connect(address).await.with_context(|| format!("{address} cannot be reached."))?;
        let parts: [&[u8]; 7] =
            [&self.head, b"host: ", &self.host, b"\r\nconnection: close\r\n", &self.headers, b"\r\n", &self.body];
        stream.write_all(&parts.concat()).await.context("The request could not be sent.")?;
        let mut bytes = Vec::new();
        let end = stream.read_to_end(&mut bytes).await;
        // A server that refuses a huge request may reset after its complete answer: what was read decides.
        Response::parse(&bytes, self.head.starts_with(b"HEAD ")).map_err(|why| match end {
            Ok(_) => why,
            Err(reset) => anyhow::Error::new(reset).context("The connection was reset."),
        })
    }
}

/// A GET with plain headers, for the usual case.
///
/// # Errors
/// When no complete response comes in time.
pub async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let plain = Request::get(path);
    headers.iter().fold(plain, |request, (name, value)| request.header(name, value)).send(address).await
}

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

    fn parse(bytes: &[u8], head_only: bool) -> Result<Self> {
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

/// Kept-alive connections to one address.
#[derive(Debug)]
pub struct Pool {
    address: SocketAddr,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Pool {
    /// An empty pool; connections are made as they are needed.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::new(Vec::new()) }
    }

    /// Sends a request and reads the whole response. Dropping the future closes its connection.
    ///
    /// # Errors
    /// When there is no connection, or it is cut before the response is complete.
    pub async fn send(&self, request: hyper::Request<Full<Bytes>>) -> Result<hyper::Response<Bytes>> {
        let mut connection = self.connection().await?;
        let response = connection.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        self.lock().push(connection);
        Ok(hyper::Response::from_parts(head, body))
    }

    async fn connection(&self) -> Result<SendRequest<Full<Bytes>>> {
        loop {
            let Some(mut kept) = self.lock().pop() else { break };
            // Only one that the other side has closed meanwhile is not ready: nothing was sent on it, so take another.
            if kept.ready().await.is_ok() {
                return Ok(kept);
            }
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Its errors reach whoever waits for the response.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
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
