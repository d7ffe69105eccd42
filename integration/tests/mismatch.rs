//! Answers that cannot be right, on real Envoys: counted with the region that was meant and the one that served, and blocked if the policy
//! says so.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use anyhow::{Result, ensure};
use integration::bookinfo::Fault;
use integration::mesh::{Mesh, Tag, Workload};
use std::sync::Arc;
use support::{CHICAGO, Edge, SANJOSE, Setting, World, policy_with, tag_of};

const TAG: &str = "x-served-by-cluster";

fn policy(setting: &Setting, on_mismatch: &str) -> String {
    policy_with(&format!(
        "table: {}
verify: {{onMismatch: {on_mismatch}}}
",
        setting.table,
    ))
}

/// Ingresses before applications of which that of San Jose says that it is in Chicago.
async fn start(on_mismatch: &str, lies: bool) -> World {
    let mesh = Mesh::builder().workloads(Workload::productpage()).tag(Tag::Nobody).start().await.unwrap();
    if lies {
        let claim = Fault::none().with_header(TAG, tag_of(CHICAGO));
        mesh.cluster("primary").unwrap().pods().fault(&claim).await.unwrap();
    }
    let settings = Setting::each(&[1], &["full", "plans"]);
    World::over(Arc::new(mesh), settings, |setting| policy(setting, on_mismatch)).await.unwrap()
}

async fn counted(edge: &Edge, name: &str, labels: &[(&str, &str)]) -> Result<u64> {
    edge.ingress.envoy().metric(name, labels).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_contradicted_is_counted_by_both_regions_and_passed_on() {
    let world = start("count", true).await;
    world
        .each_edge(|edge| async move {
            let answer = edge.ask("/echo", Some(SANJOSE)).await?;
            ensure!(answer.status == 200, "{}", answer.status);
            let labels = [("chosen", SANJOSE), ("served", SANJOSE)];
            let count = counted(&edge, "meridian_mismatch_total", &labels).await?;
            ensure!(count == 1, "it is counted {count} times");
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_contradicted_is_kept_from_the_client_where_the_policy_says_so() {
    let world = start("block", true).await;
    world
        .each_edge(|edge| async move {
            // With a wish and without one; what is blocked leaves nothing of the answer behind.
            for region in [Some(SANJOSE), None] {
                let answer = edge.ask("/echo", region).await?;
                ensure!(answer.status == 502, "{region:?}: {}", answer.status);
                ensure!(answer.header(TAG).is_none(), "{region:?}: {:?}", answer.header(TAG));
                ensure!(answer.text().starts_with("The region that answered"), "{region:?}: {}", answer.text());
            }
            let blocked = counted(&edge, "meridian_refused_total", &[("reason", "mismatch")]).await?;
            ensure!(blocked == 2, "{blocked} are counted");
            ensure!(counted(&edge, "meridian_host_errors_total", &[]).await? == 0, "the host refused something");
            let answer = edge.ask("/echo", Some(CHICAGO)).await?;
            ensure!(answer.status == 200, "Chicago is blocked with {}", answer.status);
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_right_pass_where_every_one_is_checked() {
    let world = start("block", false).await;
    world
        .each_edge(|edge| async move {
            for region in [None, Some(SANJOSE), Some(CHICAGO)] {
                for _ in 0..40 {
                    let answer = edge.ask("/status/200", region).await?;
                    ensure!(answer.status == 200, "{region:?}: {}", answer.status);
                }
            }
            ensure!(counted(&edge, "meridian_mismatch_total", &[]).await? == 0, "something was counted");
            Ok(())
        })
        .await
        .unwrap();
}
