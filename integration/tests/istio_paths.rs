//! A fence by path under Istio's own control plane: no spelling of the path leaves it.
//!
//! Istio's default leaves `//` and `%2f` as they are, and an application behind may not, so what is rendered for a policy that fences by
//! path makes every spelling of a slash one slash at the gateway. Skipped, and said so, without Go.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

use anyhow::{Result, ensure};
use integration::client::Request;
use integration::envoy::EnvoyVersion;
use integration::istio::Manifests;
use integration::load::SERVED_BY;
use integration::paths;
use three_regions::{FILTER, OPEN, POLICY, gateway, mesh, name};

mod support;
#[path = "support/istio.rs"]
mod three_regions;

const RULES: &str = "rules: [{name: status, match: {pathPrefix: /status}, fence: eu}]";

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_path_leaves_its_fence() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let rendered = Manifests::rendered(&format!("{POLICY}{RULES}\n"), "west", "bookinfo/bookinfo", &paths::module()?)?;
    let with = rendered.file("gateway.yaml", &gateway()?);
    let without = with.clone().without(FILTER);
    for (manifests, version) in
        [(&with, EnvoyVersion::oldest()?), (&with, EnvoyVersion::newest()?), (&without, EnvoyVersion::newest()?)]
    {
        let edge = mesh.edge("west", manifests, version, 1).await?;
        for path in [
            "/status/200",
            "//status/200",
            "/x/../status/200",
            "/%2fstatus/200",
            "/%2Fstatus/200",
            "/x/..%2fstatus/200",
            "/x/%2e%2e/status/200",
            "/%73tatus/200",
            "/.//status/200",
        ] {
            let request = Request::get(path).host(OPEN).header("region", "us-east-1");
            let answer = edge.gateway.send(&request).await?;
            // It is the same path for the rule, and reaches the service as the one that it knows.
            let served = answer.header(SERVED_BY).unwrap_or_default();
            ensure!((answer.status, served.as_str()) == (200, "WEST"), "{}: {path}: {served}", name(&edge));
        }
        let open = edge.gateway.send(&Request::get("/productpage").host(OPEN).header("region", "us-east-1")).await?;
        ensure!(open.header(SERVED_BY).as_deref() == Some("EAST"), "{}: the rest is not fenced", name(&edge));
        let refused = edge.gateway.refused_updates().await?;
        ensure!(refused == 0, "{}: {refused} updates refused", name(&edge));
    }
    Ok(())
}
