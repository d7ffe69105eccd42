//! Two plugins of the module in one Envoy, which runs them in one VM on each worker: each stream is decided by the policy of its own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot go on has failed, in helpers as well")]

#[path = "support/live.rs"]
mod live;
mod support;

use std::net::SocketAddr;

use anyhow::Result;
use integration::client::Request;
use integration::clock::Clock;
use integration::envoy::{Envoy, EnvoyVersion};
use integration::load::{Kind, Load, Plan};
use integration::net::Subnet;
use meridian::policy_file::PolicyFile;
use meridian::render;
use serde_json::json;
use support::{CHICAGO, HOST, SANJOSE, tag_of, until};

const ROOT_ID: &str = "/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config/root_id";

async fn served_by(address: SocketAddr, region: &str) -> Option<String> {
    let answer = Request::get("/status/200").host(HOST).header("region", region).send(address).await.unwrap();
    answer.header("x-served-by-cluster")
}

/// A policy that leaves all routing by header to the filter, so that whose alias it is shows who decided.
fn policy(alias: &str) -> String {
    live::policy(alias) + "table: plans\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stream_is_decided_by_the_policy_of_its_own_plugin() {
    for version in EnvoyVersion::pinned() {
        let (mesh, subnet) = (live::small(&version).await, Subnet::claim().unwrap());
        let site = live::site(Some(&mesh), &subnet, true).unwrap();
        let mut bootstrap = live::bootstrap(&policy("windy"), &site).unwrap();
        let other = SocketAddr::from((site.listen.ip(), 8081));
        let file = PolicyFile::parse("policy", &policy("lakeside"), &render::hints(&site)).unwrap();
        let mut second = render::listener(&file, &meridian::site::Site { listen: other, ..site.clone() });
        second.name = "second".to_owned();
        let mut second = serde_json::to_value(second).unwrap();
        *second.pointer_mut(ROOT_ID).unwrap() = json!("second");
        let mut whole = serde_json::to_value(&bootstrap).unwrap();
        whole["static_resources"]["listeners"].as_array_mut().unwrap().push(second);
        bootstrap.static_resources.listeners.clear();
        let envoy =
            Envoy::launch("edge", &version.binary().await.unwrap(), &whole, site.admin, 2, mesh.folder()).unwrap();
        envoy.ready().await.unwrap();
        let kind = || vec![Kind::new("any").path("/status/200").host(HOST)];
        let loads = [site.listen, other].map(|at| Load::start(Plan::new(at, kind()).rate(50), Clock::start()).unwrap());
        for _ in 0..20 {
            for (address, own, foreign) in [(site.listen, "windy", "lakeside"), (other, "lakeside", "windy")] {
                assert_eq!(served_by(address, own).await.as_deref(), Some(tag_of(CHICAGO)), "{own}");
                assert_eq!(served_by(address, foreign).await.as_deref(), Some(tag_of(SANJOSE)), "{foreign}");
            }
        }
        drop(loads);
        // What one of them learned is the other's as well: it is the same worker, and the same region.
        mesh.cluster("secondary").unwrap().kill();
        for (address, own) in [(site.listen, "windy"), (other, "lakeside")] {
            until("requests are moved", async || Ok(served_by(address, own).await.as_deref() == Some(tag_of(SANJOSE))))
                .await
                .unwrap();
        }
        let errors: Result<u64> = envoy.metric("meridian_host_errors_total", &[]).await;
        assert_eq!(errors.unwrap(), 0);
    }
}
