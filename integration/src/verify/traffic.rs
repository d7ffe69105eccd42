//! Requests, one by one and as a load.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{HOST, PAGE, Place, Target};
use crate::client::{Request, Response};
use crate::clock::Clock;
use crate::load::{DECISION, Kind, Load, Plan, SERVED_BY};
use crate::timeline::Sample;

/// Requests per second: enough to see a single lost one, few enough for a machine that runs two clusters.
const RATE: u32 = 50;
/// How long all must agree before it is called settled.
const AGREED: Duration = Duration::from_millis(1500);
const LOOK: Duration = Duration::from_millis(50);

/// One request for a path, with headers.
pub(super) async fn ask<T: Target>(target: &T, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let plain = Request::get(path).host(HOST);
    headers.iter().fold(plain, |request, (name, value)| request.header(name, value)).send(target.ingress()).await
}

/// Who says that they served a response; the empty string if nobody does.
pub(super) fn tag(response: &Response) -> String {
    response.header(SERVED_BY).unwrap_or_default()
}

/// How the response explains itself, if it does.
pub(super) fn decision(response: &Response) -> String {
    response.header(DECISION).unwrap_or_default()
}

/// Fails unless the response was given by an application in `place`.
pub(super) fn served_by(place: Place, response: &Response) -> Result<()> {
    let right = response.status < 500 && tag(response) == place.tag;
    ensure!(right, "not by {}: {} {:?} {}", place.cluster, response.status, tag(response), decision(response));
    Ok(())
}

/// Each count less what it was.
pub(super) fn since(now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let less = |(name, count): (&String, &u64)| {
        (name.clone(), count - before.get(name).copied().unwrap_or_default().min(*count))
    };
    now.iter().map(less).collect()
}

/// A load that goes on while a part is lost and comes back.
pub(super) struct Traffic {
    load: Load,
    clock: Clock,
}

impl Traffic {
    /// GETs of the page that everybody may have, which ask for a region or none.
    pub(super) fn start<T: Target>(target: &T, asks: Option<Place>) -> Result<Self> {
        Self::at(target.ingress(), asks)
    }

    /// The same to an address.
    pub(super) fn at(address: SocketAddr, asks: Option<Place>) -> Result<Self> {
        let kind = Kind::new("page").path(PAGE).host(HOST);
        let kind = match asks {
            Some(place) => kind.header("region", place.region)?,
            None => kind,
        };
        let clock = Clock::start();
        Ok(Self { load: Load::start(Plan::new(address, vec![kind]).rate(RATE), clock)?, clock })
    }

    /// Waits until `place` has served everything for a while; how long that took.
    pub(super) async fn settles(&self, place: Place, within: Duration) -> Result<Duration> {
        let begun = Instant::now();
        let from = self.clock.now();
        loop {
            let late: Vec<Sample> = self.load.so_far().into_iter().filter(|sample| sample.at > from).collect();
            let newest = late.iter().map(|sample| sample.at).max().unwrap_or_default();
            let wrong = |sample: &&Sample| sample.served_by.as_deref() != Some(place.tag);
            let last_wrong = late.iter().filter(wrong).map(|sample| sample.at).max().unwrap_or(from);
            if newest > last_wrong + AGREED {
                return Ok(last_wrong.saturating_sub(from));
            }
            let tags = || {
                late.iter()
                    .rev()
                    .take(20)
                    .map(|sample| sample.served_by.clone().unwrap_or_default())
                    .collect::<Vec<_>>()
            };
            ensure!(
                begun.elapsed() < within + AGREED,
                "not all by {} after {within:?}; the last: {:?}",
                place.cluster,
                tags()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Lets it go on for a while.
    pub(super) async fn goes_on(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Ends it: how many requests there were, and those that failed.
    pub(super) async fn end(self) -> Result<(usize, Vec<Sample>)> {
        let samples = self.load.stop().await.context("the load broke")?.samples;
        let count = samples.len();
        Ok((count, samples.into_iter().filter(|sample| !sample.succeeded()).collect()))
    }

    /// Ends it, and fails unless every request was answered well.
    pub(super) async fn nobody_paid(self) -> Result<usize> {
        let (count, failed) = self.end().await?;
        let first = failed.first().map(|sample| format!("{:?} after {:?}", sample.outcome, sample.latency));
        ensure!(
            failed.is_empty(),
            "{} of {count} requests failed, the first: {}",
            failed.len(),
            first.unwrap_or_default()
        );
        Ok(count)
    }
}
