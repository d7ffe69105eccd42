//! Nothing that a client or an application sends can hurt the gateway or speak for the mesh.
//!
//! While all is well the filter looks at little; while a region is ejected it looks at every request. So everything is
//! sent in both states, on every Envoy that is pinned and with either native table.

mod support;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use integration::bookinfo::Fault;
use integration::client::{Request, Response};
use serde_json::Value;
use support::{CHICAGO, Chance, Edge, HOST, SANJOSE, Setting, Shared, World, tag_of, until};

/// How many requests by chance each ingress gets in each state.
const RANDOM_REQUESTS: usize = 600;
const VAULT: &str = "vault.books.example.com";

/// What is ejected stays so for as long as any test takes.
fn policy(setting: &Setting) -> String {
    format!(
        r#"
apiVersion: meridian/v1
explain: {{public: true}}
role: gateway
table: {}
regions:
- {{name: us-sanjose-1, clusters: [primary], displayName: PRIMARY (San Jose), aliases: [us-west]}}
- {{name: us-chicago-1, clusters: [secondary], displayName: SECONDARY (Chicago), aliases: [us-central]}}
fences:
  west: [us-sanjose-1]
services:
- name: productpage
  hosts: [bookinfo.example.com, "*.books.example.com"]
  destination: {{host: productpage.bookinfo.svc.cluster.local, port: 9080}}
rules:
- {{name: vault, match: {{hosts: [{VAULT}]}}, fence: west}}
- {{name: everyone, rescue: {{attempts: 3, perTryTimeout: 2s, methods: [GET, HEAD]}}}}
outlierDetection: {{consecutiveGatewayErrors: 2, interval: 500ms, baseEjectionTime: 120s}}
"#,
        setting.table
    )
}

static HEALTHY: Shared<World> = Shared::new();
static CHICAGO_EJECTED: Shared<World> = Shared::new();

async fn healthy() -> Result<World> {
    World::start(Setting::each(&[2], &["full", "plans"]), policy).await
}

async fn chicago_ejected() -> Result<World> {
    let world = healthy().await?;
    world.mesh.cluster("secondary")?.kill();
    let ejected = world.each_edge(|edge| async move {
        until(
            "Chicago is ejected",
            async || Ok(decision(&edge.ask("/echo", Some(CHICAGO)).await?).contains("failover")),
        )
        .await
    });
    ejected.await?;
    Ok(world)
}

fn decision(answer: &Response) -> String {
    answer.header("x-region-decision").unwrap_or_default()
}

/// What the filter of an ingress must be able to do and must not have done.
struct Pulse {
    edge: Arc<Edge>,
    machines: u64,
}

impl Pulse {
    /// Feels it before.
    async fn before(edge: &Arc<Edge>) -> Result<Self> {
        let machines = Self::machines(edge).await?;
        ensure!(machines > 0, "there is no VM to hurt");
        Ok(Self { edge: Arc::clone(edge), machines })
    }

    async fn machines(edge: &Edge) -> Result<u64> {
        edge.ingress.envoy().counter("wasm.envoy.wasm.runtime.v8.active").await
    }

    /// Fails if anything died since, or a worker decides no more.
    async fn after(self) -> Result<()> {
        let machines = Self::machines(&self.edge).await?;
        ensure!(machines == self.machines, "there were {} VMs, and now {machines}", self.machines);
        let log = self.edge.ingress.envoy().log();
        let traps = ["panicked", "Function: proxy_on", "in-VM backtrace", "Uncaught RuntimeError"];
        let trap = log.lines().find(|line| traps.iter().any(|trap| line.contains(trap)));
        ensure!(trap.is_none(), "a VM trapped: {trap:?}");
        let errors = self.edge.ingress.envoy().metric("meridian_host_errors_total", &[]).await?;
        ensure!(errors == 0, "{errors} calls of the host failed");
        // Connections are spread over the workers, so some of these reach each.
        for _ in 0..8 {
            let answer = self.edge.ask("/echo", Some("atlantis")).await?;
            ensure!(decision(&answer).contains("reason=unknown_region"), "nothing was decided: {}", decision(&answer));
        }
        Ok(())
    }
}

/// Fails unless there is an answer that is nobody's failure.
async fn survives(edge: &Edge, request: &Request) -> Result<()> {
    let answer = edge.send(request).await.with_context(|| format!("no answer to {request:?}"))?;
    ensure!((200..500).contains(&answer.status), "{} {} to {request:?}", answer.status, decision(&answer));
    Ok(())
}

/// Values that somebody may have forgotten.
fn odd_values() -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = [
        &b""[..],
        b" ",
        b"\t",
        b"\xff\xfe",
        b"\x80",
        b"us-chicago-1\xff",
        b"\xc3\xbcs",
        b"\xe2\x80\xaeus-chicago-1",
        b",",
        b"us-chicago-1,us-sanjose-1",
        b"us-chicago-1, us-chicago-1",
        b"us-chicago-1;q=1",
        b"\"us-chicago-1\"",
        b"us-chicago-1\x00",
        b"\x00",
        b"\x01\x02\x7f",
        b"us-chicago-1\x0b\x0c",
        b"%75%73",
        b"{}",
        b"..",
        b"*",
        b"prefer-us-chicago-1",
    ]
    .map(<[u8]>::to_vec)
    .into();
    values.push(vec![b','; 4096]);
    values.push(vec![0xff; 16 * 1024]);
    // Below and above what Envoy takes of all headers together, which is 60 KiB.
    values.push(vec![b'a'; 58 * 1024]);
    values.push(vec![b'a'; 64 * 1024]);
    values
}

/// The names under which odd values are sent.
const NAMES: [&str; 10] = [
    "region",
    "Region",
    "x-region-route",
    "x-region-explain",
    "x-region-decision",
    "x-served-by-cluster",
    "cookie",
    "x-other",
    "accept",
    "x-request-id",
];

async fn odd_values_are_survived(world: &World) -> Result<()> {
    let all = world.each_edge(|edge| async move {
        let pulse = Pulse::before(&edge).await?;
        for value in odd_values() {
            let get = || Request::get("/echo").host(HOST);
            for name in ["region", "x-region-route", "x-other"] {
                survives(&edge, &get().header(name, &value)).await?;
            }
            survives(&edge, &get().header("region", &value).header("region", &value)).await?;
            survives(&edge, &get().header("region", CHICAGO).header("x-other", "1").header("Region", &value)).await?;
            survives(&edge, &Request::get([b"/", &value[..]].concat()).host(HOST).header("region", CHICAGO)).await?;
            survives(&edge, &Request::get(&value).host(HOST).header("region", CHICAGO)).await?;
            survives(&edge, &Request::get("/echo").host(&value).header("region", CHICAGO)).await?;
            survives(&edge, &Request::get("/echo").host([HOST.as_bytes(), b":", &value].concat())).await?;
        }
        pulse.after().await
    });
    all.await
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_values_are_survived_by_a_healthy_gateway() {
    odd_values_are_survived(&HEALTHY.get(healthy()).await.unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_values_are_survived_while_a_region_is_ejected() {
    odd_values_are_survived(&CHICAGO_EJECTED.get(chicago_ejected()).await.unwrap()).await.unwrap();
}

fn random_bytes(chance: &mut Chance) -> Vec<u8> {
    let length = if chance.once_in(20) { chance.below(8192) } else { chance.below(24) };
    let one = |chance: &mut Chance| loop {
        let byte = chance.next().to_le_bytes()[0];
        // A line that ends is another line, and what follows it another test.
        if !matches!(byte, b'\r' | b'\n') && (byte >= b' ' || chance.once_in(50)) {
            break byte;
        }
    };
    (0..length).map(|_| one(chance)).collect()
}

fn random_value(chance: &mut Chance, odd: &[Vec<u8>]) -> Vec<u8> {
    let known = ["us-chicago-1", "us-sanjose-1", "us-west", "US-CENTRAL", "prefer-us-chicago-1", "only-us-sanjose-1"];
    match chance.below(3) {
        0 => random_bytes(chance),
        1 => odd.get(chance.below(odd.len())).cloned().unwrap_or_default(),
        _ => chance.one_of(&known).as_bytes().to_vec(),
    }
}

fn random_request(chance: &mut Chance, odd: &[Vec<u8>]) -> Request {
    let method = chance.one_of(&["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]);
    let mut path = b"/echo".to_vec();
    if chance.once_in(3) {
        path = random_value(chance, odd);
        // Space ends a path, and what follows it is the version of HTTP.
        path.retain(|byte| *byte != b' ');
        path.insert(0, b'/');
    }
    let host = if chance.once_in(6) { random_value(chance, odd) } else { chance.one_of(&[HOST, VAULT]).into() };
    let mut request = Request::new(method, path).host(host);
    for _ in 0..chance.below(5) {
        let name = if chance.once_in(2) { "region" } else { chance.one_of(&NAMES) };
        request = request.header(name, random_value(chance, odd));
    }
    request
}

async fn random_requests_are_survived(world: &World) -> Result<()> {
    let (chance, odd) = (Chance::new(), odd_values());
    let all = world.each_edge(|edge| {
        let (mut chance, odd) = (chance.clone(), odd.clone());
        async move {
            let pulse = Pulse::before(&edge).await?;
            for _ in 0..RANDOM_REQUESTS {
                survives(&edge, &random_request(&mut chance, &odd)).await?;
            }
            pulse.after().await
        }
    });
    all.await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_by_chance_are_survived_by_a_healthy_gateway() {
    random_requests_are_survived(&HEALTHY.get(healthy()).await.unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_by_chance_are_survived_while_a_region_is_ejected() {
    random_requests_are_survived(&CHICAGO_EJECTED.get(chicago_ejected()).await.unwrap()).await.unwrap();
}

/// The mesh's own headers, which no client may bring and no application gets.
const INTERNAL: [&str; 4] = ["x-region-route", "x-served-by-cluster", "x-region-decision", "x-region-explain"];

/// Who served, what was said of it, and which of the mesh's own headers the application got.
async fn outcome(edge: &Edge, request: &Request) -> Result<(String, String, Vec<String>)> {
    let answer = edge.send(request).await?;
    let echo: Value =
        serde_json::from_slice(&answer.body).with_context(|| format!("not an echo: {}", answer.status))?;
    let cluster = echo.get("cluster").and_then(Value::as_str).unwrap_or_default().to_owned();
    let names =
        echo.get("headers").and_then(Value::as_array).into_iter().flatten().filter_map(|pair| pair.get(0)?.as_str());
    let internal = names.filter(|name| INTERNAL.contains(name)).map(str::to_owned).collect();
    // How long a region stays ejected changes from one request to the next.
    let said = decision(&answer).split(";ejected=").next().unwrap_or_default().to_owned();
    Ok((cluster, said, internal))
}

async fn forged_request_headers_change_nothing(world: &World) -> Result<()> {
    let all = world.each_edge(|edge| async move {
        for host in [HOST, VAULT] {
            for region in [None, Some(SANJOSE), Some(CHICAGO), Some("atlantis")] {
                let plain = Request::get("/echo").host(host);
                let plain = region.into_iter().fold(plain, |request, region| request.header("region", region));
                let honest = outcome(&edge, &plain).await?;
                ensure!(!honest.0.is_empty() && honest.2.is_empty(), "{honest:?} for {plain:?}");
                let plans = ["prefer-us-chicago-1", "prefer-us-sanjose-1", "only-us-sanjose-1", "only-us-chicago-1"];
                for plan in plans.into_iter().chain(["", "garbage", "prefer-us-chicago-1,prefer-us-sanjose-1"]) {
                    let one = plain.clone().header("x-region-route", plan);
                    let two = one.clone().header("X-Region-Route", "prefer-us-chicago-1");
                    for forged in [one, two] {
                        let seen = outcome(&edge, &forged).await?;
                        ensure!(seen == honest, "{seen:?} and not {honest:?} for {forged:?}");
                    }
                }
                let forged = plain
                    .header("x-served-by-cluster", tag_of(CHICAGO))
                    .header("x-region-decision", "chosen=us-chicago-1, reason=asked")
                    .header("x-region-explain", "key");
                let seen = outcome(&edge, &forged).await?;
                ensure!(seen == honest, "{seen:?} and not {honest:?} for {forged:?}");
            }
        }
        Ok(())
    });
    all.await
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_request_headers_change_nothing_while_all_is_well() {
    forged_request_headers_change_nothing(&HEALTHY.get(healthy()).await.unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_request_headers_change_nothing_while_a_region_is_ejected() {
    forged_request_headers_change_nothing(&CHICAGO_EJECTED.get(chicago_ejected()).await.unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_request_headers_change_nothing_without_the_filter() {
    let mesh = Arc::clone(&HEALTHY.get(healthy()).await.unwrap().mesh);
    let settings = Setting::each(&[1], &["full", "plans"]).into_iter();
    let settings = settings.map(|setting| Setting { filter: false, ..setting }).collect();
    forged_request_headers_change_nothing(&World::over(mesh, settings, policy).await.unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_cannot_speak_for_the_mesh() {
    let world = healthy().await.unwrap();
    let forged = Fault::none()
        .with_header("x-served-by-cluster", tag_of(CHICAGO))
        .with_header("x-served-by-cluster", "EVERYWHERE")
        .with_header("x-region-decision", "chosen=us-chicago-1, reason=forged")
        .with_header("x-region-decision", "reason=forged")
        .with_header("x-envoy-attempt-count", "9");
    world.mesh.cluster("primary").unwrap().pods().fault(&forged).await.unwrap();
    let all = world.each_edge(|edge| async move {
        for _ in 0..5 {
            let told = edge.ask("/echo", Some("atlantis")).await?;
            for answer in [&edge.ask("/echo", None).await?, &told] {
                let tags = answer.values("x-served-by-cluster");
                ensure!(tags == [tag_of(SANJOSE).as_bytes()], "the tag is {:?}", answer.headers);
                let forged = answer.values("x-region-decision").iter().any(|value| value.ends_with(b"forged"));
                ensure!(!forged, "the application's decision reached the client: {:?}", answer.headers);
                ensure!(answer.values("x-envoy-attempt-count") == [b"1"], "the count is {:?}", answer.headers);
            }
            ensure!(told.values("x-region-decision").len() == 1, "it is {:?}", told.headers);
            ensure!(decision(&told).starts_with("chosen=us-sanjose-1, reason=unknown_region"), "{}", decision(&told));
        }
        let ejections = edge.ingress.envoy().metric("meridian_ejections_total", &[]).await?;
        ensure!(ejections == 0, "a forged count of attempts ejected a region");
        Ok(())
    });
    all.await.unwrap();
}
