//! What stands before several gateways: each new connection goes to the next of them that takes it, as in a cluster.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::net::{Subnet, port};

/// A balancer that is running; dropping it ends it and every connection through it.
#[derive(Debug)]
pub(super) struct Balancer {
    address: SocketAddr,
    accepting: JoinHandle<()>,
    _subnet: Subnet,
}

impl Balancer {
    /// Starts one before these.
    ///
    /// # Errors
    /// When there is no address for it.
    pub(super) async fn before(gateways: Vec<SocketAddr>) -> Result<Self> {
        let subnet = Subnet::claim()?;
        let address = SocketAddr::from((subnet.address()?, port::INGRESS));
        let listener = TcpListener::bind(address).await.with_context(|| format!("{address} cannot be bound."))?;
        let accepting = tokio::spawn(accept(listener, gateways));
        Ok(Self { address, accepting, _subnet: subnet })
    }

    /// Where it takes connections.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, mut gateways: Vec<SocketAddr>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(pass(client, gateways.clone()));
        if !gateways.is_empty() {
            gateways.rotate_left(1);
        }
    }
}

async fn pass(mut client: TcpStream, gateways: Vec<SocketAddr>) {
    for gateway in gateways {
        if let Ok(mut server) = TcpStream::connect(gateway).await {
            // Whoever is cut off on one side is cut off on the other, and that is all there is to say about it.
            let _ = copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}
