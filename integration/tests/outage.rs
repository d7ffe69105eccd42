//! A region is lost under load, in each of the ways regions are lost, and comes back: who pays, and how much.
//!
//! Each play has its own mesh and several ingresses in front of it, so that one outage is seen at once by workers and tables that
//! differ, each under 100 or 200 requests a second: no header, pinned to the one region, pinned to the other. What is lost is always
//! productpage in one cluster.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what cannot go on has failed, in helpers as well"
)]

#[path = "support/told.rs"]
mod told;

use std::time::{Duration, Instant};

use anyhow::Result;
use integration::bookinfo::{Fault, Service};
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::load::{Kind, Load, Plan};
use integration::mesh::{Ingress, Mesh, Workload};
use integration::timeline::Sample;
use told::LogClock;

const SANJOSE: &str = "us-sanjose-1";
const CHICAGO: &str = "us-chicago-1";
const THRESHOLD: usize = 5;
const WITHIN: Duration = Duration::from_secs(20);
/// A log tells milliseconds, and writing it takes some.
const EXACT: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_millis(5);

/// How a region is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Nobody listens any more: connections are refused.
    Killed,
    /// The application answers 503.
    Answering503,
    /// Its clocks stand: connections open, and nobody answers.
    Frozen,
    /// Its network swallows everything: not even a connection opens.
    Blackholed,
    /// The other cluster's pods are well, its east-west gateway is gone.
    GatewayStopped,
}

impl Way {
    /// The ingresses are in San Jose, and reach Chicago through its gateway.
    fn lost(self) -> &'static str {
        if self == Self::GatewayStopped { CHICAGO } else { SANJOSE }
    }

    fn survivor(self) -> &'static str {
        if self == Self::GatewayStopped { SANJOSE } else { CHICAGO }
    }

    async fn lose(self, mesh: &Mesh) -> Result<()> {
        let pods = mesh.cluster("primary")?.service(Service::Productpage);
        match self {
            Self::Killed => pods.kill(),
            Self::Answering503 => pods.fault(&Fault::status(503)).await?,
            Self::Frozen => pods.freeze(),
            Self::Blackholed => pods.blackhole().await?,
            Self::GatewayStopped => mesh.cluster("secondary")?.east_west().stop().await?,
        }
        Ok(())
    }

    async fn give_back(self, mesh: &Mesh) -> Result<()> {
        let pods = mesh.cluster("primary")?.service(Service::Productpage);
        match self {
            Self::Killed => pods.start().await,
            Self::Answering503 => pods.fault(&Fault::none()).await,
            Self::Frozen | Self::Blackholed => {
                pods.thaw();
                Ok(())
            }
            Self::GatewayStopped => mesh.cluster("secondary")?.east_west().start().await,
        }
    }
}

/// An ingress to be compared.
#[derive(Clone, Debug)]
struct Setup {
    version: EnvoyVersion,
    workers: u32,
    table: &'static str,
    rescue: bool,
}

impl Setup {
    fn policy(&self) -> String {
        // Without rescue a frozen region is known after a whole timeout.
        let timeout = if self.rescue { "5s" } else { "2s" };
        let rescue = if self.rescue { ", rescue: {attempts: 2, perTryTimeout: 1s, methods: [GET, HEAD]}" } else { "" };
        format!(
            "
apiVersion: meridian/v1
explain: {{public: true}}
role: gateway
table: {table}
regions:
- {{name: us-sanjose-1, clusters: [primary], displayName: PRIMARY (San Jose)}}
- {{name: us-chicago-1, clusters: [secondary], displayName: SECONDARY (Chicago)}}
services:
- name: productpage
  hosts: [bookinfo.example.com]
  destination: {{host: productpage.bookinfo.svc.cluster.local, port: 9080}}
rules:
- {{name: everyone, timeout: {timeout}{rescue}}}
outlierDetection:
  {{consecutiveGatewayErrors: {THRESHOLD}, interval: 500ms, baseEjectionTime: 2s, maxEjectionTime: 6s}}
warmup: {{duration: 0s}}
",
            table = self.table
        )
    }
}

/// What one ingress showed.
struct Seen {
    setup: Setup,
    way: Way,
    samples: Vec<Sample>,
    log: String,
    lost: Duration,
    ejected: Duration,
    given_back: Duration,
}

impl Seen {
    /// A request fails only when the rule rescues none.
    fn failed(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(|sample| !sample.succeeded())
    }

    fn rescued(&self) -> impl Iterator<Item = &Sample> {
        let told = |sample: &&Sample| sample.decision.as_deref().is_some_and(|text| text.contains("outcome=rescued"));
        self.samples.iter().filter(told)
    }

    fn under_way_at_ejection(&self) -> usize {
        let ejected = self.ejected;
        let is = |sample: &&Sample| sample.at <= ejected + EXACT && sample.at + sample.latency + EXACT >= ejected;
        self.samples.iter().filter(|sample| wants(sample, self.way.lost())).filter(is).count()
    }

    /// Requests for the lost region that were sent after its ejection and answered before it came back.
    fn moved(&self) -> Vec<&Sample> {
        let away = |sample: &&Sample| sample.at > self.ejected + EXACT && sample.at + sample.latency < self.given_back;
        self.samples.iter().filter(away).filter(|sample| wants(sample, self.way.lost())).collect()
    }

    /// Everything that a failure should tell.
    fn story(&self) -> String {
        let failed = self.failed().map(|sample| format!("{sample:?}\n")).collect::<String>();
        let (way, setup, samples) = (self.way, &self.setup, self.samples.len());
        let times = format!("lost at {:?}, ejected at {:?}, back at {:?}", self.lost, self.ejected, self.given_back);
        let counts = format!("{} of {samples} failed, {} were rescued", self.failed().count(), self.rescued().count());
        format!("{way:?}, {setup:?}: {times}; {counts}\n{failed}{}", self.log)
    }
}

fn wants(sample: &Sample, region: &str) -> bool {
    sample.kind.strip_prefix("asks ").unwrap_or(SANJOSE) == region
}

fn served_in(sample: &Sample, region: &str) -> bool {
    let name = if region == SANJOSE { "PRIMARY (San Jose)" } else { "SECONDARY (Chicago)" };
    sample.succeeded() && sample.served_by.as_deref() == Some(name)
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !holds().await {
        assert!(Instant::now() < deadline, "it never came to be that {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Until every load has had so many more answers.
async fn more(loads: &[Load], count: usize) {
    let goals: Vec<usize> = loads.iter().map(|load| load.ended() + count).collect();
    until("the loads go on", async || loads.iter().zip(&goals).all(|(load, goal)| load.ended() >= *goal)).await;
}

/// Until each ingress has logged `word` about the region.
async fn logged(ingresses: &[Ingress], word: &str, region: &str) {
    let line = format!(": {word} service=productpage region={region}");
    let deadline = Instant::now() + WITHIN;
    for ingress in ingresses {
        while !ingress.envoy().log().contains(&line) {
            assert!(Instant::now() < deadline, "never logged `{line}`, but:\n{}", ingress.envoy().log());
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The outage as each of the ingresses saw it. That the traffic moves to the other region and comes back is held here for all.
async fn play(way: Way, setups: Vec<Setup>, rate: u32) -> Vec<Seen> {
    let mesh = Mesh::builder().workloads(Workload::productpage()).start().await.unwrap();
    let mut ingresses = Vec::new();
    for setup in &setups {
        let ingress = mesh.ingress("primary").policy(&setup.policy()).workers(setup.workers);
        ingresses.push(ingress.envoy(setup.version.clone()).start().await.unwrap());
    }
    let (clock, log_clock) = (Clock::start(), LogClock::start());
    let asks = |region: &str| Kind::new(&format!("asks {region}")).header("region", region).unwrap();
    let kinds = [Kind::new("no header"), asks(SANJOSE), asks(CHICAGO)].map(|kind| kind.path("/status/200"));
    let load = |ingress: &Ingress| Load::start(Plan::new(ingress.address(), kinds.to_vec()).rate(rate), clock).unwrap();
    let loads: Vec<Load> = ingresses.iter().map(load).collect();

    more(&loads, 100).await;
    let lost = clock.now();
    way.lose(&mesh).await.unwrap();
    logged(&ingresses, "ejected", way.lost()).await;
    more(&loads, 100).await;
    let given_back = clock.now();
    way.give_back(&mesh).await.unwrap();
    logged(&ingresses, "readmitted", way.lost()).await;
    // Envoy's own ejection of the hosts ends up to an interval later than ours.
    until("all of its traffic is back", async || {
        let is_back = |load: &Load| {
            let samples = load.so_far();
            let mut latest = samples.iter().rev().filter(|sample| wants(sample, way.lost())).take(50);
            latest.all(|sample| served_in(sample, way.lost()))
        };
        loads.iter().all(is_back)
    })
    .await;

    let mut seen = Vec::new();
    for ((setup, load), ingress) in setups.into_iter().zip(loads).zip(&ingresses) {
        let ejected = log_clock.ejections(ingress, way.lost())[0].at;
        let (samples, log) = (load.stop().await.unwrap().samples, ingress.envoy().log());
        seen.push(Seen { setup, way, samples, log, lost, ejected, given_back });
    }
    for seen in &seen {
        let (moved, story) = (seen.moved(), seen.story());
        let in_time = moved.iter().all(|sample| served_in(sample, way.survivor()));
        assert!(!moved.is_empty() && in_time, "not all of the traffic moved: {story}");
        let pinned = seen.samples.iter().filter(|sample| wants(sample, way.survivor()));
        assert!(pinned.into_iter().all(|sample| served_in(sample, way.survivor())), "the other region: {story}");
    }
    seen
}

/// Both Envoys, one worker and four, both tables: each at least once with each other.
fn spread(rescue: bool) -> Vec<Setup> {
    let (old, new) = (EnvoyVersion::oldest().unwrap(), EnvoyVersion::newest().unwrap());
    let setup =
        |(version, workers, table): (&EnvoyVersion, _, _)| Setup { version: version.clone(), workers, table, rescue };
    [(&new, 4, "full"), (&new, 1, "plans"), (&old, 1, "full"), (&old, 4, "plans")].map(setup).to_vec()
}

/// One worker and four, both tables, all with each other.
fn all(version: &EnvoyVersion) -> Vec<Setup> {
    let setup = |(workers, table)| Setup { version: version.clone(), workers, table, rescue: true };
    [(1, "full"), (4, "full"), (1, "plans"), (4, "plans")].map(setup).to_vec()
}

fn nobody_pays(seen: &[Seen]) {
    for seen in seen {
        assert_eq!(seen.failed().count(), 0, "{}", seen.story());
        assert!(seen.rescued().count() >= THRESHOLD, "the outage was hardly felt: {}", seen.story());
    }
}

fn the_rescued_are_told_what_they_asked_for(seen: &[Seen]) {
    for seen in seen {
        for sample in seen.rescued() {
            let decision = sample.decision.as_deref().unwrap_or_default();
            let asked = sample.kind.strip_prefix("asks ").map(|region| format!("asked={region}, "));
            assert_eq!(decision.contains("asked="), asked.is_some(), "{sample:?} {:?}", seen.setup);
            assert!(decision.starts_with(asked.as_deref().unwrap_or("chosen=")), "{sample:?} {:?}", seen.setup);
        }
    }
}

/// The failures that eject, and whatever was under way then: one for each worker, or more where answers are slow.
fn only_ejection_is_paid_for(seen: &[Seen]) {
    for seen in seen {
        let failed = seen.failed().count();
        let allowed = THRESHOLD + seen.under_way_at_ejection().max(seen.setup.workers as usize);
        assert!((THRESHOLD..=allowed).contains(&failed), "{allowed} are allowed: {}", seen.story());
    }
    nobody_fails_who_was_sent_after_the_ejection(seen);
}

fn nobody_fails_who_was_sent_after_the_ejection(seen: &[Seen]) {
    for seen in seen {
        assert!(seen.failed().all(|sample| sample.at <= seen.ejected + EXACT), "{}", seen.story());
    }
}

async fn killed(version: &EnvoyVersion) {
    let seen = play(Way::Killed, all(version), 200).await;
    nobody_pays(&seen);
    the_rescued_are_told_what_they_asked_for(&seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_region_costs_no_request_on_the_newest_envoy() {
    killed(&EnvoyVersion::newest().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_region_costs_no_request_on_the_oldest_envoy() {
    killed(&EnvoyVersion::oldest().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_answers_503_costs_no_request() {
    nobody_pays(&play(Way::Answering503, spread(true), 100).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_region_costs_no_request() {
    nobody_pays(&play(Way::Frozen, spread(true), 100).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blackholed_region_costs_no_request() {
    nobody_pays(&play(Way::Blackholed, spread(true), 100).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_east_west_gateway_costs_no_request() {
    nobody_pays(&play(Way::GatewayStopped, spread(true), 100).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rescue_a_killed_region_costs_the_requests_that_eject_it() {
    only_ejection_is_paid_for(&play(Way::Killed, spread(false), 100).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rescue_a_region_that_answers_503_costs_the_requests_that_eject_it() {
    only_ejection_is_paid_for(&play(Way::Answering503, spread(false), 100).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rescue_a_lost_gateway_costs_the_requests_that_eject_it() {
    only_ejection_is_paid_for(&play(Way::GatewayStopped, spread(false), 100).await);
}

/// Nothing is refused here, and nothing is answered: connections fail by their timeout, and streams on those that are open by theirs.
#[tokio::test(flavor = "multi_thread")]
async fn without_rescue_a_blackholed_region_costs_nobody_who_was_sent_after_the_ejection() {
    let seen = play(Way::Blackholed, spread(false), 100).await;
    assert!(seen.iter().all(|seen| seen.failed().count() >= THRESHOLD));
    nobody_fails_who_was_sent_after_the_ejection(&seen);
}

/// A frozen region is known by its timeouts alone: whoever is sent there until the first of them pays as well.
#[tokio::test(flavor = "multi_thread")]
async fn without_rescue_a_frozen_region_costs_nobody_who_was_sent_after_the_ejection() {
    let seen = play(Way::Frozen, spread(false), 100).await;
    assert!(seen.iter().all(|seen| seen.failed().count() >= THRESHOLD));
    nobody_fails_who_was_sent_after_the_ejection(&seen);
}
