//! Fourteen things that must hold of a mesh with Meridian in it, asked from outside as users ask.
//!
//! The list is the same wherever it is asked, and so is the program: only how a part is taken away differs, and that is the
//! [`Target`]. On the mesh of this machine it runs with every test, which is how it is known that it can fail; on two kind clusters it
//! is `make kind-verify`. What a target cannot do is said with the reason, and never counted as held.

mod control;
mod finding;
mod healthy;
mod kind;
mod local;
mod lost;
mod target;
mod traffic;

use anyhow::Result;

pub use finding::{Finding, Report, Verdict};
pub use kind::{KindCluster, KindTarget};
pub use local::LocalTarget;
pub use target::{Deed, Target};

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
    for number in 1..=14 {
        if !only.is_empty() && !only.contains(&number) {
            continue;
        }
        let finding = Finding { number, name: name(number), verdict: judge(target, number).await? };
        tell(&finding);
        findings.push(finding);
    }
    Ok(Report { target: target.name(), findings })
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
        10 => "the filter is gone: regions and fences hold by the routes alone",
        11 => "the module is changed under load: nobody pays",
        12 => "every alert fires and resolves",
        13 => "two zones in a remote region have the weight of both",
        _ => "subsets missing in one cluster hurt nobody",
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
        12 => Ok(Verdict::not_here("no Prometheus runs there")),
        13 => Ok(Verdict::not_here(
            "each region has one zone; Istio keeps the first zone of a gateway's address (istio/istio#56355)",
        )),
        _ => control::subsets(target).await,
    }
}
