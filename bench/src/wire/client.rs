//! The clients' side: connections that stay open, one request at a time on each.

use std::collections::HashMap;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::{CLIENTS, Tally, Traffic};

/// More headers than any answer here has.
const HEADERS: usize = 64;

/// What an answer should be.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The status.
    pub status: u16,
    /// The body: each upstream answers with the name of its region.
    pub region: &'static str,
    /// The tag of the serving cluster.
    pub tag: &'static str,
}

/// An answer that was not what it should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    expected: String,
    got: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Expected {}, got {}.", self.expected, self.got)
    }
}

/// Every connection there is, and which of them are in use now.
#[derive(Debug, Default)]
pub(super) struct Clients {
    connections: Vec<Connection>,
    by_address: HashMap<SocketAddr, Vec<usize>>,
    /// Those of the address in use that have no request under way.
    idle: Vec<usize>,
    request: Vec<u8>,
    expected: Option<Expected>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    due: Option<Instant>,
    received: Vec<u8>,
}

impl Clients {
    /// What follows is this traffic, on at least so many connections.
    pub(super) fn select(&mut self, registry: &Registry, traffic: &Traffic, ready: usize) -> Result<()> {
        let mine = self.by_address.entry(traffic.address).or_default();
        while mine.len() < ready {
            let stream = std::net::TcpStream::connect(traffic.address)
                .with_context(|| format!("{} cannot be reached.", traffic.address))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let number = self.connections.len();
            registry.register(&mut stream, Token(CLIENTS + number), Interest::READABLE)?;
            self.connections.push(Connection { stream, due: None, received: Vec::new() });
            mine.push(number);
        }
        self.idle = mine.iter().copied().take(ready).collect();
        self.request = traffic.request.to_vec();
        self.expected = Some(traffic.expected.clone());
        Ok(())
    }

    /// Sends a request that was due then; false if every connection has one under way.
    pub(super) fn send(&mut self, due: Instant) -> Result<bool> {
        let Some(number) = self.idle.pop() else { return Ok(false) };
        let connection = self.connections.get_mut(number).context("A connection is lost.")?;
        connection.due = Some(due);
        connection.stream.write_all(&self.request).context("A request could not be sent.")?;
        Ok(true)
    }

    /// Reads what there is on a connection.
    pub(super) fn handle(&mut self, number: usize, tally: &mut Tally) -> Result<()> {
        let Some(connection) = self.connections.get_mut(number) else { return Ok(()) };
        let mut buffer = [0; 4096];
        loop {
            match connection.stream.read(&mut buffer) {
                Ok(0) if connection.due.is_none() => return Ok(()),
                Ok(0) => bail!("A connection was closed before its answer."),
                Ok(count) => {
                    connection.received.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    // The kernel reports the next bytes anew, so what fills no buffer was all.
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("A connection broke before its answer."),
            }
        }
        let Some((wrong, due)) = connection.complete(self.expected.as_ref())? else { return Ok(()) };
        tally.answers += 1;
        tally.latencies.push(u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX));
        if let Some(mismatch) = wrong {
            tally.wrong += 1;
            tally.mismatch.get_or_insert(mismatch);
        }
        self.idle.push(number);
        Ok(())
    }
}

impl Connection {
    /// The answer, if it is complete: what is wrong with it, and when its request was due.
    fn complete(&mut self, expected: Option<&Expected>) -> Result<Option<(Option<Mismatch>, Instant)>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head) = response.parse(&self.received)? else { return Ok(None) };
        let header = |name: &str| {
            let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.and_then(|header| std::str::from_utf8(header.value).ok())
        };
        let length = header("content-length").and_then(|length| length.parse::<usize>().ok());
        let length = length.context("An answer does not say how long it is.")?;
        let Some(body) = self.received.get(head..head + length) else { return Ok(None) };
        let (status, tag) = (response.code.unwrap_or_default(), header(super::super::arms::TAG).unwrap_or_default());
        let wrong = expected
            .filter(|expected| status != expected.status || body != expected.region.as_bytes() || tag != expected.tag);
        let wrong = wrong.map(|expected| Mismatch {
            expected: format!("{} from {} with the tag {:?}", expected.status, expected.region, expected.tag),
            got: format!("{status} from {} with the tag {tag:?}", String::from_utf8_lossy(body)),
        });
        self.received.clear();
        let due = self.due.take().context("There was an answer without a request.")?;
        Ok(Some((wrong, due)))
    }
}
