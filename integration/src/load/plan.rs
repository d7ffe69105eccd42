//! What a load sends: kinds of request in rotation, at a rate, to an address.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use hyper::header::{HOST, HeaderName, HeaderValue};

/// One of the kinds of request that rotate.
#[derive(Clone, Debug)]
pub struct Kind {
    pub(super) name: String,
    method: Method,
    path: String,
    host: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Kind {
    /// A GET of `/productpage`, called `name` in the samples.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            method: Method::GET,
            path: "/productpage".to_owned(),
            host: "bookinfo.example.com".to_owned(),
            headers: Vec::new(),
        }
    }

    /// Another method.
    #[must_use]
    pub fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// Another path.
    #[must_use]
    pub fn path(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    /// Another host than `bookinfo.example.com`.
    #[must_use]
    pub fn host(self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self }
    }

    /// A header more.
    ///
    /// # Errors
    /// When it cannot be sent by a decent client; [`client::Request`](crate::client::Request) is for the others.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self> {
        let name = HeaderName::try_from(name).with_context(|| format!("{name:?} is not the name of a header."))?;
        let value = HeaderValue::try_from(value).with_context(|| format!("{value:?} cannot be sent in a header."))?;
        self.headers.push((name, value));
        Ok(self)
    }

    pub(super) fn request(&self) -> Result<hyper::Request<Full<Bytes>>, hyper::http::Error> {
        let request = hyper::Request::builder().method(&self.method).uri(&self.path).header(HOST, &self.host);
        let headers = self.headers.iter();
        headers.fold(request, |request, (name, value)| request.header(name, value)).body(Full::new(Bytes::new()))
    }
}

/// What to send.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to.
    pub address: SocketAddr,
    /// Requests per second, of all kinds together.
    pub rate: u32,
    /// The kinds, in rotation.
    pub kinds: Vec<Kind>,
    /// The longest that a request may take.
    pub timeout: Duration,
}

impl Plan {
    /// 200 requests a second, no longer than ten seconds each.
    #[must_use]
    pub fn new(address: SocketAddr, kinds: Vec<Kind>) -> Self {
        Self { address, rate: 200, kinds, timeout: Duration::from_secs(10) }
    }

    /// Another rate.
    #[must_use]
    pub fn rate(self, rate: u32) -> Self {
        Self { rate, ..self }
    }
}
