//! The mesh of this machine under Istio's own control planes: two clusters in two networks, one of each, mutual TLS between them.

mod deeds;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::traffic::{ask, served_by};
use super::{FENCED, LOCAL, PAGE, POLICY, REMOTE};
use crate::bookinfo::Service;
use crate::envoy::EnvoyVersion;
use crate::istio::{Manifests, Mesh, Place, Programs, Proxy, Role, Site, Wanted};
use crate::mesh::ClusterSpec;
use crate::paths::{self, RunFolder};

const SERVICE: Service = Service::Productpage;
const FILTER: &str = "filter.envoyfilter.istio-system.meridian.yaml";
/// Where clients come in.
const GATEWAY: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ingress, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 8080, name: http, protocol: HTTP}, bind: ${GATEWAY}, hosts: ['*']}
";
/// What Envoy counts of how the filter comes to it.
const DISCOVERY: &str = "envoy_extension_config_discovery_http_filter_istio_system_meridian_gateway";
/// What Istio's control plane needs to tell proxies of a change, and they to take it.
const TAKES_EFFECT: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

/// The mesh.
#[derive(Debug)]
pub struct IstioTarget {
    pub(super) primary: Site,
    pub(super) secondary: Site,
    pub(super) mesh: Mesh,
    programs: Programs,
    modules: RunFolder,
}

impl IstioTarget {
    /// Starts all of it.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(programs: Programs) -> Result<Self> {
        Self::with_pods(programs, 1).await
    }

    /// The same with so many pods in each cluster.
    pub(super) async fn with_pods(programs: Programs, pods: u8) -> Result<Self> {
        let place = |place: super::Place, network: &str, fences: &[&str]| {
            let spec = ClusterSpec::new(place.cluster, place.region, place.tag);
            Place::new(spec, fences).network(network).behind_sidecars()
        };
        let places = vec![place(LOCAL, "network1", &[]), place(REMOTE, "network2", &["chicago-only"])];
        let mesh = Mesh::start(programs.clone(), places, vec![SERVICE], pods).await?;
        let wanted = |place: super::Place, roles: Vec<Role>| {
            let options =
                meridian::istio::Options { gateways: vec!["istio-system/ingress".to_owned()], ..Default::default() };
            let manifests = Manifests::rendered_with(POLICY, place.cluster, &paths::module()?, options)?;
            anyhow::Ok(Wanted {
                cluster: place.cluster.to_owned(),
                manifests: manifests.file("gateway.yaml", GATEWAY),
                roles,
            })
        };
        let wanted = vec![
            wanted(LOCAL, vec![Role::Server, Role::Ingress])?,
            // An ingress that nobody asks: the address in its Gateway has to be somebody's.
            wanted(REMOTE, vec![Role::Server, Role::EastWest, Role::Ingress])?,
        ];
        let mut sites = mesh.sites(wanted, &EnvoyVersion::oldest()?, 1).await?.into_iter();
        let (primary, secondary) = (sites.next().context("no primary")?, sites.next().context("no secondary")?);
        let target = Self { primary, secondary, mesh, programs, modules: RunFolder::create()? };
        target.until("a request crosses", async || target.crosses().await).await?;
        Ok(target)
    }

    pub(super) fn gateway(&self) -> Result<&Proxy> {
        self.primary.proxy(Role::Ingress)
    }

    pub(super) fn east_west(&self) -> Result<&Proxy> {
        self.secondary.proxy(Role::EastWest)
    }

    /// Whether the gateway reaches the other cluster by every plan: a control plane learns of another network in its own time.
    async fn crosses(&self) -> Result<bool> {
        let clusters = self.gateway()?.envoy().admin("GET", "/clusters").await?.text();
        let gate = self.east_west()?.address().to_string();
        let known = |plan: &str| {
            let plan = format!("|{plan}|");
            clusters.lines().any(|line| line.contains(&plan) && line.contains(&gate))
        };
        if !known("prefer-us-sanjose-1") || !known("prefer-us-chicago-1") {
            return Ok(false);
        }
        for (page, headers) in [(PAGE, &[("region", REMOTE.region)][..]), (FENCED, &[])] {
            if !ask(self, page, headers).await.is_ok_and(|answer| served_by(REMOTE, &answer).is_ok()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
        let begun = Instant::now();
        while !holds().await? {
            ensure!(begun.elapsed() < TAKES_EFFECT, "not so after {TAKES_EFFECT:?}: {what}");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Gives the gateway the filter with another file or another configuration.
    async fn give(&self, from: &str, to: &str) -> Result<()> {
        let filter = self.primary.manifests.text(FILTER)?;
        let other = filter.replace(from, to);
        ensure!(other != filter, "the filter's manifest does not say {from:?}");
        self.primary.plane.apply(&other).await
    }

    /// Gives it a module that is made for it, and waits until Envoy has it.
    async fn give_module(&self, name: &str, make: impl FnOnce(&std::path::Path) -> Result<()>) -> Result<()> {
        let path: PathBuf = self.modules.path().join(name);
        make(&path)?;
        self.give(&paths::module()?.display().to_string(), &path.display().to_string()).await?;
        self.has(name).await
    }

    /// Waits until the filter of the gateway comes from a file of this name.
    async fn has(&self, file: &str) -> Result<()> {
        self.until("the gateway has the module", async || {
            let dump = self.gateway()?.envoy().admin("GET", "/config_dump?resource=ecds_filters").await?.text();
            Ok(dump.contains(&format!("/{file}\"")))
        })
        .await
    }

    async fn refuses(&self, what: &str, give: impl Future<Output = Result<()>>) -> Result<()> {
        let before = self.gateway()?.refused_updates().await?;
        give.await?;
        self.until(what, async || Ok(self.gateway()?.refused_updates().await? > before)).await
    }

    /// Fails unless Envoy shows Prometheus what an alert asks for.
    async fn says(&self, name: &str, value: &str, alert: &str) -> Result<String> {
        let stats = self.gateway()?.envoy().admin("GET", "/stats/prometheus").await?.text();
        ensure!(stats.contains(&format!("{name}{value}")), "{alert} would not see it: there is no {name}{value}");
        Ok(", which an alert sees".to_owned())
    }

    async fn remove(&self) -> Result<()> {
        self.primary.plane.delete(&self.primary.manifests.text(FILTER)?).await
    }
}
