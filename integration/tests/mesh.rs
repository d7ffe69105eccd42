//! The harness keeps its promises: the mesh it starts is one, faults do what they say, and nothing outlives it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use integration::bookinfo::{Fault, Service};
use integration::client::{Request, get};
use integration::envoy::EnvoyVersion;
use integration::mesh::{ClusterSpec, Mesh, Tag, Workload};

const PRODUCTPAGE: Service = Service::Productpage;

async fn small(version: anyhow::Result<EnvoyVersion>) -> anyhow::Result<Mesh> {
    Mesh::builder().workloads(Workload::productpage()).tag(Tag::Native).envoy(version?).start().await
}

async fn status(address: SocketAddr) -> Option<u16> {
    status_within(Duration::from_secs(5), address).await
}

async fn status_within(patience: Duration, address: SocketAddr) -> Option<u16> {
    Request::get("/status/200").patience(patience).send(address).await.ok().map(|answer| answer.status)
}

/// Looks until it holds, for at most ten seconds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "it never came to be that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_made_by_calls_through_the_mesh() {
    let mesh = Mesh::builder().tag(Tag::Native).on_progress(|line| println!("{line}")).start().await.unwrap();
    let primary = mesh.cluster("primary").unwrap();
    let address = primary.pod("productpage-v1").unwrap().inbound();
    let mut versions = std::collections::BTreeSet::new();
    until("all three versions of reviews answered", async || {
        let page = get(address, "/productpage", &[]).await.unwrap();
        assert_eq!((page.status, page.header("x-served-by-cluster").as_deref()), (200, Some("PRIMARY (San Jose)")));
        let text = page.text();
        assert!(text.contains("details-v1 in primary") && text.contains("productpage-v1"), "{text}");
        let version = ["reviews-v1", "reviews-v2", "reviews-v3"].into_iter().find(|version| text.contains(version));
        assert_eq!(text.contains('★'), version != Some("reviews-v1"), "{text}");
        versions.insert(version.unwrap());
        versions.len() == 3
    })
    .await;
    assert_eq!(mesh.served().by("secondary"), 0, "a healthy cluster serves itself");

    primary.service(Service::Details).kill();
    until("another cluster's details are used", async || {
        get(address, "/productpage", &[]).await.unwrap().text().contains("details-v1 in secondary")
    })
    .await;
    assert!(mesh.served().at("secondary", Service::Details) > 0);
}

const POLICY: &str = "
apiVersion: meridian/v1
role: gateway
regions:
- {name: us-sanjose-1, clusters: [primary], displayName: PRIMARY (San Jose)}
- {name: us-chicago-1, clusters: [secondary], displayName: SECONDARY (Chicago)}
services:
- name: productpage
  hosts: [bookinfo.example.com]
  destination: {host: productpage.bookinfo.svc.cluster.local, port: 9080}
rules:
- {name: everyone, timeout: 15s, rescue: {attempts: 3, perTryTimeout: 1s, methods: [GET, HEAD]}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_passes_an_ingress_and_is_rescued_when_its_region_is_lost() {
    let mesh = small(EnvoyVersion::newest()).await.unwrap();
    let ingress = mesh.ingress("primary").policy(POLICY).filter(false).workers(2).start().await.unwrap();
    let ask = async |region: Option<&str>| {
        let request = Request::get("/productpage").host("bookinfo.example.com");
        let request = region.into_iter().fold(request, |request, region| request.header("region", region));
        let answer = request.send(ingress.address()).await.unwrap();
        (answer.status, answer.header("x-served-by-cluster").unwrap_or_default())
    };
    let (sanjose, chicago) = ((200, "PRIMARY (San Jose)".to_owned()), (200, "SECONDARY (Chicago)".to_owned()));
    assert_eq!((ask(None).await, ask(Some("us-chicago-1")).await), (sanjose, chicago.clone()));
    assert_eq!((mesh.served().by("primary"), mesh.served().by("secondary")), (1, 1));
    mesh.cluster("primary").unwrap().service(PRODUCTPAGE).kill();
    assert_eq!((ask(None).await, ask(Some("us-sanjose-1")).await), (chicago.clone(), chicago));
    assert_eq!((mesh.served().by("primary"), mesh.served().by("secondary")), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_policy_and_a_taken_port_are_said_plainly() {
    let mesh = small(EnvoyVersion::newest()).await.unwrap();
    let wrong = mesh.ingress("primary").policy("apiVersion: meridian/v2").filter(false).start().await;
    assert!(wrong.unwrap_err().to_string().contains("meridian/v1"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = mesh.ingress("primary").policy(POLICY).filter(false).port(port).start().await;
    assert!(refused.unwrap_err().to_string().starts_with(&format!("Port {port} is in use")));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_come_and_go() {
    let mesh = small(EnvoyVersion::oldest()).await.unwrap();
    let secondary = mesh.cluster("secondary").unwrap();
    let pods = secondary.service(PRODUCTPAGE);
    let (east_west, pod) = (secondary.east_west(), pods.pods()[0]);
    let address = secondary.east_west_address(PRODUCTPAGE);
    assert_eq!(status(address).await, Some(200));

    pods.fault(&Fault::status(503)).await.unwrap();
    assert_eq!(status(address).await, Some(503));
    pods.fault(&Fault::none()).await.unwrap();
    assert_eq!(status(address).await, Some(200));

    pod.freeze();
    assert_eq!(status_within(Duration::from_millis(300), address).await, None);
    pod.thaw();
    until("a thawed pod answers", async || status(address).await == Some(200)).await;

    pod.blackhole().await.unwrap();
    let connection = tokio::net::TcpStream::connect(pod.inbound());
    assert!(tokio::time::timeout(Duration::from_millis(300), connection).await.is_err(), "not even a connection opens");
    pod.thaw();
    until("a pod that is no blackhole any more answers", async || status(address).await == Some(200)).await;

    let before = pod.served();
    pods.kill();
    assert_eq!(status(address).await, None);
    assert_eq!(pod.served(), before, "the count survives the pod");
    pods.start().await.unwrap();
    assert_eq!(status(address).await, Some(200));
    assert_eq!(pod.served(), before + 1);

    east_west.stop().await.unwrap();
    assert_eq!(status(address).await, None);
    assert_eq!(status(pod.inbound()).await, Some(200));
    east_west.start().await.unwrap();
    assert_eq!(status(address).await, Some(200));
    assert!(east_west.counter("tcp.productpage.downstream_cx_total").await.unwrap() > 0);

    secondary.kill();
    assert_eq!((status(address).await, status(pod.inbound()).await), (None, None));
    secondary.start().await.unwrap();
    assert_eq!(status(address).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_regions_are_told_apart_by_tag_and_by_count() {
    let names = [("one", "eu-west-1"), ("two", "eu-central-1"), ("three", "us-east-1")];
    let clusters = names.map(|(name, region)| ClusterSpec::new(name, region, &name.to_uppercase()));
    let mesh = Mesh::builder().clusters(clusters.to_vec()).workloads(Workload::productpage()).tag(Tag::Native);
    let mesh = mesh.start().await.unwrap();
    let before = mesh.served();
    for (number, cluster) in mesh.clusters().iter().enumerate() {
        for _ in 0..=number {
            let answer = get(cluster.east_west_address(PRODUCTPAGE), "/echo", &[]).await.unwrap();
            assert_eq!(answer.header("x-served-by-cluster"), Some(cluster.spec().display_name.clone()));
        }
    }
    let served = mesh.served().since(&before);
    assert_eq!(["one", "two", "three"].map(|name| served.by(name)), [1, 2, 3]);
    assert_eq!(served.outside(&["one", "two"]), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_headers_arrive_as_they_were_sent() {
    let mesh = small(EnvoyVersion::newest()).await.unwrap();
    let pod = mesh.cluster("primary").unwrap().pod("productpage-v1").unwrap();
    let long = "a".repeat(32 * 1024);
    let odd = Request::get("/echo").header("region", b"\xff\xfe").header("region", "").header("x-long", &long);
    let echo: serde_json::Value = serde_json::from_str(&odd.send(pod.inbound()).await.unwrap().text()).unwrap();
    let headers: Vec<(String, String)> = serde_json::from_value(echo["headers"].clone()).unwrap();
    let values = |name| headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value).collect::<Vec<_>>();
    assert_eq!(values("region"), ["\u{fffd}\u{fffd}", ""]);
    assert_eq!(values("x-long"), [&long]);
    assert_eq!((echo["cluster"].as_str(), echo["seen"].as_u64()), (Some("primary"), Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_the_mesh() {
    let mesh = small(EnvoyVersion::newest()).await.unwrap();
    let pids = pids(&mesh);
    assert!(pids.len() == 6 && pids.iter().all(alive));
    drop(mesh);
    assert!(!pids.iter().any(alive));
}

/// The program of the next test: a run that goes on until its input ends.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by nothing_outlives_a_run_that_is_killed"]
async fn a_run_to_be_killed() {
    let mesh = small(EnvoyVersion::newest()).await.unwrap();
    println!("\nfolder {}", mesh.folder().display());
    println!("pids {}", pids(&mesh).iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
    std::io::stdin().read_to_string(&mut String::new()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_run_that_is_killed() {
    let mut run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_run_to_be_killed", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines().map(Result::unwrap);
    let folder = lines.find_map(|line| line.strip_prefix("folder ").map(PathBuf::from)).unwrap();
    let line = lines.find(|line| line.starts_with("pids ")).unwrap();
    let pids: Vec<u32> = line.split(' ').skip(1).map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.len() == 6 && pids.iter().all(alive));
    run.kill().unwrap();
    run.wait().unwrap();
    until("all of them are gone", async || !pids.iter().any(alive)).await;
    // The one thing that a run which is killed leaves behind.
    std::fs::remove_dir_all(folder).unwrap();
}

fn pids(mesh: &Mesh) -> Vec<u32> {
    let processes = mesh.clusters().iter().flat_map(|cluster| {
        let pods = cluster.pods().pods().to_vec();
        let processes = pods.into_iter().flat_map(|pod| [pod.application(), pod.sidecar().process()]);
        processes.chain([cluster.east_west().process()])
    });
    processes.filter_map(|process| process.pid()).collect()
}

fn alive(pid: &u32) -> bool {
    // A zombie is dead, but its parent's parent has not looked yet.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
