//! `meridian install` and `rollback` against two of Kubernetes' own API servers with Istio's own definitions.

#[path = "support/installation.rs"]
mod installation;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use installation::{EAST, Installation, WEST, installation};
use integration::apiserver::{Said, meridian};
use integration::paths;
use serde_json::json;

const BOTH: [&str; 2] = [WEST, EAST];

#[tokio::test]
async fn every_document_is_accepted_and_a_second_installation_touches_none() -> Result<()> {
    let Some(world) = installation(&BOTH).await? else { return Ok(()) };
    let first = world.done("install").await?;
    let steps = ["preflight", "subsets", "wait", "edge", "routes", "module", "wait", "filter", "verify"];
    let expected: Vec<String> = steps.iter().flat_map(|step| BOTH.map(|name| format!("{step:<9} {name}"))).collect();
    let lines: Vec<String> = first.stdout.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect();
    assert_eq!(lines, expected);
    let before = objects(&world).await?;
    world.done("install").await?;
    assert_eq!(objects(&world).await?, before);
    Ok(())
}

#[tokio::test]
async fn what_is_rendered_can_be_applied_by_hand_and_a_second_time_changes_nothing() -> Result<()> {
    let Some(world) = installation(&[EAST]).await? else { return Ok(()) };
    let folder = world.manifests().join(EAST);
    let folder = folder.to_string_lossy();
    let apply = ["apply", "--server-side", "--field-manager=meridian", "-k", &folder];
    world.clusters.told(EAST, apply).await?;
    let before = world.objects(EAST).await?;
    world.render(&paths::module()?).await?;
    world.clusters.told(EAST, apply).await?;
    assert_eq!(world.objects(EAST).await?, before);
    // The command finds the same and adds its label, and no more.
    world.done("install").await?;
    assert_eq!(world.objects(EAST).await?.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_rollback_goes_the_same_way_backwards_and_leaves_nothing() -> Result<()> {
    let Some(world) = installation(&BOTH).await? else { return Ok(()) };
    world.done("install").await?;
    let back = world.done("rollback").await?;
    let removed = back.stdout.lines().filter(|line| line.contains(": remove "));
    let removed: Vec<&str> = removed.filter_map(|line| line.split(':').next()).collect();
    let steps = ["filter", "module", "routes", "edge", "subsets"];
    assert_eq!(removed, steps.map(|step| BOTH.map(|name| format!("{step:<9} {name}"))).concat());
    for name in BOTH {
        assert_eq!(world.objects(name).await?, BTreeMap::new());
    }
    // And where there is nothing it harms nothing.
    world.done("rollback").await?;
    Ok(())
}

#[tokio::test]
async fn an_installation_that_was_killed_goes_on_where_it_was() -> Result<()> {
    let Some(world) = installation(&BOTH).await? else { return Ok(()) };
    // After the first of each of these, so that it is killed in several stages.
    for reached in ["DestinationRule", "VirtualService", "ConfigMap"] {
        let mut child = world.prepared("install", &[])?.spawn()?;
        let deadline = Instant::now() + Duration::from_secs(60);
        while !world.objects(WEST).await?.keys().any(|name| name.starts_with(reached)) {
            ensure!(Instant::now() < deadline, "no {reached} ever came");
        }
        child.start_kill()?;
        // One that was quick is done, which is no harm to the claim.
        let end = child.wait().await?;
        ensure!(end.signal().is_some() || end.success(), "it failed by itself: {end}");
    }
    world.done("install").await?;
    let (west, east) = (world.objects(WEST).await?, world.objects(EAST).await?);
    assert_eq!(west.keys().collect::<Vec<_>>(), east.keys().collect::<Vec<_>>());
    world.done("rollback").await?;
    assert_eq!(world.objects(WEST).await?, BTreeMap::new());
    Ok(())
}

#[tokio::test]
async fn a_field_of_somebody_elses_is_named_and_not_taken_unless_asked_and_comes_back() -> Result<()> {
    let Some(world) = installation(&[WEST]).await? else { return Ok(()) };
    let theirs = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "productpage", "namespace": "bookinfo"},
        "spec": {"hosts": ["theirs.example.com"], "gateways": ["bookinfo/bookinfo"],
            "http": [{"route": [{"destination": {"host": "productpage"}}]}]},
    });
    let said = world.clusters.apply(WEST, &theirs).await?;
    assert_eq!(said.code, Some(0), "{}", said.all());
    let spec = ["get", "virtualservice", "-n", "bookinfo", "productpage", "-o", "jsonpath={.spec}"];
    let before = world.clusters.told(WEST, spec).await?;
    let refused = world.run("install", &[]).await?;
    assert_eq!(refused.code, Some(1));
    for named in ["routes failed in west", "conflict", "somebody", ".spec.hosts", "--take-over"] {
        assert!(refused.stderr.contains(named), "no {named:?} in {}", refused.stderr);
    }
    assert_eq!(world.clusters.told(WEST, spec).await?, before);
    let taken = world.run("install", &["--take-over"]).await?;
    assert_eq!(taken.code, Some(0), "{}", taken.all());
    assert_ne!(world.clusters.told(WEST, spec).await?, before);
    world.done("rollback").await?;
    assert_eq!(world.clusters.told(WEST, spec).await?, before);
    assert_eq!(world.objects(WEST).await?.keys().collect::<Vec<_>>(), ["VirtualService bookinfo/productpage"]);
    Ok(())
}

#[tokio::test]
async fn both_modules_are_there_until_every_filter_has_moved() -> Result<()> {
    let Some(world) = installation(&[EAST]).await? else { return Ok(()) };
    world.done("install").await?;
    let [old] = world.modules(EAST).await?.try_into().ok().context("one module")?;
    // Another module that does the same: a custom section is nobody's business.
    let mut newer = std::fs::read(paths::module()?)?;
    newer.extend([0, 2, 1, b'x']);
    let file = world.clusters.folder().join("newer.wasm");
    std::fs::write(&file, newer)?;
    world.render(&file).await?;
    let says = |runs: &str| {
        let runs = format!("stand-in/runs={runs}");
        ["annotate", "pod", "-n", "istio-system", "ingress", "--overwrite", &runs].map(str::to_owned)
    };
    world.clusters.told(EAST, says(&old)).await?;
    let waits = world.run("install", &["--timeout", "2"]).await?;
    let expected = format!("tidy failed in {EAST}: istio-system/ingress still runs {old}, after 2 s");
    assert!(waits.stderr.contains(&expected), "{}", waits.all());
    let both = world.modules(EAST).await?;
    assert!(both.len() == 2 && both.contains(&old), "{both:?}");
    // Again, with the filter of the new one in place already: the old one is not forgotten.
    world.run("install", &["--timeout", "2"]).await?;
    assert_eq!(world.modules(EAST).await?, both);
    world.clusters.told(EAST, says("")).await?;
    let done = world.done("install").await?;
    assert!(done.stdout.contains(&format!("no proxy runs {old}: dropped from")), "{}", done.stdout);
    let now = world.modules(EAST).await?;
    assert!(now.len() == 1 && !now.contains(&old), "{now:?}");
    Ok(())
}

#[tokio::test]
async fn a_dry_run_asks_the_server_for_everything_and_changes_nothing() -> Result<()> {
    let Some(world) = installation(&[EAST]).await? else { return Ok(()) };
    let said = world.run("install", &["--dry-run"]).await?;
    assert_eq!(said.code, Some(0), "{}", said.all());
    assert_eq!(world.objects(EAST).await?, BTreeMap::new());
    // What the definitions forbid is found before anything is done.
    let file = world.manifests().join(EAST).join("routes/virtualservice.bookinfo.productpage.yaml");
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(&file, text.replace("timeout: 3s", "timeout: never"))?;
    let refused = world.run("install", &["--dry-run"]).await?;
    assert!(
        refused.stderr.contains("routes failed in east") && refused.stderr.contains("timeout"),
        "{}",
        refused.all()
    );
    assert_eq!(world.objects(EAST).await?, BTreeMap::new());
    Ok(())
}

async fn objects(world: &Installation) -> Result<Vec<BTreeMap<String, String>>> {
    Ok(vec![world.objects(WEST).await?, world.objects(EAST).await?])
}

#[tokio::test]
async fn a_cluster_that_is_gone_is_said_before_anything_is_done() -> Result<()> {
    let Some(world) = installation(&[WEST]).await? else { return Ok(()) };
    let mut command = world.clusters.command(&meridian()?);
    command.arg("install").arg("--manifests").arg(world.manifests()).args(["--context", "west=nowhere"]);
    let said = Said::of(command).await?;
    assert!(said.stderr.contains("preflight failed in nowhere: kubectl has no such context"), "{}", said.all());
    assert!(said.stderr.contains("nothing has been changed"), "{}", said.all());
    Ok(())
}
