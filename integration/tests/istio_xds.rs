//! What istiod makes of our manifests, read: the same questions to the control plane that runs and to what it said when it was recorded.
//!
//! The recording is `integration/istio/testdata/fence/recorded.json`, with addresses in 127.0.0.0/24. Where Go can be had it is held
//! against the living; where it cannot, it stands in, and the test says so. `MERIDIAN_RECORD=1` writes it anew.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use integration::bookinfo::Service;
use integration::istio::{Finding, Manifests, Mesh, Place, Programs, Recording};
use integration::mesh::ClusterSpec;
use integration::paths;
use serde_json::Value;

const HOST: &str = "productpage.bookinfo.svc.cluster.local";
/// Where the module is in a cluster.
const MODULE: &str = "/etc/meridian/meridian.wasm";

fn testdata() -> PathBuf {
    paths::workspace().join("integration/istio/testdata/fence")
}

async fn mesh(programs: &Programs) -> Result<Mesh> {
    let place = |cluster: &str, region: &str, fences: &[&str]| {
        Place::new(ClusterSpec::new(cluster, region, &cluster.to_uppercase()), fences)
    };
    let places = vec![
        place("west", "eu-west-1", &["eu"]),
        place("central", "eu-central-1", &["eu"]),
        place("east", "us-east-1", &[]),
    ];
    Mesh::start(programs.clone(), places, vec![Service::Productpage], 2).await
}

fn manifests() -> Result<Manifests> {
    Ok(Manifests::read(&testdata())?.word("MODULE", MODULE))
}

/// The same policy as `meridian render istio` writes it.
fn rendered() -> Result<Manifests> {
    let policy = std::fs::read_to_string(paths::workspace().join("integration/istio/testdata/policy.yaml"))?;
    let gateway = std::fs::read_to_string(testdata().join("10-gateway.yaml"))?;
    let rendered = Manifests::rendered(&policy, "west", "bookinfo/bookinfo", &paths::module()?)?;
    Ok(rendered.file("gateway.yaml", &gateway))
}

/// What the gateway in `west` is told: now, if that can be asked, else when it was recorded.
async fn told() -> Result<Recording> {
    match Programs::get().await? {
        Some(programs) => {
            println!("mode: live, Istio's control plane");
            mesh(&programs).await?.record("west", &manifests()?).await
        }
        None => {
            println!("mode: RECORDED, for without Go there is no Istio to ask");
            Recording::read(&testdata().join("recorded.json"))
        }
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The clusters of the mesh behind a plan, by their priority.
fn order(told: &Recording, plan: &str) -> Result<BTreeMap<u64, Vec<String>>> {
    let name = format!("outbound|9080|{plan}|{HOST}");
    let endpoints = told.resources("endpoints")?;
    let assignment = endpoints.iter().find(|assignment| text(assignment, "/cluster_name") == name);
    let mut order: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for locality in items(assignment.with_context(|| format!("there is no {name}"))?, "/endpoints") {
        let priority = locality["priority"].as_u64().unwrap_or_default();
        for endpoint in items(locality, "/lb_endpoints") {
            // `workload;namespace;name;revision;cluster`
            let workload = text(endpoint, "/metadata/filter_metadata/istio/workload");
            order.entry(priority).or_default().push(workload.rsplit(';').next().unwrap_or_default().to_owned());
        }
    }
    order.values_mut().for_each(|clusters| {
        clusters.sort();
        clusters.dedup();
    });
    Ok(order)
}

fn ranks(ranks: &[&[&str]]) -> BTreeMap<u64, Vec<String>> {
    (0..).zip(ranks.iter().map(|clusters| clusters.iter().map(|&cluster| cluster.to_owned()).collect())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_its_first_region_then_the_others_and_a_fence_is_its_endpoints() -> Result<()> {
    let told = told().await?;
    assert_eq!(order(&told, "prefer-eu-west-1")?, ranks(&[&["west"], &["central", "east"]]));
    assert_eq!(order(&told, "prefer-us-east-1")?, ranks(&[&["east"], &["central", "west"]]));
    assert_eq!(order(&told, "prefer-eu-west-1-in-eu")?, ranks(&[&["west"], &["central"]]));
    assert_eq!(order(&told, "prefer-eu-central-1-in-eu")?, ranks(&[&["central"], &["west"]]));
    assert_eq!(order(&told, "only-eu-west-1")?, ranks(&[&["west"]]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_of_a_fenced_host_leads_out_and_each_ends_in_time_and_rescues() -> Result<()> {
    let routes = told().await?.resources("routes")?;
    let host = routes.iter().flat_map(|table| items(table, "/virtual_hosts"));
    let host = host.into_iter().find(|host| text(host, "/name") == "eu.example.com:8080").context("no such host")?;
    let mut count = 0;
    for route in items(host, "/routes") {
        count += 1;
        let cluster = text(route, "/route/cluster");
        assert!(cluster.ends_with(&format!("-in-eu|{HOST}")), "{cluster}");
        assert_eq!(text(route, "/route/timeout"), "3s", "{route}");
        let retry = &route["route"]["retry_policy"];
        assert_eq!((text(retry, "/per_try_timeout"), &retry["num_retries"]), ("0.400s", &Value::from(3)));
        // Istio's own choice: the second try may still stay in the region, the third leaves it.
        assert_eq!(retry.pointer("/retry_priority/typed_config/update_frequency"), Some(&Value::from(2)), "{retry}");
    }
    assert_eq!((count, &host["include_attempt_count_in_response"]), (6, &Value::from(true)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filter_comes_first_and_a_plan_is_taken_away_before_it() -> Result<()> {
    let told = told().await?;
    let listeners = told.resources("listeners")?;
    let manager = listeners[0].pointer("/filter_chains/0/filters/0/typed_config").context("no connection manager")?;
    assert_eq!(text(manager, "/http_filters/0/name"), "istio-system/meridian");
    let early = "/early_header_mutation_extensions/0/typed_config/mutations/0/remove";
    assert_eq!(text(manager, early), "x-region-route");
    let extensions = told.resources("extensions")?;
    let module = "/typed_config/config/vm_config/code/local/filename";
    assert_eq!((text(&extensions[0], "/name"), text(&extensions[0], module)), ("istio-system/meridian", MODULE));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_what_istio_says() -> Result<()> {
    let Some(programs) = Programs::get().await? else {
        println!("SKIPPED: without Go there is no Istio to hold the recording against");
        return Ok(());
    };
    let (path, live) = (testdata().join("recorded.json"), mesh(&programs).await?.record("west", &manifests()?).await?);
    if std::env::var_os("MERIDIAN_RECORD").is_some() {
        return live.write(&path);
    }
    let difference = live.differs(&Recording::read(&path)?);
    assert_eq!(difference, None, "write it anew with MERIDIAN_RECORD=1, and read what changed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn istios_analyzers_find_nothing_but_what_they_cannot_know() -> Result<()> {
    let Some(programs) = Programs::get().await? else {
        println!("SKIPPED: without Go there are no analyzers");
        return Ok(());
    };
    let mesh = mesh(&programs).await?;
    let worse = async |manifests: &Manifests| -> Result<Vec<Finding>> {
        let mut findings = mesh.analyze("west", manifests).await?;
        findings.retain(|finding| finding.severity != "info");
        Ok(findings)
    };
    assert_eq!(worse(&rendered()?).await?, []);
    // `topology.istio.io/cluster` is put on endpoints by istiod and is on no pod, so analyzers see a subset that selects none.
    let (known, unknown): (Vec<_>, Vec<_>) = worse(&manifests()?)
        .await?
        .into_iter()
        .partition(|finding| finding.code == "IST0173" && finding.message.contains(" only-"));
    assert_eq!((known.len(), unknown), (1, vec![]));
    Ok(())
}
