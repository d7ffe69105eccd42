//! A server that answers as a test says, byte by byte.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server that is running; dropping it refuses every further connection.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    seen: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Takes connections on an address of its own, and hands each one over with the count of requests.
    pub(super) async fn start<F>(serve: impl Fn(TcpStream, Arc<AtomicU64>) -> F + Send + 'static) -> Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("There is no free port.")?;
        let (address, seen) = (listener.local_addr()?, Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                // That it cannot be set means that the other side is gone.
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(stream, Arc::clone(&count)));
            }
        });
        Ok(Self { address, seen, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests have reached it. Health checks (`/healthz`) do not count.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A request that has reached a server, and the connection to answer on.
#[derive(Debug)]
pub struct Exchange {
    /// The path.
    pub path: String,
    /// The request line and the headers.
    pub head: String,
    stream: TcpStream,
}

impl Exchange {
    /// Sends these bytes.
    ///
    /// # Errors
    /// When Envoy has closed the connection.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.stream.write_all(bytes.as_ref()).await?)
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn receive(&mut self) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        Ok((self.stream.read_buf(&mut bytes).await? > 0).then_some(bytes))
    }

    /// A whole answer, signed by the serving side with `tag`, if it signs.
    ///
    /// # Errors
    /// When Envoy has closed the connection.
    pub async fn answer(&mut self, status: u16, tag: Option<&str>) -> Result<()> {
        let tag = tag.map(|tag| format!("x-served-by-cluster: {tag}\r\n")).unwrap_or_default();
        let text = format!("HTTP/1.1 {status} Status\r\n{tag}content-length: 2\r\nconnection: close\r\n\r\nok");
        self.send(text).await
    }
}

/// A server of HTTP/1.1, one request to a connection, that answers what `answer` says. An answer that fails has lost its client, which
/// is the client's to tell.
///
/// # Errors
/// When there is no port for it.
pub async fn http1<F>(answer: impl Fn(Exchange) -> F + Clone + Send + Sync + 'static) -> Result<Server>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    Server::start(move |stream, seen| {
        let answer = answer.clone();
        async move {
            let Ok(exchange) = arrive(stream).await else { return };
            if exchange.path != "/healthz" {
                seen.fetch_add(1, Ordering::Relaxed);
            }
            let _ = answer(exchange).await;
        }
    })
    .await
}

/// Reads the head of a request; what follows is left on the connection.
async fn arrive(mut stream: TcpStream) -> Result<Exchange> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok(Exchange { path, head, stream })
}
