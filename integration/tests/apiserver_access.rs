//! What the API server lets happen: who installs may do that and no more, and a fence's label is refused where its cluster is outside.

#[path = "support/installation.rs"]
mod installation;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use installation::{EAST, INSTALLER, Installation, WEST, installation};
use integration::apiserver::proxy;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const FENCE: &str = "fence.meridian/eu";

#[tokio::test]
async fn who_installs_by_the_deployed_roles_can_install_and_take_it_out_again() -> Result<()> {
    let Some(world) = installation(&[EAST]).await? else { return Ok(()) };
    world.grant(EAST).await?;
    until_granted(&world, true, &["create", "pods", "--subresource=exec", "-n", "istio-system"]).await?;
    world.clusters.configure(Some(INSTALLER))?;
    world.done("install").await?;
    world.done("install").await?;
    world.done("rollback").await?;
    world.clusters.configure(None)?;
    assert_eq!(world.objects(EAST).await?, BTreeMap::new());
    Ok(())
}

#[tokio::test]
async fn who_installs_cannot_read_secrets_nor_run_programs_beyond_the_gateways() -> Result<()> {
    let Some(world) = installation(&[EAST]).await? else { return Ok(()) };
    world.grant(EAST).await?;
    until_granted(&world, true, &["create", "pods", "--subresource=exec", "-n", "istio-system"]).await?;
    world.clusters.run(EAST, &proxy("bookinfo", "page", &json!({"app": "productpage"}))).await?;
    world.clusters.configure(Some(INSTALLER))?;
    for refused in [
        &["get", "secrets", "-n", "istio-system"][..],
        &["get", "secrets", "--all-namespaces"],
        &["get", "pods", "--all-namespaces"],
        &["get", "pods", "-n", "bookinfo"],
        &["exec", "-n", "bookinfo", "page", "-c", "istio-proxy", "--", "test", "-f", "/x"],
        &["get", "configmaps", "-n", "kube-system", "any"],
        &["create", "namespace", "mine"],
        &["get", "clusterroles"],
        &["create", "rolebinding", "more", "-n", "istio-system", "--clusterrole=cluster-admin", "--user=me"],
    ] {
        let said = world.clusters.kubectl(EAST, refused).await?;
        assert!(said.code == Some(1) && said.stderr.contains("forbidden"), "{refused:?}: {}", said.all());
    }
    let asks = [
        "exec",
        "-n",
        "istio-system",
        "east-west",
        "-c",
        "istio-proxy",
        "--",
        "pilot-agent",
        "request",
        "GET",
        "clusters",
    ];
    world.clusters.told(EAST, asks).await?;
    Ok(())
}

#[tokio::test]
async fn without_a_rule_nothing_is_begun_and_what_is_missing_is_said() -> Result<()> {
    let Some(world) = installation(&[EAST]).await? else { return Ok(()) };
    world.grant(EAST).await?;
    // The role, the rule and what is asked first of it.
    for (role, rule, asked) in [
        (
            "meridian-installer",
            "destinationrules",
            &["get", "destinationrules.networking.istio.io", "-n", "bookinfo"][..],
        ),
        ("meridian-installer", "configmaps", &["get", "configmaps", "-n", "istio-system"]),
        ("meridian-installer-cluster", "validatingadmissionpolicies", &["get", "validatingadmissionpolicies"]),
        ("meridian-installer-proxies", "pods", &["list", "pods", "-n", "istio-system"]),
        ("meridian-installer-proxies", "pods/exec", &["create", "pods", "--subresource=exec", "-n", "istio-system"]),
    ] {
        until_granted(&world, true, asked).await?;
        without(&world, role, rule).await?;
        until_granted(&world, false, asked).await?;
        world.clusters.configure(Some(INSTALLER))?;
        let said = world.run("install", &[]).await?;
        world.clusters.configure(None)?;
        assert_eq!(said.code, Some(1), "without {rule}: {}", said.all());
        for expected in [&format!("preflight failed in {EAST}: you may not"), rule, "nothing has been changed"] {
            assert!(said.stderr.contains(expected), "without {rule}, no {expected:?} in {}", said.all());
        }
        assert_eq!(world.objects(EAST).await?, BTreeMap::new());
        world.grant(EAST).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_label_of_a_fence_is_refused_outside_and_admitted_inside() -> Result<()> {
    let Some(world) = installation(&[WEST, EAST]).await? else { return Ok(()) };
    // One that was there before, and waits for somebody at its end.
    let mut early = proxy("bookinfo", "early", &json!({FENCE: "true"}));
    early["metadata"]["finalizers"] = json!(["example.com/last-words"]);
    world.clusters.run(EAST, &early).await?;
    world.done("install").await?;

    let fenced = |name: &str| proxy("bookinfo", name, &json!({FENCE: "true", "app": "productpage"}));
    let deadline = Instant::now() + PATIENCE;
    // A policy holds as soon as the server has compiled it.
    let mut tries = 0;
    let refusal = loop {
        tries += 1;
        let said = world.clusters.apply(EAST, &fenced(&format!("page-{tries}"))).await?;
        if said.code != Some(0) {
            break said.stderr;
        }
        ensure!(Instant::now() < deadline, "the label of a fence is not refused outside of it");
    };
    assert!(
        refusal.contains("cluster east is outside the fence of a `fence.meridian/` label on this pod"),
        "{refusal}"
    );
    let open = world.clusters.apply(EAST, &proxy("bookinfo", "open", &json!({"app": "productpage"}))).await?;
    assert_eq!(open.code, Some(0), "{}", open.all());
    let later = ["label", "pod", "-n", "bookinfo", "open", "fence.meridian/eu=true"];
    let later = world.clusters.kubectl(EAST, later).await?;
    assert!(later.stderr.contains("outside the fence"), "{}", later.all());

    let inside = world.clusters.apply(WEST, &fenced("page")).await?;
    assert_eq!(inside.code, Some(0), "{}", inside.all());
    let unknown = world.clusters.apply(WEST, &proxy("bookinfo", "lost", &json!({"fence.meridian/us": "true"}))).await?;
    assert!(unknown.stderr.contains("cluster west is outside"), "{}", unknown.all());

    // It cannot be made well any more, but it can be let go.
    world.clusters.told(EAST, ["delete", "pod", "-n", "bookinfo", "early", "--wait=false"]).await?;
    let last =
        ["patch", "pod", "-n", "bookinfo", "early", "--type=merge", "-p", r#"{"metadata": {"finalizers": null}}"#];
    world.clusters.told(EAST, last).await?;
    Ok(())
}

/// Takes one rule out of a role.
async fn without(world: &Installation, role: &str, resource: &str) -> Result<()> {
    let said: Value =
        serde_json::from_str(&world.clusters.told(EAST, ["get", "clusterrole", role, "-o", "json"]).await?)?;
    let rules = said.pointer("/rules").and_then(Value::as_array).cloned().unwrap_or_default();
    let names = |rule: &Value| rule["resources"].as_array().is_some_and(|all| all.iter().any(|one| one == resource));
    let left: Vec<Value> = rules.iter().filter(|rule| !names(rule)).cloned().collect();
    ensure!(left.len() + 1 == rules.len(), "{role} has not exactly one rule about {resource}");
    let patch = json!({"rules": left}).to_string();
    world.clusters.told(EAST, ["patch", "clusterrole", role, "--type=merge", "-p", &patch]).await.map(drop)
}

/// Waits until the server's authorizer has heard of a change.
async fn until_granted(world: &Installation, granted: bool, asked: &[&str]) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let question = [&["auth", "can-i", "--as", INSTALLER], asked].concat();
        let said = world.clusters.kubectl(EAST, question).await?;
        if (said.stdout.trim() == "yes") == granted {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{asked:?} is never {granted}: {}", said.all());
    }
}
