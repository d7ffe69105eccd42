//! Connections that stay open between requests.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

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
