//! A gRPC answer counts as the HTTP answer that Envoy takes it for, wherever its status stands.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use integration::client::Request;
use integration::envoy::EnvoyVersion;
use integration::front::{Front, GrpcAnswer, GrpcClient, Server, grpc, http1};
use support::{CHICAGO, SANJOSE, tag_of, until};

/// Every status that gRPC knows, and two that it does not.
const STATUSES: [u32; 19] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 99];
/// So many in a row eject.
const ROW: usize = 3;

/// The cause by which so many answers with this status eject, if they do: of `source/common/grpc/status.cc`, what is 503 or 504, and what
/// is another 5xx.
fn cause(status: u32) -> Option<&'static str> {
    match status {
        4 | 14 => Some("consecutiveGatewayErrors"),
        2 | 12 | 13 | 15 | 17.. => Some("consecutive5xxErrors"),
        _ => None,
    }
}

/// A service for each status, so that each has a health of its own.
fn policy(services: &[String]) -> String {
    let service = |name: &String| {
        format!("- {{name: {name}, hosts: [{name}.example.com], destination: {{host: {name}.test, port: 80}}}}\n")
    };
    format!(
        "
apiVersion: meridian/v1
role: gateway
regions:
- {{name: {SANJOSE}, clusters: [primary], displayName: {}}}
- {{name: {CHICAGO}, clusters: [secondary], displayName: {}}}
services:
{}
outlierDetection: {{consecutiveGatewayErrors: {ROW}, consecutive5xxErrors: {ROW}, baseEjectionTime: 60s}}
",
        tag_of(SANJOSE),
        tag_of(CHICAGO),
        services.iter().map(service).collect::<String>(),
    )
}

fn names() -> Vec<String> {
    STATUSES.map(|status| format!("s{status}")).to_vec()
}

/// An ingress whose own region answers as the path says, `/early/14` or `/late/14`, and another region where all is well.
async fn front(version: EnvoyVersion) -> (Front, [Server; 2]) {
    let status = |path: &str| path.rsplit('/').next().unwrap().parse().unwrap();
    let home = grpc(tag_of(SANJOSE), move |path| match path.split('/').nth(1) {
        Some("early") => GrpcAnswer::TrailersOnly(status(path)),
        Some("streamed") => GrpcAnswer::Messages(50, status(path)),
        _ => GrpcAnswer::Messages(1, status(path)),
    });
    let servers = [home.await.unwrap(), grpc(tag_of(CHICAGO), |_| GrpcAnswer::Messages(1, 0)).await.unwrap()];
    let mut front = Front::builder(&policy(&names())).envoy(version).http2();
    for name in names() {
        front = front.server(&name, SANJOSE, "primary", &servers[0]).server(&name, CHICAGO, "secondary", &servers[1]);
    }
    (front.start().await.unwrap(), servers)
}

/// By which cause each status has ejected its service.
fn causes(front: &Front) -> Vec<(u32, Option<String>)> {
    let log = front.envoy().log();
    let cause = |status: u32| {
        let about = format!(": ejected service=s{status} region={SANJOSE} cause=");
        log.split_once(&about).and_then(|(_, rest)| rest.split(' ').next()).map(str::to_owned)
    };
    STATUSES.map(|status| (status, cause(status))).to_vec()
}

async fn ejects_by_status(version: EnvoyVersion, when: &str) -> (Front, [Server; 2]) {
    let (front, servers) = front(version).await;
    let mut client = GrpcClient::connect(front.address()).await.unwrap();
    for status in STATUSES {
        for _ in 0..ROW {
            let (told, tag) =
                client.call(&format!("s{status}.example.com"), &format!("/{when}/{status}")).await.unwrap();
            assert_eq!((told, tag.as_deref()), (status, Some(tag_of(SANJOSE))));
        }
    }
    let expected = STATUSES.map(|status| (status, cause(status).map(str::to_owned)));
    assert_eq!(causes(&front), expected, "{when}");
    let moved = STATUSES.into_iter().filter(|status| cause(*status).is_some());
    for status in moved {
        let (told, tag) = client.call(&format!("s{status}.example.com"), "/any").await.unwrap();
        assert_eq!((told, tag.as_deref()), (0, Some(tag_of(CHICAGO))), "s{status}");
    }
    (front, servers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_in_the_headers_counts_as_envoy_counts_it() {
    for version in EnvoyVersion::pinned() {
        let (front, _servers) = ejects_by_status(version.clone(), "early").await;
        // Envoy's own outlier detection has seen the same answers, and has an opinion of each.
        let stats = front.envoy().stats("cluster.outbound|80|").await.unwrap();
        for status in STATUSES {
            let detected = |what: &str| {
                let of = |(name, count): (&String, &u64)| {
                    let ours =
                        name.contains(&format!("|s{status}.test.")) && name.ends_with(&format!("detected_{what}"));
                    if ours { *count } else { 0 }
                };
                stats.iter().map(of).sum::<u64>()
            };
            let envoys = match (detected("consecutive_gateway_failure"), detected("consecutive_5xx")) {
                (0, 0) => None,
                (0, _) => Some("consecutive5xxErrors"),
                _ => Some("consecutiveGatewayErrors"),
            };
            assert_eq!(envoys, cause(status), "Envoy {} of status {status}", version.as_str());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_in_the_trailers_counts_alike() {
    for version in EnvoyVersion::pinned() {
        ejects_by_status(version, "late").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_messages_that_ends_in_an_error_is_one_failure() {
    ejects_by_status(EnvoyVersion::newest().unwrap(), "streamed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ends_well_ends_a_row_of_errors() {
    let (front, _servers) = front(EnvoyVersion::newest().unwrap()).await;
    let mut client = GrpcClient::connect(front.address()).await.unwrap();
    for _ in 0..5 {
        for path in ["/late/14", "/early/14", "/late/0"] {
            client.call("s14.example.com", path).await.unwrap();
        }
    }
    assert_eq!(front.said("ejected", SANJOSE), 0, "{}", front.envoy().log());
    for _ in 0..ROW {
        client.call("s14.example.com", "/late/14").await.unwrap();
    }
    assert_eq!(front.said("ejected", SANJOSE), 1, "three in a row do eject");
}

/// It looks like gRPC, and has no trailers that anybody on the way could read: what it came to is what HTTP says.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_grpc_web_ends_a_row_of_errors() {
    let home = http1(|mut exchange| async move {
        let (status, tag) = (if exchange.path == "/well" { 200 } else { 503 }, tag_of(SANJOSE));
        exchange
            .send(format!(
                "HTTP/1.1 {status} Status\r\nx-served-by-cluster: {tag}\r\ncontent-type: application/grpc-web+proto\r\n\
                 content-length: 5\r\nconnection: close\r\n\r\n\0\0\0\0\0"
            ))
            .await
    });
    let home = home.await.unwrap();
    let away = http1(|mut exchange| async move { exchange.answer(200, Some(tag_of(CHICAGO))).await }).await.unwrap();
    let front = Front::builder(&policy(&["web".to_owned()]));
    let front = front.server("web", SANJOSE, "primary", &home).server("web", CHICAGO, "secondary", &away);
    let front = front.start().await.unwrap();
    for _ in 0..5 {
        for path in ["/ill", "/ill", "/well"] {
            front.send(&Request::get(path).host("web.example.com")).await.unwrap();
        }
    }
    assert_eq!(front.said("ejected", SANJOSE), 0, "{}", front.envoy().log());
    let ejected = async || {
        front.send(&Request::get("/ill").host("web.example.com")).await?;
        Ok(front.said("ejected", SANJOSE) > 0)
    };
    until("three in a row do eject", ejected).await.unwrap();
}
