//! An open-loop load: requests leave when they are due, however the mesh is doing.
//!
//! A closed loop slows down with what it measures and hides the very outage it should show. Here request `n` is due at
//! `n / rate` and its latency counts from then, so a stall of the mesh, or of this program, is paid by every request that
//! fell due in it. The kinds rotate, so that all of them see the same moments. Nothing is retried, and a request without
//! an answer within the timeout is a failure: the samples are what users would have had.

mod plan;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hyper::header::HeaderValue;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

use crate::client::Pool;
use crate::clock::Clock;
use crate::timeline::{Event, EventKind, Sample, SampleOutcome};

pub use plan::{Kind, Plan};

/// The tag of who served a response.
pub const SERVED_BY: &str = "x-served-by-cluster";
/// The explanation of a decision.
pub const DECISION: &str = "x-region-decision";

/// A load that is running.
#[derive(Debug)]
pub struct Load {
    clock: Clock,
    record: Arc<Mutex<Record>>,
    stop: watch::Sender<bool>,
    sender: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Record {
    phase: String,
    samples: Vec<Sample>,
    events: Vec<Event>,
}

/// What a load leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Every request, in the order they were due.
    pub samples: Vec<Sample>,
    /// Every mark and event, in order.
    pub events: Vec<Event>,
}

impl Load {
    /// Starts sending; the first phase is called `start`.
    ///
    /// # Errors
    /// When the plan has no kind or no rate.
    pub fn start(plan: Plan, clock: Clock) -> Result<Self> {
        ensure!(plan.rate > 0 && !plan.kinds.is_empty(), "A load needs a rate above zero and a kind of request.");
        let record = Arc::new(Mutex::new(Record { phase: "start".to_owned(), ..Record::default() }));
        let (stop, stopped) = watch::channel(false);
        let sender = tokio::spawn(send_all(plan, clock, Arc::clone(&record), stopped));
        Ok(Self { clock, record, stop, sender })
    }

    /// A new phase begins: requests from now on belong to it, and it is a mark on the axis.
    pub fn mark(&self, phase: &str) {
        lock(&self.record).phase = phase.to_owned();
        self.event(EventKind::Note, phase);
    }

    /// Something happened now.
    pub fn event(&self, kind: EventKind, label: &str) {
        let event = Event { at: self.clock.now(), label: label.to_owned(), kind };
        lock(&self.record).events.push(event);
    }

    /// How many requests have ended so far.
    #[must_use]
    pub fn ended(&self) -> usize {
        lock(&self.record).samples.len()
    }

    /// The requests that have ended so far, for whoever waits for an effect.
    #[must_use]
    pub fn so_far(&self) -> Vec<Sample> {
        lock(&self.record).samples.clone()
    }

    /// Sends no more, and waits for what is under way.
    ///
    /// # Errors
    /// When the load itself broke, which is a fault of the harness.
    pub async fn stop(self) -> Result<Recording> {
        // Nobody listening means that the sender is gone, which the next line tells.
        let _ = self.stop.send(true);
        self.sender.await.context("The load broke off.")?;
        let mut record = lock(&self.record);
        let (mut samples, mut events) = (std::mem::take(&mut record.samples), std::mem::take(&mut record.events));
        samples.sort_by_key(|sample| sample.at);
        events.sort_by_key(|event| event.at);
        Ok(Recording { samples, events })
    }
}

async fn send_all(plan: Plan, clock: Clock, record: Arc<Mutex<Record>>, mut stopped: watch::Receiver<bool>) {
    let pool = Arc::new(Pool::new(plan.address));
    let first = clock.now();
    let gap = Duration::from_secs(1) / plan.rate;
    let mut under_way = JoinSet::new();
    for (number, kind) in (0_u32..).zip(plan.kinds.iter().cycle()) {
        let at = first + gap * number;
        let due = Instant::from_std(clock.at(at));
        // Dropping the load's handle stops it as well: then there is nobody who could say so.
        if tokio::select! {
            changed = stopped.changed() => changed.is_err() || *stopped.borrow(),
            () = tokio::time::sleep_until(due) => false,
        } {
            break;
        }
        while under_way.try_join_next().is_some() {}
        let (pool, kind, record) = (Arc::clone(&pool), kind.clone(), Arc::clone(&record));
        let phase = lock(&record).phase.clone();
        under_way.spawn(async move {
            let (outcome, served_by, decision) = send(&pool, &kind, due + plan.timeout).await;
            let latency = due.elapsed();
            let sample = Sample { at, kind: kind.name, outcome, served_by, decision, latency, phase };
            lock(&record).samples.push(sample);
        });
    }
    while under_way.join_next().await.is_some() {}
}

async fn send(pool: &Pool, kind: &Kind, deadline: Instant) -> (SampleOutcome, Option<String>, Option<String>) {
    let failed = |why: String| (SampleOutcome::Error(why), None, None);
    let request = match kind.request() {
        Ok(request) => request,
        Err(error) => return failed(format!("not a request: {error}")),
    };
    match timeout_at(deadline, pool.send(request)).await {
        Err(_) => failed("no answer in time".to_owned()),
        Ok(Err(error)) => failed(format!("{error:#}")),
        Ok(Ok(response)) => {
            let header = |name| response.headers().get(name).map(text);
            (SampleOutcome::Status(response.status().as_u16()), header(SERVED_BY), header(DECISION))
        }
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::bookinfo::{Identity, Service, State, Tally, listen, serve};
    use crate::net::Subnet;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_request_is_recorded_once_and_counted_once() {
        let subnet = Subnet::claim().unwrap();
        let address = SocketAddr::from((subnet.address().unwrap(), 19080));
        let identity = Identity { service: Service::Details, version: "v1".into(), cluster: "primary".into() };
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        tokio::spawn(serve(listen(address).await.unwrap(), State::new(identity, nobody, Tally::default())));

        let kinds = vec![Kind::new("good").path("/details/0"), Kind::new("bad").path("/status/503")];
        let load = Load::start(Plan::new(address, kinds).rate(500), Clock::start()).unwrap();
        while load.ended() < 50 {
            tokio::task::yield_now().await;
        }
        load.mark("second");
        while load.ended() < 100 {
            tokio::task::yield_now().await;
        }
        let recording = load.stop().await.unwrap();
        let count = |phase: &str| recording.samples.iter().filter(|sample| sample.phase == phase).count();
        assert!(count("start") >= 50 && count("second") > 0);
        assert_eq!(recording.events.len(), 1);
        for sample in &recording.samples {
            let status = if sample.kind == "good" { 200 } else { 503 };
            assert_eq!(sample.outcome, SampleOutcome::Status(status));
        }
        let seen = crate::client::get(address, "/_seen", &[]).await.unwrap().text();
        let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
        assert_eq!(seen["seen"].as_u64().unwrap(), recording.samples.len() as u64);
    }

    #[tokio::test]
    async fn a_refused_request_is_a_sample_too() {
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let load = Load::start(Plan::new(nobody, vec![Kind::new("k")]).rate(1000), Clock::start()).unwrap();
        while load.ended() == 0 {
            tokio::task::yield_now().await;
        }
        let samples = load.stop().await.unwrap().samples;
        assert!(
            samples
                .iter()
                .all(|sample| matches!(&sample.outcome, SampleOutcome::Error(why) if why.contains("refused")))
        );
    }
}
