//! An address that swallows what is sent to it.
//!
//! A region whose network is gone is neither refused nor slow: packets go in and nothing comes back. Dropping them takes a firewall and
//! the rights for one. The kernel does the same to a socket whose queue of connections is full: it answers no SYN any more. So a pod is
//! blackholed by stopping its clocks, which silences the connections it has, and by filling the queue, which silences new ones.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The queue of a sidecar: long enough for any load here, and filled in no time.
pub(super) const BACKLOG: u32 = 256;

/// A connection over loopback takes microseconds; the kernel sends a SYN that was not answered again after a second.
const SILENT: Duration = Duration::from_millis(300);

/// Connections that keep a queue full, for as long as they are held.
#[derive(Debug)]
pub(super) struct Blackhole {
    _queue: Vec<TcpStream>,
}

impl Blackhole {
    /// Fills the queue of a socket that nobody accepts from, until a connection gets no answer.
    ///
    /// # Errors
    /// When the queue does not fill, because somebody does accept or nobody listens.
    pub(super) async fn at(address: SocketAddr) -> Result<Self> {
        let mut queue = Vec::new();
        for _ in 0..4 * BACKLOG {
            match timeout(SILENT, TcpStream::connect(address)).await {
                Ok(connection) => queue.push(connection?),
                Err(_silence) => return Ok(Self { _queue: queue }),
            }
        }
        bail!("{address} still takes connections.")
    }
}
