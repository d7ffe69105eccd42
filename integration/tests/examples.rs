//! Every example, put to Istio's own judgement and to a real Envoy.
//!
//! What an example's README renders is judged by Istio's validation and analyzers with the mesh around it that it is for. What its
//! `policy-test.yaml` says of requests while nothing is ejected is asked of an Envoy with the filter in, in front of the regions that the
//! policy names; examples about the same regions share a mesh. That mesh serves Bookinfo, whatever the example's services are called.

// What the tests share may fail them as they may themselves.
#![allow(clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use integration::bookinfo::Service;
use integration::client::{Request, Response};
use integration::istio::Programs;
use integration::mesh::{ClusterSpec, Mesh, Tag, Workload};
use integration::paths;
use meridian::cli::Cli;
use meridian::explain::{Explanation, explain};
use meridian::policy_file::PolicyFile;
use meridian::policy_test::TestFile;
use meridian::request_line::RequestLine;
use meridian_core::{LocalHints, Policy, Role, Timestamp};
use serde_json::{Value, json};
use support::side_by_side;

/// How often a request is sent that is shared out: a share of a tenth is missed once in 300,000 runs.
const SHARED_OUT: usize = 120;
/// What a decision is called that is not worth a header.
const OBVIOUS: [&str; 3] = ["asked", "local", "weighted"];
const LINE: &str = "meridian render istio ";

fn examples() -> Result<Vec<PathBuf>> {
    let root = paths::workspace().join("envoyfilter/examples");
    let entries = fs::read_dir(root)?.map(|entry| Ok(entry?.path()));
    let mut folders = entries.collect::<Result<Vec<_>>>()?;
    folders.sort();
    Ok(folders)
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Fails with all that failed.
fn all(results: Vec<Result<()>>) -> Result<()> {
    let failed: Vec<String> = results.into_iter().filter_map(|result| Some(format!("{:#}", result.err()?))).collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// Runs the README's rendering into a folder, with the filter from this machine if it comes from nowhere else; the Gateway it names.
fn render(folder: &Path, out: &Path) -> Result<Option<String>> {
    let readme = fs::read_to_string(folder.join("README.md"))?;
    let line = readme.lines().find(|line| line.starts_with(LINE)).context("the README renders nothing")?;
    let mut arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let (mut gateway, mut last) = (None, String::new());
    for argument in &mut arguments {
        match last.as_str() {
            "istio" | "--from" => *argument = folder.join(&*argument).display().to_string(),
            "-o" => *argument = out.display().to_string(),
            "--gateway" => gateway = Some(argument.clone()),
            _ => {}
        }
        last.clone_from(argument);
    }
    if !arguments.iter().any(|argument| argument == "--oci") {
        arguments.extend(["--module".to_owned(), paths::module()?.display().to_string()]);
    }
    // What it says to people is nobody's here; that nothing was written is.
    let _ = Cli::try_parse_from(arguments)?.run();
    Ok(gateway)
}

/// Takes out what is kubectl's (a component, a module in bytes, a setting of the installation) and returns all of the rest.
fn without_what_istio_does_not_read(folder: &Path) -> Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let file = name(&path);
        if path.is_dir() {
            text += &without_what_istio_does_not_read(&path)?;
        } else if file.starts_with("configmap.") || file == "mesh-config.yaml" || file == "kustomization.yaml" {
            fs::remove_file(&path)?;
        } else {
            text += &fs::read_to_string(&path)?;
        }
    }
    Ok(text)
}

/// The mesh around the manifests of an example: where its pods run, what selects them, and the gateways.
fn surroundings(folder: &Path, gateway: Option<&str>, rendered: &str) -> Result<String> {
    let file = PolicyFile::load(&folder.join("policy.yaml"), &LocalHints::default())?;
    let namespace = |name: &str| {
        let labels = json!({"istio-injection": "enabled"});
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    };
    let service = |namespace: &str, name: &str, selector: Value, port: u16| {
        let spec = json!({"selector": selector, "ports": [{"name": "http", "protocol": "TCP", "port": port, "targetPort": port}]});
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec})
    };
    let pod = |namespace: &str, name: &str, labels: Value| {
        let containers = json!([{"name": "app", "image": "app"}, {"name": "istio-proxy", "image": "proxy"}]);
        let metadata = json!({"name": name, "namespace": namespace, "labels": labels});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}})
    };
    let front = json!({"istio": "ingressgateway"});
    let mut objects = vec![
        namespace("istio-system"),
        service("istio-system", "istio-ingressgateway", front.clone(), 8080),
        pod("istio-system", "istio-ingressgateway", front.clone()),
    ];
    if let Some((namespace, name)) = gateway.and_then(|gateway| gateway.split_once('/')) {
        let server = json!({"port": {"number": 8080, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]});
        let metadata = json!({"name": name, "namespace": namespace});
        let spec = json!({"selector": front, "servers": [server]});
        let gateway =
            json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": metadata, "spec": spec});
        objects.push(gateway);
    }
    if rendered.contains("@request.auth.claims") {
        // Somebody has to check the tokens whose claims are asked for.
        let metadata = json!({"name": "tokens", "namespace": "istio-system"});
        let rules = json!([{"issuer": "https://issuer.example.com", "jwksUri": "https://issuer.example.com/keys"}]);
        let spec = json!({"selector": {"matchLabels": front}, "jwtRules": rules});
        objects.push(json!({"apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication", "metadata": metadata, "spec": spec}));
    }
    let fences: BTreeSet<&str> = rendered
        .split("fence.meridian/")
        .skip(1)
        .filter_map(|rest| rest.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').next())
        .collect();
    let mut known = BTreeSet::new();
    for of in file.policy.services() {
        let mut parts = of.destination.host.split('.');
        let (app, space) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if known.insert(space) {
            objects.push(namespace(space));
        }
        objects.push(service(space, app, json!({"app": app}), of.destination.port));
        for version in ["v1", "v2", "v3"] {
            let mut labels = json!({"app": app, "version": version});
            for fence in &fences {
                labels[format!("fence.meridian/{fence}")] = json!("true");
            }
            objects.push(pod(space, &format!("{app}-{version}"), labels));
        }
    }
    let mut documents: Vec<String> = objects.iter().map(Value::to_string).collect();
    // The user's own Gateways stay as they are.
    for entry in fs::read_dir(folder.join("manifests")).into_iter().flatten() {
        let text = fs::read_to_string(entry?.path())?;
        let own = text.split("\n---\n").filter(|document| document.contains("\nkind: Gateway\n"));
        documents.extend(own.map(str::to_owned));
    }
    // What the README says to apply beside what is rendered.
    let readme = fs::read_to_string(folder.join("README.md"))?;
    let beside = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    documents.extend(beside.filter(|text| text.contains("kind: RequestAuthentication")).map(str::to_owned));
    Ok(documents.join("\n---\n"))
}

/// What Istio finds in one example.
async fn judge(programs: &Programs, folder: &Path) -> Result<()> {
    let (out, around) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let gateway = render(folder, out.path())?;
    let rendered = without_what_istio_does_not_read(out.path())?;
    let around = around.path().join("around.yaml");
    fs::write(&around, surroundings(folder, gateway.as_deref(), &rendered)?)?;
    let (mut clusters, mut wrong) = (0, Vec::new());
    for cluster in fs::read_dir(out.path())? {
        clusters += 1;
        let cluster = cluster?.path();
        for finding in programs.analyze([cluster.as_path(), around.as_path()]).await? {
            // `topology.istio.io/cluster` is put on endpoints by istiod and is on no pod, so analyzers see a subset that selects none.
            let known = finding.code == "IST0173" && finding.message.contains("only-");
            if finding.severity != "info" && !known {
                wrong.push(format!("{} {} {}: {}", name(&cluster), finding.code, finding.resource, finding.message));
            }
        }
    }
    ensure!(clusters > 0, "{}: the README's command writes nothing", name(folder));
    ensure!(wrong.is_empty(), "{}:\n  {}", name(folder), wrong.join("\n  "));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn istio_finds_nothing_in_any_example() -> Result<()> {
    let Some(programs) = Programs::get().await? else {
        println!("SKIPPED: without Go there are no analyzers");
        return Ok(());
    };
    let mut folders = examples()?;
    // A static Envoy has no Istio.
    folders.retain(|folder| name(folder) != "static");
    all(side_by_side(folders.iter().map(|folder| judge(&programs, folder))).await)
}

/// A request of an example's tests, with where its Envoy runs.
struct Case {
    name: String,
    cluster: String,
    line: RequestLine,
}

/// An example as an Envoy gets it.
struct Example {
    name: String,
    folder: PathBuf,
    cases: Vec<Case>,
}

impl Example {
    fn read(folder: &Path) -> Result<Self> {
        let mut cases = Vec::new();
        for test in TestFile::load(&folder.join("policy-test.yaml"))?.run() {
            ensure!(test.passed, "{}: `{}` fails already without an Envoy", name(folder), test.name);
            // What a person would type is what is asked here.
            let (_, rest) = test.replay.split_once(" --request '").context("a replay asks something")?;
            let (request, options) = rest.split_once('\'').context("a request ends")?;
            if options.contains("--ejected") || options.contains("--at") {
                continue;
            }
            let (_, cluster) =
                options.split_once("--cluster ").context("a test of an example says in which cluster")?;
            cases.push(Case { name: test.name, cluster: cluster.to_owned(), line: request.parse()? });
        }
        ensure!(!cases.is_empty(), "{}: no request can be sent", name(folder));
        Ok(Self { name: name(folder), folder: folder.to_path_buf(), cases })
    }

    /// The policy as a cluster has it.
    fn policy(&self, cluster: &str) -> Result<PolicyFile> {
        let hints = LocalHints { cluster_id: Some(cluster), ..LocalHints::default() };
        PolicyFile::load(&self.folder.join("policy.yaml"), &hints)
    }

    fn clusters(&self) -> Result<Vec<ClusterSpec>> {
        let policy = self.policy("")?.policy;
        let spec = |region: &meridian_core::Region| {
            let cluster = region.clusters.first().context("a region has a cluster")?;
            Ok(ClusterSpec::new(cluster, &region.name, &region.display_name))
        };
        policy.regions().iter().map(spec).collect()
    }

    /// Asks every request of a mesh that has its regions.
    async fn ask(&self, mesh: &Mesh) -> Result<()> {
        let mut by_cluster: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
        for case in &self.cases {
            by_cluster.entry(case.cluster.as_str()).or_default().push(case);
        }
        for (cluster, cases) in by_cluster {
            let file = self.policy(cluster)?;
            let ingress = mesh.ingress(cluster).policy(&for_bookinfo(&file, &cases)?).start().await?;
            for case in cases {
                let (told, sent) = (behind_the_edge(&file.policy, &case.line), sent(&case.line)?);
                let expected = explain(&file.policy, &told, &[], Timestamp(1));
                let times = expected.as_ref().map_or(1, |told| if told.split.is_empty() { 1 } else { SHARED_OUT });
                let mut answers = Vec::new();
                for _ in 0..times {
                    answers.push(sent.send(ingress.address()).await?);
                }
                compare(&file.policy, expected.as_ref(), &answers)
                    .with_context(|| format!("{}: {} (in {cluster})", self.name, case.name))?;
            }
        }
        Ok(())
    }
}

/// The policy for a gateway in front of Bookinfo: its services are called by Bookinfo's names, and nothing else is different.
fn for_bookinfo(file: &PolicyFile, cases: &[&Case]) -> Result<String> {
    let names = file.policy.services().iter().zip(Service::ALL).map(|(of, service)| (of.name.clone(), service.name()));
    let names: BTreeMap<String, &str> = names.collect();
    let mut document = file.document.clone();
    document["role"] = json!("gateway");
    // The reason is asked of every answer here.
    document["explain"] = json!({"public": true});
    // What a policy says can be seen only where it acts.
    document["stage"] = json!("enforce");
    let rename = |value: &mut Value| {
        let new = value.as_str().and_then(|old| names.get(old)).context("Bookinfo has not so many services")?;
        *value = json!(new);
        anyhow::Ok(())
    };
    for (index, service) in document["services"].as_array_mut().into_iter().flatten().enumerate() {
        let hosts = file.policy.virtual_hosts().iter().filter(|host| host.service.index() == index);
        let mut hosts: BTreeSet<String> = hosts.map(|host| host.domain()).collect();
        if file.policy.role() != Role::Gateway {
            // A sidecar knows a service by more names than are written down.
            let asked = cases.iter().flat_map(|case| &case.line.headers).filter(|(name, _)| name == ":authority");
            let asked = asked.filter(|(_, host)| {
                file.policy.virtual_host(host.as_bytes()).is_some_and(|host| host.service.index() == index)
            });
            hosts.extend(asked.filter_map(|(_, host)| host.split(':').next().map(str::to_owned)));
        }
        service["hosts"] = hosts.into_iter().map(Value::from).collect();
        rename(&mut service["name"])?;
    }
    for rule in document.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
        let services = rule.get_mut("match").and_then(|rule| rule.get_mut("services")).and_then(Value::as_array_mut);
        services.into_iter().flatten().try_for_each(rename)?;
    }
    Ok(document.to_string())
}

/// What is left of a request when the edge has taken out what a client may not bring; no token is checked here (`istio_claims` does).
fn behind_the_edge(policy: &Policy, line: &RequestLine) -> RequestLine {
    let rules = policy.virtual_hosts().iter().flat_map(|host| host.rules.iter()).filter_map(|id| policy.rule(*id));
    let trusted: BTreeSet<&str> = rules
        .flat_map(|rule| &rule.matches.headers)
        .filter(|header| header.trusted)
        .map(|header| header.name.as_str())
        .collect();
    let mut line = line.clone();
    line.headers.retain(|(name, _)| !trusted.contains(name.as_str()));
    line.claims.clear();
    line
}

fn sent(line: &RequestLine) -> Result<Request> {
    let of = |name: &str| {
        let found = line.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).context("a request has a method, a host and a path")
    };
    let request = Request::new(of(":method")?, of(":path")?).host(of(":authority")?);
    let headers = line.headers.iter().filter(|(name, _)| !name.starts_with(':'));
    Ok(headers.fold(request, |request, (name, value)| request.header(name, value)))
}

/// Who served, and with what reason, against what was explained.
fn compare(policy: &Policy, told: Option<&Explanation>, answers: &[Response]) -> Result<()> {
    let tags: BTreeSet<String> =
        answers.iter().map(|answer| answer.header(&policy.headers().served_by).unwrap_or_default()).collect();
    let answer = answers.first().context("nothing was asked")?;
    let Some(told) = told else {
        ensure!(answer.status == 404, "nobody answers for this host, and it was {}", answer.status);
        return Ok(());
    };
    let tag = |region: &String| {
        let found = policy.regions().iter().find(|known| known.name == *region && !policy.hides_tag());
        found.map(|region| region.display_name.clone()).unwrap_or_default()
    };
    let expected: BTreeSet<String> = match (told.status, told.split.is_empty()) {
        (Some(status), _) => {
            ensure!(answer.status == status, "it was answered with {} and not {status}", answer.status);
            BTreeSet::from([String::new()])
        }
        (None, true) => told.chosen.iter().map(tag).collect(),
        (None, false) => told.split.keys().map(tag).collect(),
    };
    ensure!(tags == expected, "served by {tags:?} and not by {expected:?} ({})", answer.status);
    let decision = answer.header(&policy.headers().decision);
    if OBVIOUS.contains(&told.reason) {
        ensure!(decision.is_none(), "nothing was decided, and it says {decision:?}");
    } else {
        let decision = decision.unwrap_or_default();
        let (reason, rule) = (format!("reason={}", told.reason), format!("rule={}", told.rule));
        ensure!(decision.contains(&reason) && decision.contains(&rule), "not {reason}, {rule} but `{decision}`");
    }
    Ok(())
}

/// Examples about the same regions, with one mesh.
async fn ask_all(clusters: Vec<ClusterSpec>, examples: Vec<Example>) -> Result<()> {
    let services = examples.iter().map(|example| Ok(example.policy("")?.policy.services().len()));
    let most = services.collect::<Result<Vec<_>>>()?.into_iter().max().unwrap_or_default();
    let workloads = Service::ALL.into_iter().take(most).map(|service| Workload::new(service, "v1")).collect();
    let mesh = Mesh::builder().clusters(clusters).workloads(workloads).tag(Tag::Native).start().await?;
    all(side_by_side(examples.iter().map(|example| example.ask(&mesh))).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_an_example_goes_where_its_test_says() -> Result<()> {
    let mut meshes: Vec<(Vec<ClusterSpec>, Vec<Example>)> = Vec::new();
    for folder in examples()? {
        let example = Example::read(&folder)?;
        let clusters = example.clusters()?;
        match meshes.iter_mut().find(|(known, _)| *known == clusters) {
            Some((_, examples)) => examples.push(example),
            None => meshes.push((clusters, vec![example])),
        }
    }
    all(side_by_side(meshes.into_iter().map(|(clusters, examples)| ask_all(clusters, examples))).await)
}
