//! What the policy believes of the native table is what Envoy does.
//!
//! The filter writes nothing where it believes that the table chooses the same by itself, so that belief is held against
//! the real thing here: with the filter taken out, what serves is what `explain` calls `native`, and with it in, what
//! `explain` calls `chosen`, for requests by chance over policies of every kind.

mod support;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use integration::client::Request;
use integration::mesh::{ClusterSpec, Mesh, Tag, Workload};
use meridian::explain::{Explanation, explain};
use meridian::policy_file::PolicyFile;
use meridian::request_line::RequestLine;
use meridian_core::{LocalHints, Policy, Timestamp};
use support::{Chance, Edge, Setting, Shared, World};

const REQUESTS: usize = 300;

/// Three regions; the ingresses are in the first.
const REGIONS: [(&str, &str); 3] = [("primary", "us-west-1"), ("secondary", "eu-west-1"), ("tertiary", "eu-central-1")];

static MESH: Shared<Mesh> = Shared::new();

async fn mesh() -> Result<Arc<Mesh>> {
    let clusters = REGIONS.map(|(name, region)| ClusterSpec::new(name, region, &name.to_uppercase()));
    let mesh = Mesh::builder().clusters(clusters.to_vec()).workloads(Workload::productpage()).tag(Tag::Native);
    MESH.get(mesh.start()).await
}

/// A policy file with these further parts.
fn document(further: &str) -> String {
    format!(
        r#"
apiVersion: meridian/v1
role: gateway
regions:
- {{name: us-west-1, clusters: [primary], displayName: PRIMARY, aliases: [us, West.1]}}
- {{name: eu-west-1, clusters: [secondary], displayName: SECONDARY, aliases: [eu, Dublin, IE]}}
- {{name: eu-central-1, clusters: [tertiary], displayName: TERTIARY, aliases: [de]}}
fences:
  eu: [eu-west-1, eu-central-1]
  atlantic: [eu-west-1, us-west-1]
  frankfurt: [eu-central-1]
services:
- name: productpage
  hosts: [a.example.com, "*.books.example.com"]
  destination: {{host: productpage.bookinfo.svc.cluster.local, port: 9080}}
{further}
"#
    )
}

/// A request as it is sent, and as it is explained.
struct Case {
    sent: Request,
    told: RequestLine,
}

const METHODS: [&str; 6] = ["GET", "GET", "HEAD", "POST", "PUT", "DELETE"];
const HOSTS: [&str; 16] = [
    "a.example.com",
    "A.Example.COM",
    "a.example.com:80",
    "a.example.com:65535",
    "a.example.com:",
    "a.example.com:x1",
    "b.books.example.com",
    "b.books.example.com:8443",
    "shop.books.example.com",
    "Shop.Books.example.com:8443",
    "deep.shop.books.example.com",
    "books.example.com",
    "b.example.com",
    "a.example.com.",
    "a.example.com..",
    "b.books.example.com.:80",
];
const PATHS: [&str; 10] =
    ["/", "/api", "/api/", "/api/v1/x", "/apix", "/API", "/v1?next=/api", "/eu/x", "/eu?x=y", "/a;b=c"];
const REGION_VALUES: [&str; 17] = [
    "us-west-1",
    "us",
    "west.1",
    "eu-west-1",
    "eu",
    "dublin",
    "ie",
    "eu-central-1",
    "de",
    "",
    "eu,de",
    "eu, eu",
    "e",
    "euu",
    "us west 1",
    "atlantis",
    "*",
];

/// The same name in some other case.
fn recase(name: &str, chance: &mut Chance) -> String {
    let one = |letter: char| if chance.once_in(2) { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() };
    name.chars().map(one).collect()
}

/// A request by chance, with at most so many lines of the header that rules match.
fn case(chance: &mut Chance, tenants: usize) -> Case {
    let (method, host, path) = (chance.one_of(&METHODS), chance.one_of(&HOSTS), chance.one_of(&PATHS));
    let mut sent = Request::new(method, path).host(host);
    let mut told = vec![(":method", method.to_owned()), (":authority", host.to_owned()), (":path", path.to_owned())];
    let lines = |chance: &mut Chance| [0, 1, 1, 1, 1, 1, 1, 2].get(chance.below(8)).copied().unwrap_or_default();
    for _ in 0..lines(chance) {
        let value = chance.one_of(&REGION_VALUES);
        let value = recase(value, chance);
        // Envoy takes space around a value away before anybody sees it.
        let space = chance.one_of(&["", "", " ", "\t "]);
        sent = sent.header("Region", format!("{space}{value}{space}"));
        told.push(("region", value));
    }
    for _ in 0..chance.below(1 + tenants) {
        let tenant = chance.one_of(&["acme", "acme", "Acme", "other", "", "acme,acme"]);
        sent = sent.header("x-tenant", tenant);
        told.push(("x-tenant", tenant.to_owned()));
    }
    let headers = told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Case { sent, told: RequestLine { headers, claims: Vec::new() } }
}

/// The region that a plan tries first.
fn first_region(policy: &Policy, plan: &str) -> Result<String> {
    let service = policy.services().first().context("the policy has no service")?;
    let (_, plan) = policy
        .plan_of_cluster(service.destination.cluster(plan).as_bytes())
        .with_context(|| format!("{plan} is no plan of the policy"))?;
    Ok(policy.region_name(plan.first).to_owned())
}

/// Who is to serve; `None` where the policy says nothing, `Some(None)` where it leaves that open.
fn expected(policy: &Policy, told: Option<&Explanation>, filter: bool) -> Result<Option<Option<String>>> {
    let Some(told) = told else { return Ok(None) };
    if filter {
        return Ok(Some(told.chosen.clone()));
    }
    Ok(Some(told.native.as_deref().map(|plan| first_region(policy, plan)).transpose()?))
}

/// Sends requests by chance through one ingress and compares each with what is explained.
async fn compare(edge: Arc<Edge>, file: &PolicyFile, mut chance: Chance, tenants: usize) -> Result<()> {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for _ in 0..REQUESTS {
        let case = case(&mut chance, tenants);
        let told = explain(&file.policy, &case.told, &[], Timestamp(1));
        let answer = edge.send(&case.sent).await?;
        let tag = answer.header("x-served-by-cluster");
        let served = REGIONS.iter().find(|(name, _)| tag.as_deref() == Some(&name.to_uppercase())).map(|found| found.1);
        let expected = expected(&file.policy, told.as_ref(), edge.setting.filter)?;
        let right = match &expected {
            None => served.is_none() && answer.status == 404,
            Some(None) => served.is_some(),
            Some(Some(region)) => served == Some(region),
        };
        compared += usize::from(matches!(expected, Some(Some(_))));
        if !right {
            wrong.push(format!("{:?}: expected {expected:?}, {} by {served:?}", case.told.headers, answer.status));
        }
    }
    ensure!(compared > REQUESTS / 3, "only {compared} requests had an answer to compare");
    ensure!(
        wrong.is_empty(),
        "{} of {REQUESTS} differ:\n  {}",
        wrong.len(),
        wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n  ")
    );
    Ok(())
}

/// Holds one policy against every pinned Envoy, without the filter and with it.
async fn holds(further: &str, tenants: usize) -> Result<()> {
    let text = document(further);
    let mut settings = Setting::each(&[1], &["full"]);
    let without = settings.clone().into_iter().map(|setting| Setting { filter: false, ..setting });
    settings.extend(without);
    let world = World::over(mesh().await?, settings, |_| text.clone()).await?;
    let hints = LocalHints { cluster_id: Some("primary"), locality_region: Some("us-west-1"), ..LocalHints::default() };
    let (file, chance) = (PolicyFile::parse("policy", &text, &hints)?, Chance::new());
    world.each_edge(|edge| compare(edge, &file, chance.clone(), tenants)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_without_rules_is_what_the_table_does() {
    holds("", 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_by_path_method_host_and_header_are_what_the_table_does() {
    let rules = "
rules:
- {name: writes-of-the-api, match: {pathPrefix: /api, methods: [POST, PUT]}, fence: frankfurt}
- {name: api, match: {pathPrefix: /api/}, fence: atlantic}
- {name: deep, match: {hosts: [deep.shop.books.example.com]}, fence: frankfurt}
- {name: shop, match: {hosts: ['*.shop.books.example.com', shop.books.example.com], methods: [GET]}, fence: eu}
- {name: acme, match: {headers: [{name: x-tenant, exact: acme}], hosts: ['*.books.example.com']},
   failover: [{from: us-west-1, to: []}]}
- {name: deletes, match: {methods: [DELETE]}, fence: eu}
";
    holds(rules, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "Envoy 1.40 matches a header line by line, and a rule takes several lines for none"]
async fn a_header_of_a_rule_in_several_lines_is_what_the_table_does() {
    let rules = "
rules:
- {name: acme, match: {headers: [{name: x-tenant, exact: acme}]}, failover: [{from: us-west-1, to: []}]}
- {name: everyone, fence: eu}
";
    holds(rules, 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fences_are_what_the_table_does() {
    let rules = "
rules:
- {name: eu, match: {pathPrefix: /eu}, fence: eu}
- {name: atlantic, match: {pathPrefix: /api}, fence: atlantic}
- {name: frankfurt, match: {hosts: [shop.books.example.com]}, fence: frankfurt}
- {name: everyone, fence: eu, onUnknownRegion: ignore}
";
    holds(rules, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn restricted_and_ordered_failover_is_what_the_table_does() {
    let rules = "
rules:
- {name: eu, match: {pathPrefix: /eu}, fence: eu, failover: [{from: eu-west-1, to: []}]}
- name: ordered
  match: {methods: [GET, HEAD]}
  failover:
  - {from: us-west-1, to: [eu-central-1, eu-west-1]}
  - {from: eu-west-1, to: [eu-central-1]}
  - {from: eu-central-1, to: []}
- {name: rest, failover: [{from: us-west-1, to: [eu-west-1]}], rescue: {attempts: 2}}
";
    holds(rules, 1).await.unwrap();
}
