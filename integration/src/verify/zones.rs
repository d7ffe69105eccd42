//! 13: a remote region with two zones, behind one gateway.
//!
//! Istio tells a proxy the gateway's address once for each zone that has pods behind it, and Envoy keeps one copy of an address: the
//! weight of the other zones is lost (istio/istio#56355). It is measured here and not mended; what has to hold is that a plan does not
//! depend on it, because the first region of a plan is a priority and no share.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::istio::IstioTarget;
use super::traffic::{ask, served_by};
use super::{FENCED, PAGE, REMOTE};
use crate::bookinfo::Service;
use crate::istio::{Programs, Role};

/// Pods in the remote region: one in the first zone, the others in the second.
const PODS: u8 = 3;
const ASKED: u32 = 60;
/// What a sidecar has passed on to its application.
const INBOUND: &str = "cluster.inbound|9080||;.upstream_rq_total";

pub(super) async fn skew(programs: Programs) -> Result<String> {
    let target = IstioTarget::with_pods(programs, PODS).await?;
    let objects = std::fs::read_to_string(
        target.primary.plane.mesh().join("clusters").join(REMOTE.cluster).join("objects.yaml"),
    )?;
    let planes = [&target.primary.plane, &target.secondary.plane];
    for plane in planes {
        plane.apply_to(REMOTE.cluster, &in_two_zones(&objects)?).await?;
    }
    let gate = target.east_west()?.address().to_string();
    let cluster = "outbound|9080|prefer-us-chicago-1|productpage.bookinfo.svc.cluster.local";
    let said = async |what: &str| -> Result<String> {
        let clusters = target.gateway()?.envoy().admin("GET", "/clusters").await?.text();
        let prefix = format!("{cluster}::{gate}::{what}::");
        Ok(clusters.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default().to_owned())
    };
    // An endpoint's zone is read when the endpoint is, and that may have been before its pod was on the other node: so endpoints go and
    // come back until the first zone is known.
    let first = format!("{}-a", REMOTE.region);
    target
        .until("the gateway knows the first zone", async || {
            for pods in [0, usize::from(PODS)] {
                for plane in planes {
                    plane.scale(REMOTE.cluster, Service::Productpage, pods).await?;
                }
                target
                    .until("endpoints go and come back", async || Ok(said("zone").await?.is_empty() == (pods == 0)))
                    .await?;
            }
            Ok(said("zone").await? == first)
        })
        .await?;
    let weight = said("weight").await?;
    let before = by_pod(&target).await?;
    for number in 0..ASKED {
        let page = if number % 2 == 0 { PAGE } else { FENCED };
        served_by(REMOTE, &ask(&target, page, &[("region", REMOTE.region)]).await?).context("two zones")?;
    }
    let now = by_pod(&target).await?;
    let shares: Vec<u64> = now.iter().zip(&before).map(|(now, before)| now - before).collect();
    Ok(format!(
        "{ASKED} of {ASKED} served there, though Envoy knows weight {weight} of {PODS}, that of {first} (istio/istio#56355); by pod {shares:?}, \
         because an east-west gateway shares out connections"
    ))
}

/// What each application of the remote region has been sent.
async fn by_pod(target: &IstioTarget) -> Result<Vec<u64>> {
    let mut counts = Vec::new();
    for proxy in target.secondary.proxies().iter().filter(|proxy| proxy.role() == Role::Server) {
        counts.push(proxy.envoy().counter(INBOUND).await?);
    }
    ensure!(counts.len() == usize::from(PODS), "{} pods", counts.len());
    Ok(counts)
}

/// Two nodes in two zones, and the first pod on the node of the first zone; the others stay where they are.
fn in_two_zones(objects: &str) -> Result<String> {
    let mut zoned = Vec::new();
    for text in objects.split("\n---\n") {
        let mut object: Value = serde_json::from_str(text)?;
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        if kind == "Node" {
            for (name, zone) in [(name.clone(), "b"), (format!("{name}-a"), "a")] {
                let mut node = object.clone();
                set(&mut node, "/metadata/name", &name)?;
                let labels = node.pointer_mut("/metadata/labels").and_then(Value::as_object_mut);
                let zone = format!("{}-{zone}", REMOTE.region);
                labels.context("a node has no labels")?.insert("topology.kubernetes.io/zone".to_owned(), zone.into());
                zoned.push(node.to_string());
            }
        } else if kind == "Pod" && name.ends_with("-1") {
            let node = format!("{}-a", text("/spec/nodeName"));
            set(&mut object, "/spec/nodeName", &node)?;
            zoned.push(object.to_string());
        }
    }
    ensure!(zoned.len() == 3, "there are {} objects to change, and not two nodes and a pod", zoned.len());
    Ok(zoned.join("\n---\n"))
}

fn set(object: &mut Value, pointer: &str, to: &str) -> Result<()> {
    *object.pointer_mut(pointer).with_context(|| format!("an object has no {pointer}"))? = to.into();
    Ok(())
}
