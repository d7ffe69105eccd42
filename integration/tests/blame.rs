//! Who is to blame where nobody signs: a service that fails is moved alone, as long as it is alone: whether it answers badly or is gone.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use integration::bookinfo::{Fault, Service};
use integration::client::{Request, Response};
use integration::mesh::{Ingress, Mesh, Tag, Workload};
use support::{CHICAGO, SANJOSE, tag_of};

const SERVICES: [Service; 3] = [Service::Productpage, Service::Details, Service::Ratings];

fn policy() -> String {
    let service = |service: Service| {
        let host = format!("{service}.bookinfo.svc.cluster.local");
        format!("- {{name: {service}, hosts: [{service}.example.com], destination: {{host: {host}, port: 9080}}}}\n")
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
outlierDetection: {{consecutiveGatewayErrors: 3, interval: 5s, baseEjectionTime: 60s}}
",
        tag_of(SANJOSE),
        tag_of(CHICAGO),
        SERVICES.map(service).concat(),
    )
}

async fn start() -> (Mesh, Ingress) {
    let mesh = Mesh::builder().workloads(Workload::bookinfo()).tag(Tag::Nobody).start().await.unwrap();
    let ingress = mesh.ingress("primary").policy(&policy()).start().await.unwrap();
    (mesh, ingress)
}

/// A request that asks for Chicago.
async fn ask(ingress: &Ingress, service: Service) -> Response {
    let request = Request::get("/status/200").host(format!("{service}.example.com")).header("region", CHICAGO);
    request.send(ingress.address()).await.unwrap()
}

/// Where a request that asks for Chicago is served, counted at the services.
async fn served_in(mesh: &Mesh, ingress: &Ingress, service: Service) -> &'static str {
    let before = mesh.served();
    assert_eq!(ask(ingress, service).await.status, 200);
    let served = mesh.served().since(&before);
    match (served.at("primary", service), served.at("secondary", service)) {
        (1, 0) => SANJOSE,
        (0, 1) => CHICAGO,
        _ => unreachable!("one request was served so: {served:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_nobody_signs_for_is_moved_alone() {
    let (mesh, ingress) = start().await;
    let pods = mesh.cluster("secondary").unwrap().service(Service::Productpage);
    pods.fault(&Fault::status(503)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&ingress, Service::Productpage).await.status, 503);
    }
    assert_eq!(served_in(&mesh, &ingress, Service::Productpage).await, SANJOSE);
    for service in [Service::Details, Service::Ratings] {
        assert_eq!(served_in(&mesh, &ingress, service).await, CHICAGO, "{service}");
    }
    let log = ingress.envoy().log();
    assert!(log.contains(&format!(": ejected service=productpage region={CHICAGO}")), "{log}");
    assert!(!log.contains("ejected service=*"), "the region is not to blame: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_gone_where_nobody_signs_is_moved_alone() {
    let (mesh, ingress) = start().await;
    mesh.cluster("secondary").unwrap().service(Service::Details).kill();
    for _ in 0..3 {
        assert_eq!(ask(&ingress, Service::Details).await.status, 503);
    }
    assert_eq!(served_in(&mesh, &ingress, Service::Details).await, SANJOSE);
    for service in [Service::Productpage, Service::Ratings] {
        assert_eq!(served_in(&mesh, &ingress, service).await, CHICAGO, "{service}");
    }
    assert!(!ingress.envoy().log().contains("ejected service=*"), "{}", ingress.envoy().log());
}
