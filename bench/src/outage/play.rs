//! One arm and one way to be lost: the mesh, the requests, the outage and the return.

use std::time::Duration;

use anyhow::Result;
use integration::bookinfo::Service;
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::load::{Kind, Load, Plan};
use integration::mesh::{Mesh, Tag, Workload};
use tokio::time::sleep;

use super::measure::{Moments, Story, is_back};
use super::{Arm, FENCED, LOST, SURVIVOR, Way};

/// Open requests for each second, half of them for the region that is lost.
const RATE: u32 = 200;
/// Fenced requests for each second.
const FENCED_RATE: u32 = 20;
/// How often it is looked whether the traffic is back.
const LOOK: Duration = Duration::from_millis(250);

/// How long each part of a play lasts.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// All is well.
    pub before: Duration,
    /// The region is lost.
    pub outage: Duration,
    /// It is back; the longest that its traffic may take to follow.
    pub after: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let [before, outage, after] = [3, 12, 24].map(Duration::from_secs);
        Self { before, outage, after }
    }
}

/// Plays it. The mesh is the play's own, and ends with it.
///
/// # Errors
/// When a part of the mesh does not come up or obey.
pub async fn play(arm: Arm, way: Way, times: Times, version: &EnvoyVersion) -> Result<Story> {
    let workloads = vec![Workload::new(Service::Productpage, "v1"), Workload::new(Service::Details, "v1")];
    let mesh = Mesh::builder().workloads(workloads).tag(Tag::Native).envoy(version.clone()).start().await?;
    let edge = arm.start(&mesh, version).await?;
    let clock = Clock::start();
    let asks = |region: &str| Kind::new(region).path("/status/200").header("region", region);
    let kinds = vec![asks(LOST)?, asks(SURVIVOR)?];
    let fenced = Plan::new(edge.address(), vec![asks(LOST)?.host(FENCED)]).rate(FENCED_RATE);
    let start = mesh.served();
    let load = Load::start(Plan::new(edge.address(), kinds).rate(RATE), clock)?;
    let fenced = Load::start(fenced, clock)?;

    sleep(times.before).await;
    let (lost, at_loss) = (clock.now(), mesh.served());
    way.lose(&mesh).await?;
    sleep(times.outage).await;
    let (given_back, at_return) = (clock.now(), mesh.served());
    way.give_back(&mesh).await?;
    let moments = Moments { lost, given_back, serves: clock.now() };
    while clock.now() < given_back + times.after && !is_back(&load.so_far(), clock.now()) {
        sleep(LOOK).await;
    }

    let (open, fenced) = (load.stop().await?.samples, fenced.stop().await?.samples);
    Ok(Story {
        moments,
        open,
        outside: mesh.served().since(&start).at("secondary", Service::Details),
        fenced: fenced.len(),
        at_survivor: at_return.since(&at_loss).at("secondary", Service::Productpage),
    })
}
