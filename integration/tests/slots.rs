//! New configurations and new VMs take the slots of workers without making more of them than there are, and begin with what is known.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot go on has failed, in helpers as well")]

#[path = "support/live.rs"]
mod live;
mod support;

use anyhow::Result;
use integration::bookinfo::Service;
use integration::envoy::EnvoyVersion;
use live::{Live, answer, listener, policy};
use serde_json::{Value, json};
use support::{CHICAGO, SANJOSE, side_by_side, tag_of, until};

/// The workers of a [`Live`] and its main thread.
const VMS: usize = 3;

/// The slots that were ever taken, by when their workers were last alive.
async fn slots(live: &Live) -> Result<Vec<u64>> {
    Ok(live.envoy.stats("wasmcustom.worker").await?.into_values().collect())
}

async fn slots_are(live: &Live, count: usize) {
    until("every VM has a slot", async || Ok(slots(live).await?.len() == count)).await.unwrap();
}

/// How often a worker was rung, as of Envoy's last sum, which it makes every five seconds.
async fn rung(live: &Live) -> Result<u64> {
    let shown = live.envoy.admin("GET", "/stats/prometheus").await?.text();
    let count = shown.lines().find(|line| line.contains("meridian_news_age_microseconds_count"));
    Ok(count.and_then(|line| line.rsplit_once(' ')?.1.parse().ok()).unwrap_or_default())
}

async fn explained(live: &Live, region: &str) -> String {
    answer(live.address(), region).await.header("x-region-decision").unwrap_or_default()
}

async fn lose_san_jose(live: &Live) {
    live.mesh.cluster("primary").unwrap().service(Service::Productpage).kill();
    until("the region is ejected", async || {
        answer(live.address(), SANJOSE).await;
        Ok(live.envoy.log().contains(": ejected "))
    })
    .await
    .unwrap();
}

async fn a_hundred_policies(version: EnvoyVersion) {
    let live = Live::start(&version).await;
    slots_are(&live, VMS).await;
    for number in 0..100 {
        live.update(&listener(&policy(&format!("alias-{number}")), &live.site)).await;
    }
    until("the last one is in force", async || {
        let served = answer(live.address(), "alias-99").await.header("x-served-by-cluster");
        Ok(served.as_deref() == Some(tag_of(CHICAGO)))
    })
    .await
    .unwrap();
    let before = slots(&live).await.unwrap();
    until("each VM has renewed its slot", async || {
        let now = slots(&live).await?;
        Ok(now.iter().zip(&before).all(|(now, before)| now > before))
    })
    .await
    .unwrap();
    assert_eq!(slots(&live).await.unwrap().len(), VMS);
    lose_san_jose(&live).await;
    until("the others were rung", async || Ok(rung(&live).await? >= VMS as u64 - 1)).await.unwrap();
    assert_eq!(live.envoy.metric("meridian_host_errors_total", &[]).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_new_policies_take_no_slot_more_and_the_last_one_is_rung() {
    side_by_side(EnvoyVersion::pinned().into_iter().map(a_hundred_policies)).await;
}

/// Envoy runs a module with another configuration of its VM in another VM.
fn in_another_vm(mut listener: Value) -> Value {
    const CONFIG: &str = "/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config/vm_config";
    let kind = "type.googleapis.com/google.protobuf.StringValue";
    listener.pointer_mut(CONFIG).unwrap()["configuration"] = json!({"@type": kind, "value": "another"});
    listener
}

#[tokio::test(flavor = "multi_thread")]
async fn new_vms_begin_with_what_the_old_ones_know() {
    for version in EnvoyVersion::pinned() {
        let live = Live::start(&version).await;
        slots_are(&live, VMS).await;
        lose_san_jose(&live).await;
        live.update(&in_another_vm(listener(&policy("windy"), &live.site))).await;
        until("the new policy is in force", async || Ok(!explained(&live, "windy").await.contains("unknown_region")))
            .await
            .unwrap();
        let first = explained(&live, SANJOSE).await;
        assert!(first.contains("reason=failover") && first.contains("ejected="), "{first}");
        assert_eq!(live.envoy.log().matches(": ejected ").count(), 1, "nobody had to learn it again");
        slots_are(&live, 2 * VMS).await;
    }
}
