//! Addresses: every pod has its own, as pods have their own.
//!
//! On Linux the whole of 127.0.0.0/8 answers, so a run claims one 127.A.B.0/24 and hands out its addresses; every pod
//! can then listen on the ports it would have in a cluster (9080, 15001, 15000), and a configuration reads like a real
//! one. Runs on the same machine must not meet: the claim is a socket bound in that network and held for the life of the
//! run, which the kernel gives back however the run ends. Only the ingress may be asked to sit on 127.0.0.1, for people.

use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result, bail};

/// The ports of a pod, on its own address.
pub mod port {
    /// Where a sidecar listens for its application.
    pub const INBOUND: u16 = 9080;
    /// Where the application itself listens, behind its sidecar.
    pub const APPLICATION: u16 = 19080;
    /// Where a sidecar takes its application's calls.
    pub const OUTBOUND: u16 = 15001;
    /// Envoy's administration.
    pub const ADMIN: u16 = 15000;
    /// The first port of an east-west gateway; one more for each service.
    pub const EAST_WEST: u16 = 15443;
    /// Where an ingress listens if nobody asks for another port.
    pub const INGRESS: u16 = 8080;
}

const LOCK_HOST: u8 = 254;
const LOCK_PORT: u16 = 15999;
/// Second octets that are free for runs; low ones are left to whatever else uses loopback addresses (Debian: 127.0.1.1).
const SECOND_OCTETS: std::ops::Range<u16> = 16..240;

/// A /24 of the loopback network that belongs to this run.
#[derive(Debug)]
pub struct Subnet {
    prefix: (u8, u8),
    next_host: AtomicU8,
    _claim: TcpListener,
}

impl Subnet {
    /// Claims one that no other run holds.
    ///
    /// # Errors
    /// When all of them are taken, which no machine has the memory for, or loopback addresses cannot be bound at all.
    pub fn claim() -> Result<Self> {
        let count = SECOND_OCTETS.len() as u64 * 256;
        let start = RandomState::new().hash_one(std::process::id()) % count;
        let mut last = None;
        for step in 0..count {
            let candidate = (start + step) % count;
            let (Ok(second), Ok(third)) =
                (u8::try_from(u64::from(SECOND_OCTETS.start) + candidate / 256), u8::try_from(candidate % 256))
            else {
                continue;
            };
            match TcpListener::bind((Ipv4Addr::new(127, second, third, LOCK_HOST), LOCK_PORT)) {
                Ok(claim) => {
                    return Ok(Self { prefix: (second, third), next_host: AtomicU8::new(1), _claim: claim });
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse => last = Some(error),
                Err(error) => return Err(error).context("Addresses in 127.0.0.0/8 cannot be bound on this machine."),
            }
        }
        match last {
            Some(error) => Err(error).context("Every loopback network is claimed by another run."),
            None => bail!("There is no loopback network to claim."),
        }
    }

    /// The next address that nobody has yet.
    ///
    /// # Errors
    /// When all 253 are given away.
    pub fn address(&self) -> Result<Ipv4Addr> {
        let host = self
            .next_host
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |host| (host < LOCK_HOST).then_some(host + 1))
            .ok()
            .context("This run has used all 253 addresses of its network: start fewer pods.")?;
        Ok(Ipv4Addr::new(127, self.prefix.0, self.prefix.1, host))
    }
}

/// The address for an ingress that was asked to listen on a port of 127.0.0.1.
///
/// # Errors
/// When the port cannot be had; the message names it and says what to do.
pub fn public_address(port: u16) -> Result<SocketAddr> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(address) {
        Ok(_) => Ok(address),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("Port {port} is in use: stop what listens there or choose another with --port.")
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            bail!("Port {port} needs more rights than you have: choose one above 1023 with --port.")
        }
        Err(error) => Err(error).with_context(|| format!("Port {port} cannot be used: choose another with --port.")),
    }
}

/// A port of 127.0.0.1 for people: the one that was asked for, or the first from 8080 that is free.
///
/// # Errors
/// When the port that was asked for cannot be had, or none of the next hundred.
pub fn port_for_people(asked: Option<u16>) -> Result<u16> {
    if let Some(port) = asked {
        return public_address(port).map(|address| address.port());
    }
    let free = (8080..8180).find(|port| public_address(*port).is_ok());
    free.context("No port from 8080 to 8179 is free: choose one with --port.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_never_share_a_network() {
        let (one, two) = (Subnet::claim().unwrap(), Subnet::claim().unwrap());
        assert_ne!(one.prefix, two.prefix);
    }

    #[test]
    fn addresses_are_consecutive_and_end_before_the_claim() {
        let subnet = Subnet::claim().unwrap();
        let addresses: Vec<_> = std::iter::from_fn(|| subnet.address().ok()).collect();
        assert_eq!(addresses.len(), 253);
        assert_eq!(addresses[0].octets()[3], 1);
        assert_eq!(addresses[252].octets()[3], 253);
        assert!(subnet.address().unwrap_err().to_string().contains("253"));
    }

    #[test]
    fn a_taken_port_is_named_with_what_to_do() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(port_for_people(None).unwrap(), port);
        let message = public_address(port).unwrap_err().to_string();
        assert_eq!(message, format!("Port {port} is in use: stop what listens there or choose another with --port."));
        drop(taken);
        assert_eq!(public_address(port).unwrap().port(), port);
    }
}
