//! A configuration that is wrong is refused whole and by name, and the last good one keeps serving.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what cannot go on has failed, in helpers as well"
)]

#[path = "support/live.rs"]
mod live;
mod support;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use integration::bookinfo::Service;
use integration::clock::Clock;
use integration::envoy::{Envoy, EnvoyVersion, validate};
use integration::load::{Kind, Load, Plan};
use integration::mesh::Mesh;
use integration::net::Subnet;
use integration::paths;
use live::{Live, answer, bootstrap, listener, policy, site, small};
use serde_json::{Value, json};
use support::{CHICAGO, SANJOSE, tag_of, until};

/// The one place where the filter's configuration stands, as text in JSON.
const CONFIGURATION: &str =
    "/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config/configuration/value";

/// Changes what the filter is told behind the renderer's back.
fn tell_the_filter(listener: &mut Value, change: impl FnOnce(&mut Value)) {
    let place = listener.pointer_mut(CONFIGURATION).unwrap();
    let mut document: Value = serde_json::from_str(place.as_str().unwrap()).unwrap();
    change(&mut document);
    *place = Value::from(document.to_string());
}

/// Errors of three kinds in four places, and a warning, which is none.
fn spoil(document: &mut Value) {
    document["rules"][0]["fence"] = json!("eu");
    document["rules"][0]["timeout"] = json!("soon");
    document["outlierDetection"]["consecutiveGatewayErrors"] = json!(-1);
    document["activeHealthCheck"] = json!({"interval": "3s", "timeout": "4s"});
    document["somethingNew"] = json!(true);
}

/// The paths of [`spoil`]'s errors.
const SPOILED: [&str; 4] = [
    "rules[0].fence: ",
    "rules[0].timeout: ",
    "outlierDetection.consecutiveGatewayErrors: ",
    "activeHealthCheck.timeout: ",
];

/// An Envoy with a configuration that was changed on its way to the filter, if it starts.
async fn started(version: &EnvoyVersion, change: impl FnOnce(&mut Value)) -> Result<(Mesh, Subnet, Envoy, SocketAddr)> {
    let (mesh, subnet) = (small(version).await, Subnet::claim()?);
    let site = site(Some(&mesh), &subnet, true)?;
    let mut bootstrap = serde_json::to_value(bootstrap(&policy("chicago"), &site)?)?;
    tell_the_filter(&mut bootstrap["static_resources"]["listeners"][0], change);
    let envoy = Envoy::launch("changed", &version.binary().await?, &bootstrap, site.admin, 2, mesh.folder())?;
    envoy.ready().await.map_err(|error| anyhow::anyhow!("{error}\n{}", envoy.log()))?;
    Ok((mesh, subnet, envoy, site.listen))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_does_not_start_with_a_wrong_policy_and_names_every_error() {
    for version in EnvoyVersion::pinned() {
        let refused = started(&version, spoil).await.map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("ended while it was starting (exit status: 1)"), "{version:?}: {refused}");
        assert!(refused.contains("configuration refused, 4 errors"), "{version:?}: {refused}");
        for path in SPOILED {
            assert!(refused.contains(&format!("configuration: {path}")), "{version:?}, {path}: {refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_knows_is_a_warning() {
    for version in EnvoyVersion::pinned() {
        let unknown = |document: &mut Value| {
            document["somethingNew"] = json!(true);
            document["services"][0]["destination"]["weight"] = json!(1);
        };
        let (_mesh, _subnet, envoy, address) = started(&version, unknown).await.unwrap();
        for key in ["somethingNew", "services[0].destination.weight"] {
            let warned = format!("configuration: {key}: is not a key of this document");
            assert!(envoy.log().contains(&warned), "{}", envoy.log());
        }
        let warnings = envoy.log().matches("is not a key of this document").count();
        let counted = envoy.metric("meridian_unknown_keys_total", &[]).await.unwrap();
        assert_eq!(counted, u64::try_from(warnings).unwrap(), "each is counted");
        assert_eq!(served_by(address, "chicago").await, tag_of(CHICAGO));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_knows_is_refused_where_it_is_critical() {
    let version = EnvoyVersion::newest().unwrap();
    let critical = |document: &mut Value| {
        document["services"][0]["destination"]["weight"] = json!(1);
        document["critical"] = json!(["weight"]);
    };
    let refused = started(&version, critical).await.map(|_| ()).unwrap_err().to_string();
    let wanted = "configuration: services[0].destination.weight: is not a key of this document";
    assert!(refused.contains(wanted), "{refused}");
}

fn load(live: &Live) -> Load {
    let asks = |region| Kind::new(region).path("/status/200").header("region", region).unwrap();
    let kinds = vec![Kind::new("none").path("/status/200"), asks(SANJOSE), asks(CHICAGO)];
    Load::start(Plan::new(live.address(), kinds), Clock::start()).unwrap()
}

async fn served_by(address: SocketAddr, region: &str) -> String {
    answer(address, region).await.header("x-served-by-cluster").unwrap_or_default()
}

async fn more(load: &Load, count: usize) {
    let goal = load.ended() + count;
    until("the load goes on", async || Ok(load.ended() >= goal)).await.unwrap();
}

async fn nobody_failed(load: Load) {
    let samples = load.stop().await.unwrap().samples;
    let failed: Vec<_> = samples.iter().filter(|sample| !sample.succeeded()).collect();
    assert!(samples.len() >= 50 && failed.is_empty(), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_policy_is_rejected_and_the_last_good_one_keeps_serving() {
    for version in EnvoyVersion::pinned() {
        let live = Live::start(&version).await;
        let load = load(&live);
        more(&load, 50).await;
        let mut wrong = listener(&policy("windy"), &live.site);
        tell_the_filter(&mut wrong, spoil);
        live.update(&wrong).await;
        assert_eq!(live.counted("update_rejected").await, 1);
        for path in SPOILED {
            assert!(live.envoy.log().contains(&format!("configuration: {path}")), "{path}: {}", live.envoy.log());
        }
        more(&load, 50).await;
        assert_eq!(served_by(live.address(), "chicago").await, tag_of(CHICAGO));
        assert_eq!(served_by(live.address(), "windy").await, tag_of(SANJOSE));
        nobody_failed(load).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_policy_takes_effect_without_a_failed_request() {
    for version in EnvoyVersion::pinned() {
        let live = Live::start(&version).await;
        let load = load(&live);
        more(&load, 50).await;
        assert_eq!(served_by(live.address(), "windy").await, tag_of(SANJOSE));
        live.update(&listener(&policy("windy"), &live.site)).await;
        until("the new alias is known", async || Ok(served_by(live.address(), "windy").await == tag_of(CHICAGO)))
            .await
            .unwrap();
        more(&load, 50).await;
        assert_eq!(served_by(live.address(), "chicago").await, tag_of(SANJOSE), "the old alias is not");
        nobody_failed(load).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learned_survives_a_new_policy() {
    for version in EnvoyVersion::pinned() {
        let live = Live::start(&version).await;
        let load = load(&live);
        live.mesh.cluster("primary").unwrap().service(Service::Productpage).kill();
        until("the region is ejected", async || Ok(live.envoy.log().contains(": ejected "))).await.unwrap();
        live.update(&listener(&policy("windy"), &live.site)).await;
        until("the new policy is in force", async || {
            let answer = answer(live.address(), "windy").await;
            let explained = answer.header("x-region-decision").unwrap_or_default();
            Ok(!explained.contains("unknown_region"))
        })
        .await
        .unwrap();
        let first = answer(live.address(), SANJOSE).await;
        let explained = first.header("x-region-decision").unwrap_or_default();
        assert!(explained.contains("reason=failover") && explained.contains("ejected="), "{explained}");
        assert_eq!(live.envoy.log().matches(": ejected ").count(), 1, "nobody had to learn it again");
        more(&load, 50).await;
        nobody_failed(load).await;
    }
}

/// The policy with a probe for this path, once a second.
fn probing(path: &str) -> String {
    let probed = policy("chicago").replace("port: 9080}", &format!("port: 9080}}\n  probe: {{path: {path}}}"));
    probed + "activeHealthCheck: {interval: 1s, timeout: 500ms, unhealthyThreshold: 2}\n"
}

/// The workers of the old configuration run on while its connections drain, and must not go on with a question that was wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_policy_asks_its_own_question_at_once_and_the_old_one_is_silent() {
    for version in EnvoyVersion::pinned() {
        let live = Live::with(&version, &probing("/nowhere")).await;
        let ended = async |result: &str| live.envoy.metric("meridian_probe_total", &[("result", result)]).await;
        until("the old question is asked", async || Ok(ended("failed").await? >= 4)).await.unwrap();
        live.update(&listener(&probing("/status/200"), &live.site)).await;
        until("the new one is", async || Ok(ended("passed").await? >= 1)).await.unwrap();
        let failed = ended("failed").await.unwrap();
        until("it goes on", async || Ok(ended("passed").await? >= 9)).await.unwrap();
        // One for each region was under way.
        assert!(ended("failed").await.unwrap() <= failed + 2, "{version:?}");
    }
}

/// Every policy of the repository that is meant to be one: its file and its text.
fn policies() -> Vec<(PathBuf, String)> {
    let folders = ["integration/demo", "envoyfilter/examples"];
    let (mut folders, mut found) = (folders.map(|folder| paths::workspace().join(folder)).to_vec(), Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.extend(text.lines().any(|line| line == "apiVersion: meridian/v1").then_some((path, text)));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_accepts_what_is_rendered_for_every_policy_of_the_repository() {
    let policies = policies();
    assert!(policies.len() >= 2, "{policies:?}");
    let subnet = Subnet::claim().unwrap();
    for (file, text) in policies {
        let plain: String =
            text.lines().filter(|line| !line.starts_with("table:")).map(|line| format!("{line}\n")).collect();
        // A sidecar's policy is the same policy at a gateway.
        let plain = plain.replace("role: outbound", "role: gateway");
        for table in ["full", "plans"] {
            for filter in [true, false] {
                let site = site(None, &subnet, filter).unwrap();
                let bootstrap = bootstrap(&format!("{plain}\ntable: {table}\n"), &site);
                let bootstrap = bootstrap.unwrap_or_else(|error| panic!("{}: {error:#}", file.display()));
                for version in EnvoyVersion::pinned() {
                    let accepted = validate(&version, &bootstrap).await;
                    accepted.unwrap_or_else(|error| panic!("{} {table} {filter}: {error:#}", file.display()));
                }
            }
        }
    }
}
