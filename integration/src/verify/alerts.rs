//! 12: every alert that users get, seen by a Prometheus that scrapes real Envoys while a region is lost and comes back.
//!
//! All that alerts are about is done in a mesh of its own: the region of a fence is lost while clients ask to leave the fence and a gateway
//! runs another module than the filter; then an application claims to be in another cluster. Not at once, because a claim that nobody
//! writes over counts for the region that it names, and keeps it from being ejected. What Envoy refuses to the filter cannot be arranged,
//! and a configuration is refused in Istio only: those alerts are known by promtool's tests, and 10 sees the second one's metric.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{FENCED, HOST, LOCAL, PAGE, POLICY, REMOTE, Verdict, modules};
use crate::bookinfo::{Fault, Service};
use crate::clock::Clock;
use crate::load::{Kind, Load, Plan, SERVED_BY};
use crate::mesh::{Ingress, Mesh, Tag, Workload};
use crate::prometheus::{Prometheus, State, Tools, faster};

/// What is driven: what a lost region and a wrong module come to, then what a claim does.
const DRIVEN: [&str; 5] = [
    "MeridianRegionEjected",
    "MeridianFenceExhausted",
    "MeridianFenceRefusing",
    "MeridianFilterMissing",
    "MeridianTagMismatch",
];
const RATE: u32 = 40;
/// Of requests while all is well, before it is said that no alert is there.
const CALM: usize = 60;
const LOOK: Duration = Duration::from_millis(50);
const WITHIN: Duration = Duration::from_secs(30);

/// The drill.
pub(super) async fn drill() -> Result<Verdict> {
    let Some(tools) = Tools::get().await? else {
        return Ok(Verdict::not_asked("a Prometheus cannot be had on this machine"));
    };
    Ok(seen(&tools).await.into())
}

async fn seen(tools: &Tools) -> Result<String> {
    // Nobody at the serving side tags, so that an application's claim is heard.
    let mesh = Mesh::builder().workloads(Workload::productpage()).tag(Tag::Nobody).start().await?;
    let ingress = mesh.ingress(LOCAL.cluster).policy(POLICY).start().await?;
    let module = mesh.folder().join("inert.wasm");
    modules::inert(&module)?;
    let other = mesh.ingress(LOCAL.cluster).policy(POLICY).module(&module).start().await?;
    other.envoy().stop().await?;
    let admins = [&ingress, &other].map(|ingress: &Ingress| ingress.envoy().admin_address());
    let prometheus = Prometheus::start(tools, &faster()?, &admins).await?;

    let calm = load(ingress.address(), &[(PAGE, None), (FENCED, None)])?;
    while calm.ended() < CALM || prometheus.count("meridian_region_state").await? == 0 {
        ensure!(calm.ended() < 100 * CALM, "Prometheus does not see the filter's metrics");
        tokio::time::sleep(LOOK).await;
    }
    prometheus.until("no alert while all is well", WITHIN, BTreeMap::is_empty).await?;
    calm.stop().await?;

    let mut seen = Seen::default();
    let [lost @ .., _] = &DRIVEN;
    let (local, remote) = (mesh.cluster(LOCAL.cluster)?, mesh.cluster(REMOTE.cluster)?);
    let leaving = load(ingress.address(), &[(PAGE, None), (FENCED, Some(LOCAL.region))])?;
    remote.service(Service::Productpage).kill();
    other.envoy().start().await?;
    seen.until(&prometheus, lost).await?;
    leaving.stop().await?;
    other.envoy().stop().await?;
    remote.service(Service::Productpage).start().await?;

    let asking = load(ingress.address(), &[(PAGE, Some(LOCAL.region)), (FENCED, None)])?;
    local.pods().fault(&Fault::none().with_header(SERVED_BY, REMOTE.tag)).await?;
    seen.until(&prometheus, &DRIVEN).await?;
    local.pods().fault(&Fault::none()).await?;
    prometheus.until("all are resolved", WITHIN, BTreeMap::is_empty).await?;
    asking.stop().await?;
    let states = seen.0;
    let unexpected: Vec<&String> = states.keys().filter(|name| !DRIVEN.contains(&name.as_str())).collect();
    ensure!(unexpected.is_empty(), "these fired as well: {unexpected:?}");
    Ok(format!(
        "{} of 7 were pending, firing and resolved in Prometheus; two that no region brings about are known by promtool's tests",
        DRIVEN.len()
    ))
}

/// The states that each alert has been seen in.
#[derive(Debug, Default)]
struct Seen(BTreeMap<String, BTreeSet<State>>);

impl Seen {
    /// Looks until each of these has waited and fired.
    async fn until(&mut self, prometheus: &Prometheus, names: &[&str]) -> Result<()> {
        let looked = prometheus.until("all wait and fire", WITHIN, |alerts| {
            for (name, state) in alerts {
                self.0.entry(name.clone()).or_default().insert(*state);
            }
            names.iter().all(|name| self.0.get(*name).is_some_and(|states| states.len() == 2))
        });
        looked.await.with_context(|| format!("seen so far: {:?}", self.0))
    }
}

/// Requests for pages, each with a region or none.
fn load(address: SocketAddr, pages: &[(&str, Option<&str>)]) -> Result<Load> {
    let kind = |(path, region): &(&str, Option<&str>)| {
        let kind = Kind::new(path).path(path).host(HOST);
        region.map_or(Ok(kind.clone()), |region| kind.header("region", region))
    };
    let kinds = pages.iter().map(kind).collect::<Result<Vec<_>>>()?;
    Load::start(Plan::new(address, kinds).rate(RATE), Clock::start())
}
