//! The access log that a mesh admin gets by copying what is rendered for the mesh's configuration: it says what was decided.
//!
//! Skipped, and said so, without Go.

use anyhow::{Context, Result, ensure};
use integration::envoy::EnvoyVersion;
use integration::istio::{Manifests, SETTINGS};
use support::until;
use three_regions::{OPEN, PAGE, ask, manifests, mesh};

mod support;
#[path = "support/istio.rs"]
mod three_regions;

/// The part of a commented file that begins with a line and ends before the next empty one, as somebody would copy it.
fn copied(text: &str, first: &str) -> Result<String> {
    let lines = text.lines().map(|line| line.strip_prefix("# ").unwrap_or("")).skip_while(|line| *line != first);
    let part: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    ensure!(!part.is_empty(), "nothing begins with `{first}` in:\n{text}");
    Ok(part.join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_was_not_native_is_in_the_access_log() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let policy = integration::paths::workspace().join("integration/istio/testdata/policy.yaml");
    let text = Manifests::settings(&std::fs::read_to_string(policy)?, "west")?;
    let settings = copied(&text, "meshConfig:")?;
    let dedented: Vec<&str> = settings.lines().skip(1).map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    let telemetry = copied(&text, "apiVersion: telemetry.istio.io/v1")?;
    let manifests = manifests()?.file("telemetry.yaml", &telemetry).file(SETTINGS, &dedented.join("\n"));
    let mut edges = Vec::new();
    for version in [EnvoyVersion::oldest()?, EnvoyVersion::newest()?] {
        let edge = mesh.edge("west", &manifests, version, 1).await?;
        let asked = ask(&edge, OPEN, &[("region", "mars")]).await?;
        let plain = ask(&edge, OPEN, &[("region", "eu-central-1")]).await?;
        ensure!((asked.status, plain.status) == (200, 200), "{}, {}", asked.status, plain.status);
        let told = asked.header("x-region-decision");
        ensure!(told.is_none(), "a client without a key was told {told:?}");
        edges.push(edge);
    }
    // Envoy writes an access log every ten seconds.
    for edge in edges {
        let told = async || {
            let log = edge.gateway.envoy().log();
            let lines: Vec<serde_json::Value> =
                log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            let decided = |line: &serde_json::Value| {
                line["decision"].as_str().is_some_and(|told| told.contains("unknown_region"))
            };
            let with = lines.iter().any(decided);
            let without = lines.iter().any(|line| line["path"] == "/status/200" && line["decision"].is_null());
            Ok(with && without)
        };
        let in_time = until("the access log tells the decision, and none where there was none", told).await;
        in_time.with_context(|| edge.gateway.envoy().process().last_lines())?;
        let refused = edge.gateway.refused_updates().await?;
        ensure!(refused == 0, "{refused} updates refused");
    }
    ensure!(mesh.pods().served("west", PAGE) > 0, "nobody was asked");
    Ok(())
}
