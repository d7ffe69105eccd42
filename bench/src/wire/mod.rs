//! The other end of every connection: one thread that is client and upstream at once.
//!
//! What is measured is Envoy's worker, so whoever sends and answers must cost little and never be the bottleneck: a general HTTP library on
//! either side would cost as much as the differences that are looked for, and runtimes that sleep in whole milliseconds cannot tell a
//! latency of microseconds. So the bytes of each request and answer are made once, both ends share one event loop, and each answer is still
//! read and held against what it should be: a figure for wrong answers is worth nothing. In the open loop a request is due at its time
//! whatever became of those before it, its latency counts from then, and it is the kernel's
//! own timer that wakes the thread.

mod alarm;
mod client;
mod upstream;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mio::{Events, Poll, Token, Waker};
use tokio::sync::oneshot;

pub use client::{Expected, Mismatch};

use alarm::Alarm;
use client::Clients;
use upstream::Upstreams;

/// The token of the waker; those of the upstreams follow, then those of the clients.
const WAKER: usize = 0;
/// The token of the alarm.
const ALARM: usize = usize::MAX - 1;
/// The first token of a client's connection; all between are the upstreams'.
const CLIENTS: usize = 1 << 20;
/// A run that hears nothing for so long is broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to send, where to, and what should come back.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// A listener of the Envoy.
    pub address: SocketAddr,
    /// The bytes of one request.
    pub request: Arc<[u8]>,
    /// What each answer should be.
    pub expected: Expected,
}

/// When the requests leave.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// So many connections, each of which sends its next request when it has its answer.
    Closed {
        /// How many connections.
        connections: usize,
    },
    /// So many requests a second, whatever becomes of them.
    Open {
        /// Requests per second.
        rate: u32,
    },
}

/// What came back.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many answers.
    pub answers: u64,
    /// How many of them were not as expected.
    pub wrong: u64,
    /// What was wrong with the first of those.
    pub mismatch: Option<Mismatch>,
    /// How long each took from when it was due, in nanoseconds, in no order; in the open loop only.
    pub latencies: Vec<u64>,
}

impl Tally {
    /// Itself, if every answer was as expected.
    ///
    /// # Errors
    /// The first answer that was not.
    pub fn all_right(self) -> Result<Self> {
        match &self.mismatch {
            None => Ok(self),
            Some(mismatch) => anyhow::bail!("{} of {} answers were wrong. {mismatch}", self.wrong, self.answers),
        }
    }
}

struct Order {
    traffic: Traffic,
    pace: Pace,
    requests: u64,
    tally: oneshot::Sender<Result<Tally>>,
}

/// The thread, from outside. It ends when this is dropped.
#[derive(Debug)]
pub struct Wire {
    orders: Sender<Order>,
    waker: Waker,
    thread: u32,
}

impl Wire {
    /// Starts the thread, and with it an upstream at each of `upstreams`, which answers every request with the bytes beside it.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub fn start(upstreams: Vec<(SocketAddr, Vec<u8>)>) -> Result<Self> {
        let poll = Poll::new().context("The kernel gives no event queue.")?;
        let waker = Waker::new(poll.registry(), Token(WAKER))?;
        let alarm = Alarm::new(poll.registry(), Token(ALARM))?;
        let upstreams = Upstreams::listen(poll.registry(), upstreams)?;
        let (orders, inbox) = channel();
        let (say, thread) = channel();
        std::thread::Builder::new().name("wire".to_owned()).spawn(move || {
            // Nobody listening means that the run is over before it began.
            let _ = say.send(nix::unistd::gettid().as_raw());
            let mut end = End { poll, alarm, upstreams, clients: Clients::default() };
            end.serve(&inbox);
        })?;
        let thread = thread.recv().context("The thread did not start.")?;
        Ok(Self { orders, waker, thread: u32::try_from(thread)? })
    }

    /// The thread's number in the kernel.
    #[must_use]
    pub fn thread(&self) -> u32 {
        self.thread
    }

    /// Sends so many requests and waits for all answers.
    ///
    /// # Errors
    /// When a connection is refused or cut, what comes back is not HTTP, or nothing does.
    pub async fn send(&self, traffic: &Traffic, pace: Pace, requests: u64) -> Result<Tally> {
        let (tally, answer) = oneshot::channel();
        let order = Order { traffic: traffic.clone(), pace, requests, tally };
        self.orders.send(order).ok().context("The sending thread is gone.")?;
        self.waker.wake()?;
        answer.await.context("The sending thread is gone.")?
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The thread looks for orders when it wakes, and finds that there is nobody to give any.
        let (orders, _) = channel();
        self.orders = orders;
        let _ = self.waker.wake();
    }
}

/// The thread, from inside.
struct End {
    poll: Poll,
    alarm: Alarm,
    upstreams: Upstreams,
    clients: Clients,
}

impl End {
    fn serve(&mut self, inbox: &Receiver<Order>) {
        loop {
            match inbox.try_recv() {
                Ok(order) => {
                    let tally = self.run(&order);
                    if tally.is_err() {
                        self.clients = Clients::default();
                    }
                    // Nobody listening means that the run was interrupted.
                    let _ = order.tally.send(tally);
                }
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                Err(std::sync::mpsc::TryRecvError::Empty) => {
                    if self.turn(None, &mut Tally::default()).is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Waits for events until `timeout` and handles them.
    fn turn(&mut self, timeout: Option<Duration>, tally: &mut Tally) -> Result<()> {
        let mut events = Events::with_capacity(256);
        match self.poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            polled => polled.context("The kernel's event queue is broken.")?,
        }
        for event in &events {
            match event.token().0 {
                WAKER | ALARM => {}
                token if token < CLIENTS => self.upstreams.handle(self.poll.registry(), token),
                token => self.clients.handle(token - CLIENTS, tally)?,
            }
        }
        Ok(())
    }

    fn run(&mut self, order: &Order) -> Result<Tally> {
        let Order { traffic, pace, requests, .. } = order;
        let ready = match pace {
            Pace::Closed { connections } => *connections,
            // Enough that a request seldom waits for the handshake of a new connection, which is not what is measured.
            Pace::Open { .. } => 64,
        };
        self.clients.select(self.poll.registry(), traffic, ready)?;
        let mut tally = Tally::default();
        let (mut sent, mut last, mut answers) = (0, Instant::now(), 0);
        let start = last;
        while tally.answers < *requests {
            let now = Instant::now();
            match pace {
                Pace::Closed { .. } => {
                    while sent < *requests && self.clients.send(now)? {
                        sent += 1;
                    }
                    self.turn(Some(PATIENCE), &mut tally)?;
                }
                Pace::Open { rate } => {
                    let gap = Duration::from_secs(1) / *rate;
                    while sent < *requests {
                        let due = start + gap.saturating_mul(u32::try_from(sent).unwrap_or(u32::MAX));
                        if due > now || !self.clients.send(due)? {
                            break;
                        }
                        sent += 1;
                    }
                    let next = start + gap.saturating_mul(u32::try_from(sent).unwrap_or(u32::MAX));
                    self.alarm.set(next)?;
                    self.turn(Some(PATIENCE), &mut tally)?;
                }
            }
            if tally.answers > answers {
                (answers, last) = (tally.answers, now);
            }
            anyhow::ensure!(now - last < PATIENCE, "{} has not answered for {PATIENCE:?}.", traffic.address);
        }
        if matches!(pace, Pace::Closed { .. }) {
            tally.latencies.clear();
        }
        Ok(tally)
    }
}
