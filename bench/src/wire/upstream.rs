//! The upstreams' side: every request is answered with the same bytes.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

const END: &[u8] = b"\r\n\r\n";

/// The upstreams and the connections that Envoy has to them.
#[derive(Debug)]
pub(super) struct Upstreams {
    listeners: Vec<(TcpListener, Vec<u8>)>,
    connections: HashMap<usize, Connection>,
    next: usize,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    listener: usize,
    received: Vec<u8>,
}

impl Upstreams {
    /// Listens at every address; tokens begin with 1.
    pub(super) fn listen(registry: &Registry, upstreams: Vec<(SocketAddr, Vec<u8>)>) -> Result<Self> {
        let mut listeners = Vec::new();
        for (address, answer) in upstreams {
            let mut listener = TcpListener::bind(address).with_context(|| format!("{address} cannot be bound."))?;
            registry.register(&mut listener, Token(listeners.len() + 1), Interest::READABLE)?;
            listeners.push((listener, answer));
        }
        let next = listeners.len() + 1;
        Ok(Self { listeners, connections: HashMap::new(), next })
    }

    /// Something happened. A connection that breaks is Envoy's to report.
    pub(super) fn handle(&mut self, registry: &Registry, token: usize) {
        match self.listeners.get(token.wrapping_sub(1)) {
            Some((listener, _)) => {
                while let Ok((stream, _)) = listener.accept() {
                    // Both fail only for a connection that is gone again.
                    let _ = stream.set_nodelay(true);
                    let mut connection = Connection { stream, listener: token - 1, received: Vec::new() };
                    if registry.register(&mut connection.stream, Token(self.next), Interest::READABLE).is_ok() {
                        self.connections.insert(self.next, connection);
                        self.next += 1;
                    }
                }
            }
            None => {
                let Some(connection) = self.connections.get_mut(&token) else { return };
                let answer = self.listeners.get(connection.listener).map(|(_, answer)| answer.as_slice());
                if connection.answer(answer.unwrap_or_default()).is_none() {
                    self.connections.remove(&token);
                }
            }
        }
    }
}

impl Connection {
    /// Answers what has arrived; nothing once the connection is over.
    fn answer(&mut self, answer: &[u8]) -> Option<()> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => {
                    self.received.extend_from_slice(buffer.get(..count)?);
                    if self.received.ends_with(END) {
                        self.received.clear();
                        self.stream.write_all(answer).ok()?;
                    }
                    if count < buffer.len() {
                        return Some(());
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Some(()),
                Err(_) => return None,
            }
        }
    }
}
