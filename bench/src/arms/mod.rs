//! What is compared: one listener each, all in one Envoy, all in front of the same upstreams.
//!
//! Every arm has the connection manager that `meridian render envoy` writes, so that the arms differ in their routes and filters and in
//! nothing else, and upstream clusters of its own, so that none lives off the connections of another. Two arms are one comparison only for
//! the same question: an arm that routes pays for it when a region is asked for, and one that does not is cheap for that reason alone.

mod listener;
mod name;
mod part;
mod plain;
mod policy;
mod situation;
mod step;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::wire::{Expected, Traffic};

pub use name::{Name, SIZES, parts};
pub use part::Part;
pub use situation::Situation;
pub use step::Step;

/// The tag of the serving cluster, which each upstream writes as its sidecar would.
pub const TAG: &str = "x-served-by-cluster";
/// The host that everything is asked of.
const HOST: &str = "bench.example.com";

/// A region, and the upstream that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// Where the Envoy is.
    West,
    /// The other one.
    East,
    /// One that only the larger policies have.
    Central,
}

impl Region {
    /// Every region, in the order of the policies.
    pub const ALL: [Self; 3] = [Self::West, Self::East, Self::Central];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::West => "us-west-1",
            Self::East => "us-east-1",
            Self::Central => "eu-central-1",
        }
    }

    /// The tag of its cluster.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::West => "WEST",
            Self::East => "EAST",
            Self::Central => "CENTRAL",
        }
    }

    /// What its upstream answers, with as many headers as an application and its sidecar write.
    #[must_use]
    pub fn answer(self) -> Vec<u8> {
        let (tag, body) = (self.tag(), self.name());
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncache-control: no-store\r\nx-envoy-upstream-service-time: 1\r\n";
        format!("{head}{TAG}: {tag}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }
}

/// What surrounds the arms.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The address that listeners and upstreams share.
    pub ip: Ipv4Addr,
    /// Meridian's module.
    pub module: PathBuf,
    /// The filter that does nothing.
    pub empty: PathBuf,
    /// For modules that are made for an arm.
    pub folder: PathBuf,
}

impl Surroundings {
    /// The upstream of a region.
    #[must_use]
    pub fn upstream(&self, region: Region) -> SocketAddr {
        SocketAddr::from((self.ip, 9001 + region as u16))
    }

    /// An address that refuses every connection.
    fn nobody(&self) -> SocketAddr {
        SocketAddr::from((self.ip, 9000))
    }
}

/// A listener of the Envoy: an arm, with its home region well or lost.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Whose.
    pub name: Name,
    /// Whether its home region refuses every connection.
    pub lost: bool,
    /// Its name in the Envoy, which its VM has as well.
    pub id: String,
    /// Where it listens.
    pub address: SocketAddr,
    listener: Value,
    clusters: Vec<Value>,
}

impl Listener {
    /// Every listener of these arms.
    ///
    /// # Errors
    /// When a policy of the benchmark is wrong.
    pub fn of(names: &[Name], around: &Surroundings) -> Result<Vec<Self>> {
        let mut listeners = Vec::new();
        for name in names.iter().copied() {
            for lost in [false, true] {
                if name.situations().iter().any(|situation| situation.is_lost() == lost) {
                    let port = 10_000 + u16::try_from(listeners.len())?;
                    let id = format!("{}{}", name.id(), if lost { "-lost" } else { "" });
                    let address = SocketAddr::from((around.ip, port));
                    let build = listener::Build { around, name, lost, id: &id, address };
                    let (listener, clusters) =
                        build.listener().with_context(|| format!("The arm `{id}` cannot be built."))?;
                    listeners.push(Self { name, lost, id, address, listener, clusters });
                }
            }
        }
        Ok(listeners)
    }

    /// Its part of the bootstrap: the listener and its clusters.
    #[must_use]
    pub fn parts(&self) -> (&Value, &[Value]) {
        (&self.listener, &self.clusters)
    }

    /// The cells of the table that are measured here.
    pub fn cells(&self) -> impl Iterator<Item = Cell> {
        let here = self.name.situations().iter().filter(|situation| situation.is_lost() == self.lost);
        here.map(|situation| Cell { name: self.name, situation: *situation, traffic: self.traffic(*situation) })
    }

    fn traffic(&self, situation: Situation) -> Traffic {
        let asks = match (situation, self.name) {
            (Situation::Default | Situation::LostDefault, _) => String::new(),
            (Situation::Pinned, Name::Routes(count)) => format!("region: {}\r\n", plain::last_spelling(count)),
            (Situation::Pinned, Name::Size(..)) => format!("region: {}\r\n", policy::ASKED),
            (Situation::Pinned, _) => "region: us-east-1\r\n".to_owned(),
            (Situation::LostPinned, _) => "region: us-west-1\r\n".to_owned(),
        };
        let host = if let Name::Size(_, hosts) = self.name { policy::last_host(hosts) } else { HOST.to_owned() };
        let request = format!(
            "GET /productpage?u=normal HTTP/1.1\r\nhost: {host}\r\nuser-agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
             accept: text/html,application/xhtml+xml\r\naccept-encoding: gzip\r\ncookie: session=0123456789abcdef\r\n{asks}\r\n"
        );
        let region = self.name.answered_by(situation);
        Traffic {
            address: self.address,
            request: Arc::from(request.into_bytes()),
            expected: Expected { status: 200, region: region.name(), tag: region.tag() },
        }
    }
}

/// One figure of the table: an arm in a situation.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Which arm.
    pub name: Name,
    /// Which requests, and what has become of their region.
    pub situation: Situation,
    /// How it is measured.
    pub traffic: Traffic,
}
