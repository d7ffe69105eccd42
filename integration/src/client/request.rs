//! One request, byte by byte.
//!
//! It is written to a socket of its own, because what has to be proven includes headers that a decent client library
//! refuses to send: not UTF-8, empty, repeated, 64 KiB long.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Response;

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
    /// A request with any method and any path, which may be any bytes as well.
    #[must_use]
    pub fn new(method: &str, path: impl AsRef<[u8]>) -> Self {
        Self {
            head: [method.as_bytes(), b" ", path.as_ref(), b" HTTP/1.1\r\n"].concat(),
            host: b"localhost".to_vec(),
            headers: Vec::new(),
            body: Vec::new(),
            patience: PATIENCE,
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(path: impl AsRef<[u8]>) -> Self {
        Self::new("GET", path)
    }

    /// Names the host asked for; `localhost` otherwise.
    #[must_use]
    pub fn host(mut self, host: impl AsRef<[u8]>) -> Self {
        self.host = host.as_ref().to_vec();
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
        let (mut bytes, head_only) = (Vec::new(), self.head.starts_with(b"HEAD "));
        // What is complete is not waited for: Envoy keeps a connection open for a second after an answer of its own.
        let end = loop {
            match stream.read_buf(&mut bytes).await {
                Ok(0) => break Ok(()),
                Ok(_) => {
                    if let Some(response) = Response::complete(&bytes, head_only) {
                        return Ok(response);
                    }
                }
                Err(reset) => break Err(reset),
            }
        };
        Response::parse(&bytes, head_only).map_err(|why| match end {
            Ok(()) => why,
            Err(reset) => anyhow::Error::new(reset).context("The connection was reset."),
        })
    }
}
