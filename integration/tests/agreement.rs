//! `explain` and Envoy say the same: ten thousand requests by chance, under every set of ejected regions, on both tables.
//!
//! The ejections are real. A region's applications answer 503 until the filter has put the region out for an hour, and answer 200
//! again from then on, so that a decision for an ejected region where nothing else is left is one that can be seen served. Each
//! ingress loses the three regions in an order of its own; the three orders together pass through all eight sets.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::Full;
use integration::bookinfo::{Fault, Service};
use integration::client::Pool;
use integration::envoy::EnvoyVersion;
use integration::mesh::{ClusterSpec, Mesh, Tag, Workload};
use meridian::explain::{Explanation, explain};
use meridian::policy_file::PolicyFile;
use meridian::request_line::RequestLine;
use meridian_core::{LocalHints, RegionId, Timestamp};
use support::{Chance, Edge, Setting, World, side_by_side, until};

const REQUESTS: usize = 10_000;
/// Requests under way at each ingress.
const CLIENTS: usize = 4;
/// The most that a loaded machine may be late; nothing here is measured.
const PATIENCE: Duration = Duration::from_secs(30);

/// The clusters with their regions, in the policy's order; the ingresses are in the first.
const REGIONS: [(&str, &str); 3] = [("primary", "us-west-1"), ("secondary", "eu-west-1"), ("tertiary", "eu-central-1")];

/// In which order an ingress loses its regions.
const ORDERS: [[usize; 3]; 3] = [[0, 1, 2], [1, 2, 0], [2, 0, 1]];

/// Where requests go that are to fail. Its plans are its own, so that what Envoy itself holds against a region's pods for them is
/// nothing to the plans that are compared.
const TRIAL: &str = "/trial";

/// The rule that shares requests out, for which `explain` has shares and Envoy has one request at a time.
const SHARED: &str = "shared";

/// Details has rules like productpage's, and health of its own: it is never ejected.
fn policy(table: &str) -> String {
    format!(
        "
apiVersion: meridian/v1
explain: {{public: true}}
role: gateway
table: {table}
regions:
- {{name: us-west-1, clusters: [primary], displayName: PRIMARY, aliases: [us, West.1]}}
- {{name: eu-west-1, clusters: [secondary], displayName: SECONDARY, aliases: [eu, Dublin, IE]}}
- {{name: eu-central-1, clusters: [tertiary], displayName: TERTIARY, aliases: [de]}}
fences:
  eu: [eu-west-1, eu-central-1]
  atlantic: [eu-west-1, us-west-1]
  frankfurt: [eu-central-1]
  trial: [us-west-1, eu-west-1, eu-central-1]
services:
- name: productpage
  hosts: [a.example.com, '*.books.example.com']
  destination: {{host: productpage.bookinfo.svc.cluster.local, port: 9080}}
- name: details
  hosts: [details.example.com]
  destination: {{host: details.bookinfo.svc.cluster.local, port: 9080}}
rules:
- {{name: trial, match: {{pathPrefix: {TRIAL}}}, fence: trial}}
- {{name: writes, match: {{pathPrefix: /api, methods: [POST, PUT]}}, fence: frankfurt, whenExhausted: fail}}
- {{name: api, match: {{pathPrefix: /api/}}, fence: atlantic}}
- {{name: shop, match: {{hosts: [shop.books.example.com], methods: [GET]}}, fence: eu, whenExhausted: fail}}
- name: acme
  match: {{headers: [{{name: x-tenant, exact: acme}}]}}
  failover: [{{from: us-west-1, to: []}}, {{from: eu-west-1, to: [eu-central-1]}}]
- {{name: {SHARED}, match: {{pathPrefix: /shared}}, distribute: {{us-west-1: 50, eu-central-1: 50}}}}
- name: ordered
  match: {{methods: [HEAD, GET], pathPrefix: /v1}}
  failover:
  - {{from: us-west-1, to: [eu-central-1, eu-west-1]}}
  - {{from: eu-west-1, to: [eu-central-1, us-west-1]}}
  rescue: {{attempts: 2}}
- {{name: strict, match: {{methods: [DELETE]}}, fence: eu, onUnknownRegion: reject}}
- {{name: everyone, onUnknownRegion: ignore}}
outlierDetection:
  {{consecutiveGatewayErrors: 3, interval: 10s, baseEjectionTime: 3600s, maxEjectionTime: 3600s}}
"
    )
}

const METHODS: [&str; 7] = ["GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE"];
const HOSTS: [&str; 10] = [
    "a.example.com",
    "a.example.com",
    "A.Example.COM:8443",
    "b.books.example.com",
    "shop.books.example.com",
    "Shop.Books.example.com:80",
    "deep.shop.books.example.com",
    "details.example.com",
    "books.example.com",
    "b.example.com",
];
const PATHS: [&str; 9] = ["/", "/", "/api", "/api/v1/x", "/apix", "/API", "/v1?next=/api", "/shared/x", "/eu?x=y"];
const SPELLINGS: [&str; 14] = [
    "us-west-1",
    "us",
    "West.1",
    "eu-west-1",
    "EU",
    "dublin",
    "Ie",
    "eu-central-1",
    "de",
    "DE",
    "",
    "eu,de",
    "us west 1",
    "atlantis",
];

/// A request, as header lines without the pseudo-headers.
#[derive(Clone, Debug)]
struct Case {
    method: &'static str,
    host: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, &'static str)>,
}

impl Case {
    fn by_chance(chance: &mut Chance) -> Self {
        let mut headers = Vec::new();
        let lines = [0, 0, 1, 1, 1, 1, 1, 2].get(chance.below(8)).copied().unwrap_or_default();
        let (method, host, path) = (chance.one_of(&METHODS), chance.one_of(&HOSTS), chance.one_of(&PATHS));
        for _ in 0..lines {
            headers.push(("region", chance.one_of(&SPELLINGS)));
        }
        if chance.once_in(4) {
            headers.push(("x-tenant", chance.one_of(&["acme", "Acme", "other"])));
        }
        // A client's own plan is nobody's; it must change nothing.
        if chance.once_in(16) {
            headers.push(("x-region-route", chance.one_of(&["prefer-eu-central-1", "only-us-west-1", "x"])));
        }
        Self { method, host, path, headers }
    }

    /// A plain request for a region.
    fn pinned(path: &'static str, region: &'static str) -> Self {
        Self { method: "GET", host: "a.example.com", path, headers: vec![("region", region)] }
    }

    fn told(&self) -> RequestLine {
        let line = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let pseudo = [(":method", self.method), (":authority", self.host), (":path", self.path)];
        let claims = Vec::new();
        RequestLine { claims, headers: pseudo.iter().chain(&self.headers).map(line).collect() }
    }

    async fn send(&self, pool: &Pool) -> Result<Answer> {
        let request = hyper::Request::builder().method(self.method).uri(self.path).header("host", self.host);
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let sent = pool.send(request.body(Full::<Bytes>::default())?);
        let answer = tokio::time::timeout(PATIENCE, sent).await.context("no answer came in time")??;
        let header = |name: &str| {
            let value = answer.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            value.filter(|value| !value.is_empty())
        };
        let tag = header("x-served-by-cluster");
        let of_tag = |tag: String| REGIONS.iter().find(|(name, _)| name.to_uppercase() == tag).map(|found| found.1);
        Ok(Answer {
            status: answer.status().as_u16(),
            served: tag.and_then(of_tag),
            decision: header("x-region-decision"),
        })
    }
}

/// What came back, as far as it is about regions.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    served: Option<&'static str>,
    decision: Option<String>,
}

impl Answer {
    /// A member of the decision.
    fn said(&self, key: &str) -> Option<&str> {
        let members = self.decision.as_deref()?.split(", ");
        let mut values = members.filter_map(|member| member.split_once('='));
        values.find(|(name, _)| *name == key).map(|(_, value)| value.trim_matches('"'))
    }

    /// The regions that the decision skipped.
    fn skipped(&self) -> Vec<&str> {
        let Some(list) = self.said("skipped") else { return Vec::new() };
        list.trim_matches(['(', ')'])
            .split(' ')
            .filter_map(|item| item.split('"').nth(1).or(item.split('"').next()))
            .collect()
    }

    /// Holds the answer against what is explained.
    fn agrees(&self, told: Option<&Explanation>) -> Result<()> {
        let Some(told) = told else {
            ensure!(self.status == 404 && self.served.is_none() && self.decision.is_none(), "the host is nobody's");
            return Ok(());
        };
        if let Some(status) = told.status {
            ensure!(self.status == status && self.served.is_none(), "it is to be refused");
        } else {
            ensure!(self.status < 500, "it is to be served");
            match &told.chosen {
                Some(chosen) => ensure!(self.served == Some(chosen), "{chosen} is to serve it"),
                None => ensure!(
                    self.served.is_some_and(|served| told.split.contains_key(served)),
                    "one of {:?} is to serve it",
                    told.split.keys()
                ),
            }
        }
        // Each request of a rule that shares out has a region to want of its own, and so a reason of its own.
        let shared = told.rule == SHARED;
        if self.decision.is_none() {
            let plain = matches!(told.reason, "asked" | "local" | "weighted");
            ensure!(plain || shared, "the reason is {}, and nothing is said", told.reason);
            return Ok(());
        }
        ensure!(self.said("rule") == Some(&told.rule), "the rule is {}", told.rule);
        let asked = told.asked.as_deref().filter(|asked| *asked != "unknown");
        ensure!(self.said("asked") == asked, "asked is {asked:?}");
        if shared {
            ensure!(self.said("chosen").is_none_or(|chosen| self.served == Some(chosen)), "chosen is who served");
        } else {
            ensure!(self.said("reason") == Some(told.reason), "the reason is {}", told.reason);
            ensure!(self.said("chosen") == told.chosen.as_deref(), "chosen is {:?}", told.chosen);
            let skipped: Vec<&str> = told.skipped.iter().map(|skipped| skipped.region.as_str()).collect();
            ensure!(self.skipped() == skipped, "skipped are {skipped:?}");
        }
        let outcome = if told.is_refusal() { "refused" } else { "served" };
        ensure!(self.said("outcome") == Some(outcome), "the outcome is {outcome}");
        Ok(())
    }
}

/// An ingress with the regions it has lost.
#[derive(Clone, Debug)]
struct Play {
    edge: Arc<Edge>,
    file: Arc<PolicyFile>,
    order: [usize; 3],
    lost: usize,
}

impl Play {
    fn ejected(&self) -> &[usize] {
        self.order.get(..self.lost).unwrap_or_default()
    }

    fn explained(&self, case: &Case) -> Option<Explanation> {
        let ejected: Vec<RegionId> = if case.host == "details.example.com" {
            Vec::new()
        } else {
            let names = self.ejected().iter().filter_map(|index| REGIONS.get(*index));
            names.map(|(_, region)| self.file.policy.region_named(region).unwrap()).collect()
        };
        explain(&self.file.policy, &case.told(), &ejected, Timestamp(1))
    }

    /// Sends requests to a region that fails until the filter has ejected it.
    async fn lose(&self, region: &'static str) -> Result<()> {
        let (pool, case) = (Pool::new(self.edge.ingress.address()), Case::pinned(TRIAL, region));
        let said = format!("ejected service=productpage region={region} ");
        let ejected = async || {
            case.send(&pool).await?;
            Ok(self.edge.ingress.envoy().log().contains(&said))
        };
        until("the region is ejected", ejected).await
    }

    /// Until every worker has heard of it: connections go to workers as they come.
    async fn settle(&self) -> Result<()> {
        let address = self.edge.ingress.address();
        let heard = async || {
            for _ in 0..16 {
                for (_, region) in REGIONS {
                    let case = Case::pinned("/", region);
                    let answer = case.send(&Pool::new(address)).await?;
                    if answer.agrees(self.explained(&case).as_ref()).is_err() {
                        return Ok(false);
                    }
                }
            }
            Ok(true)
        };
        until("every worker agrees about who is ejected", heard).await
    }

    /// Compares requests, some at a time; the answer is how many carried a decision.
    async fn compare(&self, cases: Vec<Case>) -> Result<usize> {
        let (mut told, mut wrong) = (0, Vec::new());
        let batches = cases.chunks(cases.len().div_ceil(CLIENTS));
        for batch in side_by_side(batches.map(|batch| self.compare_batch(batch))).await {
            let (decisions, different) = batch?;
            told += decisions;
            wrong.extend(different);
        }
        if !wrong.is_empty() {
            let shown: Vec<_> = wrong.iter().take(8).map(String::as_str).collect();
            bail!(
                "{}, without {:?}: {} differ:\n  {}",
                self.edge.setting,
                self.ejected(),
                wrong.len(),
                shown.join("\n  ")
            );
        }
        Ok(told)
    }

    /// One after the other, on a connection that is kept.
    async fn compare_batch(&self, cases: &[Case]) -> Result<(usize, Vec<String>)> {
        let pool = Pool::new(self.edge.ingress.address());
        let (mut told, mut wrong) = (0, Vec::new());
        for case in cases {
            let answer = case.send(&pool).await?;
            let explained = self.explained(case);
            told += usize::from(answer.decision.is_some());
            if let Err(why) = answer.agrees(explained.as_ref()) {
                wrong.push(format!("{case:?}: {why}, but {answer:?}"));
            }
        }
        Ok((told, wrong))
    }
}

/// Both tables under every order, on Envoys and workers that differ.
fn settings() -> Vec<Setting> {
    let versions = EnvoyVersion::pinned();
    let versions = versions.iter().cycle();
    let workers = [1, 2, 1, 2, 1, 3].into_iter();
    let tables = ["full", "full", "full", "plans", "plans", "plans"].into_iter();
    let settings = versions.zip(workers.zip(tables));
    settings
        .map(|(version, (workers, table))| Setting { version: version.clone(), workers, table, filter: true })
        .collect()
}

async fn world() -> Result<World> {
    let clusters = REGIONS.map(|(name, region)| ClusterSpec::new(name, region, &name.to_uppercase()));
    let workloads = [Service::Productpage, Service::Details].map(|service| Workload::new(service, "v1"));
    let mesh = Mesh::builder().clusters(clusters.to_vec()).workloads(workloads.to_vec()).tag(Tag::Native);
    World::over(Arc::new(mesh.start().await?), settings(), |setting| policy(setting.table)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_and_envoy_decide_the_same_under_every_set_of_ejected_regions() {
    let (world, mut chance) = (world().await.unwrap(), Chance::new());
    let hints = LocalHints { cluster_id: Some("primary"), locality_region: Some("us-west-1"), ..LocalHints::default() };
    let orders = ORDERS.into_iter().cycle();
    let mut plays: Vec<Play> = world
        .edges
        .iter()
        .zip(orders)
        .map(|(edge, order)| {
            let file = PolicyFile::parse("policy", &policy(edge.setting.table), &hints).unwrap();
            Play { edge: Arc::clone(edge), file: Arc::new(file), order, lost: 0 }
        })
        .collect();
    let each = REQUESTS.div_ceil(plays.len() * (1 + REGIONS.len()));
    let (mut compared, mut told, start) = (0, 0, Instant::now());
    loop {
        let cases: Vec<Vec<Case>> =
            plays.iter().map(|_| (0..each).map(|_| Case::by_chance(&mut chance)).collect()).collect();
        let comparing = plays.iter().zip(cases).map(|(play, cases)| async {
            play.settle().await?;
            play.compare(cases).await
        });
        for decisions in side_by_side(comparing).await {
            told += decisions.unwrap();
            compared += each;
        }
        if plays.iter().all(|play| play.lost == REGIONS.len()) {
            break;
        }
        // One region fails at a time, and only those are asked for it whose turn it is.
        for (index, (cluster, region)) in REGIONS.into_iter().enumerate() {
            let pods = world.mesh.cluster(cluster).unwrap().service(Service::Productpage);
            pods.fault(&Fault::status(503)).await.unwrap();
            let turn = plays.iter().filter(|play| play.order.get(play.lost) == Some(&index));
            for lost in side_by_side(turn.map(|play| play.lose(region))).await {
                lost.unwrap();
            }
            pods.fault(&Fault::none()).await.unwrap();
        }
        for play in &mut plays {
            play.lost += 1;
        }
    }
    println!("{compared} requests compared in {:.1} s, {told} with a decision told", start.elapsed().as_secs_f64());
    assert!(compared >= REQUESTS, "{compared}");
    assert!(told > compared / 4, "only {told} of {compared} answers told a decision");
}
