//! Nothing leaves a fence: counted at the services, whatever is asked, whatever is lost, whatever the filter is.
//!
//! Productpage is fenced in Europe, by host and by path, and details is not. So every request that productpage in us-east-1 ever sees
//! has left its fence, and that details there is busy all the time shows that the way is open and the count is not blind.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what cannot go on has failed, in helpers as well"
)]

#[path = "support/misbehaving.rs"]
mod misbehaving;
mod support;

use integration::bookinfo::Service;
use integration::client::Request;
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use integration::load::{Kind, Load, Plan};
use integration::mesh::{ClusterSpec, Ingress, Mesh, Served, Tag, Workload};
use integration::timeline::{Sample, SampleOutcome};
use misbehaving::Misbehaviour;
use support::until;

const FENCED_HOST: &str = "eu.example.com";
const FENCED_BY_PATH: &str = "mixed.example.com";
const OPEN_HOST: &str = "open.example.com";

fn policy(guard: &Guard) -> String {
    let Guard { table, when_exhausted, rescue, .. } = guard;
    let rescue = if *rescue { ", rescue: {attempts: 3, perTryTimeout: 500ms}" } else { "" };
    format!(
        "
apiVersion: meridian/v1
role: gateway
table: {table}
regions:
- {{name: eu-west-1, clusters: [west], displayName: WEST}}
- {{name: eu-central-1, clusters: [central], displayName: CENTRAL}}
- {{name: us-east-1, clusters: [east], displayName: EAST, aliases: [us]}}
fences:
  eu: [eu-west-1, eu-central-1]
services:
- name: productpage
  hosts: [{FENCED_HOST}, {FENCED_BY_PATH}]
  destination: {{host: productpage.bookinfo.svc.cluster.local, port: 9080}}
- name: details
  hosts: [{OPEN_HOST}]
  destination: {{host: details.bookinfo.svc.cluster.local, port: 9080}}
rules:
- {{name: residents, match: {{hosts: [{FENCED_HOST}]}}, fence: eu, whenExhausted: {when_exhausted}, timeout: 2s{rescue}}}
- name: pages
  match: {{hosts: [{FENCED_BY_PATH}], pathPrefix: /status}}
  fence: eu
  whenExhausted: {when_exhausted}
  timeout: 2s{}
- {{name: everyone, timeout: 2s}}
outlierDetection: {{consecutiveGatewayErrors: 3, interval: 1s, baseEjectionTime: 60s}}
",
        rescue.replacen(", ", "\n  ", 1),
    )
}

/// What stands in front of the services.
#[derive(Clone, Debug)]
struct Guard {
    version: EnvoyVersion,
    cluster: &'static str,
    workers: u32,
    table: &'static str,
    when_exhausted: &'static str,
    rescue: bool,
    filter: Filter,
}

impl Guard {
    /// Who serves an open request that asks for us-east-1: without the filter, a table of plans does not know the header.
    fn open_region(&self) -> &'static str {
        let reads_the_header =
            self.table == "full" || matches!(self.filter, Filter::Ours | Filter::Another(Misbehaviour::Forges));
        if reads_the_header || self.cluster == "east" { "EAST" } else { "WEST" }
    }
}

/// What runs in the place of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Ours,
    None,
    Another(Misbehaviour),
}

/// Outside the fence and inside, both Envoys, with and without rescue, and so on: each with each of its neighbours once.
fn guards(filter: Filter) -> Vec<Guard> {
    let (old, new) = (EnvoyVersion::oldest().unwrap(), EnvoyVersion::newest().unwrap());
    let guard = |(version, cluster, workers, table, when_exhausted, rescue): (&EnvoyVersion, _, _, _, _, _)| Guard {
        version: version.clone(),
        cluster,
        workers,
        table,
        when_exhausted,
        rescue,
        filter,
    };
    [
        (&new, "east", 1, "full", "fail", true),
        (&old, "east", 4, "plans", "preferred", true),
        (&new, "west", 4, "full", "preferred", false),
        (&old, "west", 1, "plans", "fail", false),
        (&old, "east", 1, "full", "fail", false),
        (&new, "west", 1, "plans", "preferred", true),
    ]
    .map(guard)
    .to_vec()
}

async fn mesh() -> Mesh {
    let cluster = |(name, region): (&str, &str)| ClusterSpec::new(name, region, &name.to_uppercase());
    let clusters = [("west", "eu-west-1"), ("central", "eu-central-1"), ("east", "us-east-1")].map(cluster).to_vec();
    let workloads = [Service::Productpage, Service::Details].map(|service| Workload::new(service, "v1")).to_vec();
    Mesh::builder().clusters(clusters).workloads(workloads).tag(Tag::Native).start().await.unwrap()
}

async fn ingress(mesh: &Mesh, guard: &Guard) -> Ingress {
    let ingress = mesh.ingress(guard.cluster).policy(&policy(guard)).workers(guard.workers);
    let ingress = ingress.envoy(guard.version.clone()).filter(guard.filter != Filter::None);
    let Filter::Another(misbehaviour) = guard.filter else { return ingress.start().await.unwrap() };
    let folder = tempfile::tempdir().unwrap();
    ingress.module(&misbehaviour.module(folder.path())).start().await.unwrap()
}

/// Every plan that there could be a name for, and some names that are none.
fn plans() -> Vec<String> {
    let of = |region: &str| [format!("prefer-{region}"), format!("only-{region}"), format!("prefer-{region}-in-eu")];
    let named = ["us-east-1", "eu-west-1", "eu-central-1"].into_iter().flat_map(of);
    named.chain(["PREFER-US-EAST-1", "prefer-us-east-1,prefer-us-east-1", "x", ""].map(str::to_owned)).collect()
}

/// Fenced requests, each with another reason to be elsewhere.
fn attacks() -> Vec<Request> {
    let regions = ["us-east-1", "US-East-1", "us", " us-east-1 ", "eu-central-1", "mars", ""];
    let plain = [FENCED_HOST, FENCED_BY_PATH].map(|host| Request::get("/status/200").host(host));
    let of = |plain: Request| {
        let mut requests = vec![
            plain.clone(),
            plain.clone().header("region", "eu-west-1").header("region", "us-east-1"),
            plain.clone().header("region", b"us-east-1\xff"),
        ];
        requests.extend(regions.map(|region| plain.clone().header("region", region)));
        for plan in plans() {
            let forged = plain.clone().header("x-region-route", &plan);
            requests.extend([forged.clone(), forged.clone().header("region", "us-east-1")]);
            requests.push(forged.header("X-Region-Route", "prefer-us-east-1"));
        }
        requests
    };
    plain.into_iter().flat_map(of).collect()
}

/// A guard at work: fenced and open requests go on and on.
struct Watch {
    guard: Guard,
    ingress: Ingress,
    load: Load,
}

impl Watch {
    fn start(guard: Guard, ingress: Ingress, clock: Clock) -> Self {
        let fenced = |host, name: &str| Kind::new(name).host(host).path("/status/200");
        let kinds = vec![
            fenced(FENCED_HOST, "fenced"),
            Kind::new("open").host(OPEN_HOST).path("/status/200").header("region", "us-east-1").unwrap(),
            fenced(FENCED_HOST, "fenced, asks us-east-1").header("region", "us-east-1").unwrap(),
            fenced(FENCED_BY_PATH, "fenced, asks eu-central-1").header("region", "eu-central-1").unwrap(),
            fenced(FENCED_BY_PATH, "fenced, forges a plan").header("x-region-route", "prefer-us-east-1").unwrap(),
        ];
        let load = Load::start(Plan::new(ingress.address(), kinds).rate(60), clock).unwrap();
        Self { guard, ingress, load }
    }

    /// Sends every attack; how each was answered.
    async fn attacked(&self) -> Vec<u16> {
        let mut answers = Vec::new();
        for attack in attacks() {
            answers.push(attack.send(self.ingress.address()).await.unwrap().status);
        }
        answers
    }
}

fn is_fenced(sample: &Sample) -> bool {
    sample.kind.starts_with("fenced")
}

fn served_in(sample: &Sample, region: &str) -> bool {
    sample.succeeded() && sample.served_by.as_deref() == Some(region)
}

/// Until the fenced requests that were sent last were answered so, at every guard.
async fn settled(watches: &[Watch], what: &str, wanted: impl Fn(&Sample) -> bool) {
    let is_so = |watch: &Watch| {
        let samples = watch.load.so_far();
        let mut latest = samples.iter().rev().filter(|sample| is_fenced(sample)).take(30);
        samples.len() > 40 && latest.all(&wanted)
    };
    until(what, async || Ok(watches.iter().all(is_so))).await.unwrap();
}

/// Every attack at every guard is answered so.
async fn attack(watches: &[Watch], when: &str, status: u16) {
    for watch in watches {
        let answers = watch.attacked().await;
        let wrong: Vec<_> = attacks().into_iter().zip(answers).filter(|(_, answer)| *answer != status).collect();
        assert!(wrong.is_empty(), "{when}, {:?}: {wrong:?}", watch.guard);
    }
}

/// One region of the fence is lost after the other, `first` first, while all guards are under load and attack.
async fn play(guards: Vec<Guard>, first: &'static str) -> Served {
    let mesh = mesh().await;
    let before = mesh.served();
    let clock = Clock::start();
    let mut watches = Vec::new();
    for guard in guards {
        let ingress = ingress(&mesh, &guard).await;
        watches.push(Watch::start(guard, ingress, clock));
    }
    let lose = |cluster: &str| mesh.cluster(cluster).unwrap().service(Service::Productpage).kill();
    let second = if first == "west" { "central" } else { "west" };

    settled(&watches, "all is well", Sample::succeeded).await;
    attack(&watches, "all is well", 200).await;
    lose(first);
    let survivor = second.to_uppercase();
    settled(&watches, "the other region serves", |sample| served_in(sample, &survivor)).await;
    attack(&watches, "one region is lost", 200).await;
    lose(second);
    settled(&watches, "it fails closed", |sample| sample.outcome == SampleOutcome::Status(503)).await;
    attack(&watches, "both are lost", 503).await;

    for watch in watches {
        let samples = watch.load.stop().await.unwrap().samples;
        let open: Vec<_> = samples.iter().filter(|sample| !is_fenced(sample)).collect();
        let disturbed: Vec<_> = open.iter().filter(|sample| !served_in(sample, watch.guard.open_region())).collect();
        assert!(open.len() > 10 && disturbed.is_empty(), "{:?}: {disturbed:?}", watch.guard);
    }
    mesh.served().since(&before)
}

fn nothing_left_the_fence(served: &Served) {
    assert_eq!(served.at("east", Service::Productpage), 0, "{served:?}");
    assert!(served.at("west", Service::Productpage) > 0 && served.at("central", Service::Productpage) > 0);
    assert!(served.at("east", Service::Details) > 0, "the way out was never open: {served:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_a_fence_whatever_is_asked_and_whatever_is_lost() {
    nothing_left_the_fence(&play(guards(Filter::Ours), "west").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_a_fence_whichever_region_is_lost_first() {
    nothing_left_the_fence(&play(guards(Filter::Ours), "central").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_a_fence_when_the_filter_is_taken_out() {
    nothing_left_the_fence(&play(guards(Filter::None), "west").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_a_fence_when_the_filter_forges_plans() {
    nothing_left_the_fence(&play(guards(Filter::Another(Misbehaviour::Forges)), "west").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_a_fence_when_the_filter_dies() {
    let (mut guards, of_a_response) =
        (guards(Filter::Another(Misbehaviour::DiesOfARequest)), guards(Filter::Another(Misbehaviour::DiesOfAResponse)));
    guards.truncate(3);
    guards.extend(of_a_response.into_iter().skip(3));
    nothing_left_the_fence(&play(guards, "west").await);
}

/// Envoy's paths: what it takes for `/status` is fenced, in whatever way it is written.
#[tokio::test(flavor = "multi_thread")]
async fn no_other_way_to_write_a_path_leaves_its_fence() {
    let paths = [
        "//status/200",
        "/./status/200",
        "/%2e/status/200",
        "/x/../status/200",
        "/x/%2e%2e/status/200",
        "/x/.%2E/status/200",
        "/%73tatus/200",
        "/x\\..\\status/200",
        "/%2fstatus/200",
        "/x%2f..%2fstatus/200",
        "/x%5c..%5Cstatus/200",
        "/;a=b/../status/200",
        "http://mixed.example.com/status/200",
        "http://MIXED.example.com:80/x/..//status/200",
    ];
    let requests = paths.map(|path| Request::get(path).host(FENCED_BY_PATH));
    let open = Request::get("/echo").host(FENCED_BY_PATH);
    fenced_but_for(&requests, &open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_way_to_write_a_host_leaves_its_fence() {
    let hosts =
        ["EU.Example.COM", "eu.example.com:8080", "eu.example.com:99999", "eu.example.com.", "eu.example.com.:80"];
    let requests = hosts.map(|host| Request::get("/status/200").host(host));
    let open = Request::get("/status/200").host("elsewhere.example.com");
    fenced_but_for(&requests, &open).await;
}

/// At an ingress outside the fence that takes every host: each of `requests` is answered inside, while `open` is not.
async fn fenced_but_for(requests: &[Request], open: &Request) {
    let mesh = mesh().await;
    for guard in guards(Filter::Ours).into_iter().take(2) {
        for filter in [true, false] {
            let hosts = format!("{FENCED_HOST}, {FENCED_BY_PATH}");
            let policy = policy(&guard).replace(&hosts, &format!("{hosts}, \"*\""));
            let ingress = mesh.ingress("east").policy(&policy).filter(filter).envoy(guard.version.clone());
            let ingress = ingress.start().await.unwrap();
            let served_by = async |request: &Request| {
                let answer = request.send(ingress.address()).await.unwrap();
                assert_eq!(answer.status, 200, "{request:?} {guard:?}");
                answer.header("x-served-by-cluster")
            };
            for request in requests {
                assert_eq!(
                    served_by(request).await.as_deref(),
                    Some("WEST"),
                    "{request:?} {guard:?}, filter: {filter}"
                );
            }
            assert_eq!(served_by(open).await.as_deref(), Some("EAST"), "{guard:?}");
        }
    }
    assert_eq!(mesh.served().at("east", Service::Productpage), 4, "one for each ingress");
}
