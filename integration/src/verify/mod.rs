//! Fourteen things that must hold of a mesh with Meridian in it, asked from outside as users ask.
//!
//! The list is the same wherever it is asked, and so is the program: only how a part is taken away differs, and that is the
//! [`Target`]. On the mesh of this machine it is `make verify` and runs with every test, which is how it is known that it can fail; on
//! two kind clusters it is `make kind-verify`. What a target cannot do is said with the reason, and never counted as held.
//!
//! This machine has two meshes: one whose Envoys read files, and, for whatever a control plane does, one under Istio's own.

mod alerts;
mod balancer;
mod control;
mod finding;
mod healthy;
mod in_order;
mod istio;
mod kind;
mod local;
mod lost;
mod manifests;
mod modules;
mod target;
mod traffic;
mod zones;

use std::time::Duration;

use anyhow::Result;
use in_order::InOrder;

use crate::istio::Programs;

pub use finding::{Finding, Report, Verdict, head};
pub use istio::IstioTarget;
pub use kind::{KindCluster, KindTarget};
pub use local::LocalTarget;
pub use target::{Deed, Target, Watch};

/// The policy that the list is about, on every target.
pub const POLICY: &str = include_str!("../../kind/policy.yaml");

/// Where users come in, and whose region is theirs.
const LOCAL: Place = Place { cluster: "primary", region: "us-sanjose-1", tag: "PRIMARY (San Jose)" };
/// The other.
const REMOTE: Place = Place { cluster: "secondary", region: "us-chicago-1", tag: "SECONDARY (Chicago)" };

/// The host of the policy.
const HOST: &str = "bookinfo.example.com";
/// A page of the rule that everybody falls under.
const PAGE: &str = "/productpage";
/// A page that may not leave [`REMOTE`].
const FENCED: &str = "/api/v1/products";
/// A page whose rule refuses regions that are none.
const STRICT: &str = "/static";

/// What is asked of the mesh under Istio: a control plane does it, or two networks are needed.
const UNDER_ISTIO: [u8; 5] = [7, 10, 11, 13, 14];
/// How long the meshes of this machine are watched: nobody has to pull an image or schedule a pod here.
const WATCH: Watch = Watch { soak: Duration::from_secs(4), change: Duration::from_secs(3) };

/// A region of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    cluster: &'static str,
    region: &'static str,
    tag: &'static str,
}

/// Asks for all of it, or for some numbers of the list. `tell` hears each finding as it is made.
///
/// # Errors
/// Never for what a mesh does wrong, which is a finding; when a part could not be given back, because nothing after it would mean much.
pub async fn verify<T: Target>(target: &T, only: &[u8], mut tell: impl FnMut(&Finding)) -> Result<Report> {
    let mut findings = Vec::new();
    for number in wanted(only) {
        let finding = Finding { number, name: name(number), verdict: judge(target, number).await? };
        tell(&finding);
        findings.push(finding);
    }
    Ok(Report { target: target.name(), findings })
}

/// The same of the two meshes of this machine, each started for it and asked beside the other: for the most part both wait. Under Istio
/// each number gets a mesh of its own: a control plane that is killed does not come back, and what one has changed is not left to the
/// next.
///
/// # Errors
/// As for [`verify`], and when a mesh does not come up.
pub async fn verify_this_machine(only: &[u8], tell: impl FnMut(&Finding)) -> Result<Report> {
    let (machine, programs) = (LocalTarget::start().await?, Programs::get().await?);
    let is_under_istio = |number: &u8| programs.is_some() && UNDER_ISTIO.contains(number);
    let findings = InOrder::new(only, tell);
    let from_files = async {
        for number in wanted(only).filter(|number| !is_under_istio(number)) {
            findings.note(number, judge(&machine, number).await?).await;
        }
        anyhow::Ok(())
    };
    let under_istio = async {
        let Some(programs) = &programs else { return Ok(()) };
        for number in wanted(only).filter(is_under_istio) {
            findings.note(number, judge(&IstioTarget::start(programs.clone()).await?, number).await?).await;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(from_files, under_istio)?;
    let istio = if programs.is_some() { "; what a control plane does, under Istio's own" } else { "" };
    Ok(Report { target: format!("{}{istio}", machine.name()), findings: findings.all() })
}

fn wanted(only: &[u8]) -> impl Iterator<Item = u8> {
    (1..=14).filter(|number| only.is_empty() || only.contains(number))
}

fn name(number: u8) -> &'static str {
    match number {
        1 => "every answer says who gave it, and the count there agrees",
        2 => "a region is asked for in any spelling; what is none, or spoofed, changes nothing",
        3 => "the stars change evenly, and page and header name the same cluster",
        4 => "the local service is lost: nobody pays, and its traffic returns",
        5 => "the other's east-west gateway is lost: what asks for it is served here",
        6 => "the clusters are cut apart without a word: the same",
        7 => "istiod is lost: traffic does not notice",
        8 => "one of two ingress gateways is lost: below 1 % fail",
        9 => "all inside a fence is lost: refused with a reason, and served nowhere else",
        10 => "the filter is gone, dead, misconfigured or misplaced: regions and fences hold by the routes",
        11 => "the module is changed under load: nobody pays",
        12 => "every alert fires and resolves",
        13 => "a remote region has two zones: it gets what asks for it, in each of them",
        _ => "subsets missing in one cluster are found before, and hurt nobody after",
    }
}

async fn judge<T: Target>(target: &T, number: u8) -> Result<Verdict> {
    match number {
        1 => Ok(healthy::tags(target).await.into()),
        2 => Ok(healthy::spellings(target).await.into()),
        3 => Ok(healthy::stars(target).await.into()),
        4 => lost::service(target).await,
        5 => lost::gateway(target).await,
        6 => lost::partition(target).await,
        7 => control::istiod(target).await,
        8 => control::ingress(target).await,
        9 => lost::fence(target).await,
        10 => control::filter(target).await,
        11 => control::module(target).await,
        12 => target.alerts().await,
        13 => target.zones().await,
        _ => control::subsets(target).await,
    }
}
