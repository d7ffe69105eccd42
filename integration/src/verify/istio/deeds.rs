//! What can be done to the mesh under Istio, and what only there can be seen of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::super::target::Watch;
use super::super::traffic::{Traffic, ask, decision};
use super::super::{Deed, LOCAL, PAGE, REMOTE, Target, Verdict, WATCH, modules, zones};
use super::{DISCOVERY, FILTER, IstioTarget, LOOK, SERVICE};
use crate::istio::Proxy;
use crate::paths;

const SUBSETS: &str = "subsets.destinationrule.bookinfo.productpage.yaml";
const MOVES: Duration = Duration::from_secs(5);
/// How long a proxy that starts without a control plane is seen not to get ready.
const NOT_READY: Duration = Duration::from_secs(1);

impl Target for IstioTarget {
    fn name(&self) -> String {
        "the mesh of this machine under Istio's control planes".to_owned()
    }

    fn ingress(&self) -> SocketAddr {
        self.gateway().map_or(SocketAddr::from(([127, 0, 0, 1], 1)), Proxy::address)
    }

    fn watch(&self) -> Watch {
        WATCH
    }

    fn cluster_on(&self, page: &str) -> Option<String> {
        let (_, footer) = page.split_once("in cluster <b>")?;
        footer.split_once("</b>").map(|(cluster, _)| cluster.to_owned())
    }

    async fn served(&self) -> Result<BTreeMap<String, u64>> {
        let pods = self.mesh.pods();
        Ok([LOCAL, REMOTE].map(|place| (place.cluster.to_owned(), pods.served(place.cluster, SERVICE))).into())
    }

    fn cannot(&self, deed: Deed) -> Option<&'static str> {
        matches!(deed, Deed::Partition | Deed::StopIngress).then_some("it is asked of the other mesh of this machine")
    }

    async fn hurt(&self, deed: Deed) -> Result<()> {
        match deed {
            Deed::StopLocalService => self.mesh.pods().kill(LOCAL.cluster, SERVICE),
            Deed::StopRemoteService => self.mesh.pods().kill(REMOTE.cluster, SERVICE),
            Deed::StopGateway => self.east_west()?.envoy().process().kill(),
            Deed::StopIstiod => self.primary.plane.process().kill(),
            Deed::RemoveFilter => self.remove().await?,
            Deed::KillFilter => self.give_module("dying.wasm", modules::dying).await?,
            Deed::MisconfigureFilter => {
                self.refuses("the configuration is refused", self.give("\"meridian/v1\"", "\"meridian/v0\"")).await?;
            }
            Deed::MisplaceModule => {
                self.refuses("the file is missed", self.give("meridian.wasm", "no-such.wasm")).await?;
            }
            Deed::NeverLoadFilter => {
                self.refuses("the configuration is refused", self.give("\"meridian/v1\"", "\"meridian/v0\"")).await?;
                // An Envoy that had a good one keeps it for as long as a listener of before drains.
                self.gateway()?.envoy().process().kill();
                self.gateway()?.revive().await?;
            }
            Deed::ChangeModule => {
                let of = paths::module()?;
                self.give_module("another.wasm", |path| modules::another(&of, path)).await?;
            }
            Deed::RemoveSubsets => {
                self.secondary.plane.delete(&self.secondary.manifests.text(SUBSETS)?).await?;
                // A connection of before would go on as if nothing were missing.
                self.east_west()?.envoy().process().kill();
                self.east_west()?.revive().await?;
            }
            Deed::Partition | Deed::StopIngress => {}
        }
        Ok(())
    }

    async fn mend(&self, deed: Deed) -> Result<()> {
        match deed {
            Deed::StopLocalService => self.mesh.pods().revive(LOCAL.cluster, SERVICE).await?,
            Deed::StopRemoteService => self.mesh.pods().revive(REMOTE.cluster, SERVICE).await?,
            Deed::StopGateway => self.east_west()?.revive().await?,
            Deed::RemoveSubsets => {
                self.secondary.plane.apply(&self.secondary.manifests.text(SUBSETS)?).await?;
                self.until("it crosses again", async || self.crosses().await).await?;
            }
            Deed::RemoveFilter
            | Deed::KillFilter
            | Deed::MisconfigureFilter
            | Deed::MisplaceModule
            | Deed::NeverLoadFilter
            | Deed::ChangeModule => {
                self.primary.plane.apply(&self.primary.manifests.text(FILTER)?).await?;
                self.has("meridian.wasm").await?;
                // What Envoy has may be what it refused: it is there when it decides.
                let asks_for_none = [("region", "atlantis")];
                self.until("the filter decides", async || {
                    Ok(!decision(&ask(self, PAGE, &asks_for_none).await?).is_empty())
                })
                .await?;
            }
            // It would listen elsewhere: nothing is asked of this mesh after it.
            Deed::StopIstiod | Deed::Partition | Deed::StopIngress => {}
        }
        Ok(())
    }

    async fn also(&self, deed: Deed) -> Result<String> {
        match deed {
            Deed::StopIstiod => {
                let traffic = Traffic::start(self, None)?;
                traffic.settles(LOCAL, MOVES).await?;
                self.hurt(Deed::StopLocalService).await?;
                traffic.settles(REMOTE, MOVES).await.context("a region that is lost meanwhile")?;
                self.mend(Deed::StopLocalService).await?;
                let count = traffic.nobody_paid().await?;
                let gateway = self.gateway()?.envoy();
                gateway.process().kill();
                gateway.process().launch()?;
                let begun = Instant::now();
                while begun.elapsed() < NOT_READY {
                    let ready = gateway.admin("GET", "/ready").await;
                    ensure!(
                        !ready.is_ok_and(|answer| answer.status == 200),
                        "a gateway that starts without it is ready"
                    );
                    tokio::time::sleep(LOOK).await;
                }
                Ok(format!("; a region lost meanwhile: 0 of {count}; a gateway that starts meanwhile is not ready"))
            }
            Deed::RemoveSubsets => {
                // Not at once: the region has been ejected while its gateway started again.
                let mut unknown = 0;
                self.until("the other's gateway refuses a plan", async || {
                    unknown = self.east_west()?.sum(".no_filter_chain_match").await?;
                    Ok(unknown > 0)
                })
                .await?;
                Ok("; the other's gateway refuses what it has no subset for".to_owned())
            }
            // What the alerts ask of Envoy: nothing was ever accepted, or something was refused.
            Deed::NeverLoadFilter => self.says(DISCOVERY, "_version{} 0", "MeridianFilterMissing").await,
            Deed::MisconfigureFilter | Deed::MisplaceModule => {
                let stats = self.gateway()?.envoy().admin("GET", "/stats/prometheus").await?.text();
                ensure!(!stats.contains(&format!("{DISCOVERY}_update_rejected{{}} 0")), "no refusal is counted");
                self.says(DISCOVERY, "_update_rejected{} ", "MeridianConfigurationRefused").await
            }
            _ => Ok(String::new()),
        }
    }

    async fn zones(&self) -> Result<Verdict> {
        Ok(zones::skew(self.programs.clone()).await.into())
    }
}
