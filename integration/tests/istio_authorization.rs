//! The third lock: pods of a service that no rule lets into their cluster answer nobody, whatever routes somebody wrote.
//!
//! Two networks under Istio's own control planes, mutual TLS, a sidecar before each application. A route that nobody rendered leads straight to
//! the service, past every plan; without the lock it is served, with it the server's own sidecar refuses. Skipped, and said so, without Go.

use anyhow::{Context, Result, ensure};
use integration::bookinfo::Service;
use integration::client::Request;
use integration::envoy::EnvoyVersion;
use integration::istio::{Manifests, Mesh, Place, Programs, Role, Wanted};
use integration::mesh::ClusterSpec;
use integration::paths;
use meridian::istio::Options;
use support::until;

mod support;

const PAGE: Service = Service::Productpage;
const POLICY: &str = "
apiVersion: meridian/v1
role: gateway
regions:
- {name: us-east-1, clusters: [east], displayName: EAST}
- {name: eu-west-1, clusters: [west], displayName: WEST}
fences: {eu: [eu-west-1]}
services:
- {name: productpage, hosts: [eu.example.com], destination: {host: productpage.bookinfo.svc.cluster.local, port: 9080}}
rules:
- {name: residents, fence: eu, timeout: 3s}
";
/// What somebody may write who knows nothing of fences.
const AROUND: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: around, namespace: bookinfo}
spec:
  hosts: [bookinfo.example.com]
  gateways: [bookinfo]
  http:
  - route: [{destination: {host: productpage.bookinfo.svc.cluster.local, port: {number: 9080}}}]
    timeout: 3s
";

/// How many of so many requests around the fence the application in `east` saw, and what the client was told.
async fn around(lock: bool) -> Result<Option<(u64, Vec<u16>)>> {
    let Some(programs) = Programs::get().await? else {
        println!("SKIPPED: without Go there is no Istio to ask");
        return Ok(None);
    };
    println!("mode: live, Istio's control planes");
    let places = vec![
        Place::new(ClusterSpec::new("east", "us-east-1", "EAST"), &[]).network("network1").behind_sidecars(),
        Place::new(ClusterSpec::new("west", "eu-west-1", "WEST"), &["eu"]).network("network2").behind_sidecars(),
    ];
    let mesh = Mesh::start(programs, places, vec![PAGE], 1).await?;
    let gateway = std::fs::read_to_string(paths::workspace().join("integration/istio/testdata/fence/10-gateway.yaml"))?;
    let domain = |cluster: &str| (cluster.to_owned(), "cluster.local".to_owned());
    let wanted = |cluster: &str, roles: Vec<Role>| {
        let options = Options {
            gateways: vec!["bookinfo/bookinfo".to_owned()],
            trust_domains: if lock { vec![domain("east"), domain("west")] } else { Vec::new() },
            ..Options::default()
        };
        let rendered = Manifests::rendered_with(POLICY, cluster, &paths::module()?, options)?;
        let manifests = rendered.file("gateway.yaml", &gateway).file("around.yaml", AROUND);
        anyhow::Ok(Wanted { cluster: cluster.to_owned(), manifests, roles })
    };
    let all = [Role::Server, Role::Ingress];
    let wanted = vec![wanted("east", all.to_vec())?, wanted("west", [&all[..], &[Role::EastWest]].concat())?];
    let sites = mesh.sites(wanted, &EnvoyVersion::oldest()?, 1).await?;
    let ingress = sites.first().context("no east")?.proxy(Role::Ingress)?;
    let ask = async |host: &str| ingress.send(&Request::get("/status/200").host(host)).await;
    // The fence's own route works, so certificates are there and the other network is reached.
    until("the fenced route is served", async || Ok(ask("eu.example.com").await?.status == 200)).await?;
    let before = mesh.pods().served("east", PAGE);
    let mut told = Vec::new();
    for _ in 0..40 {
        told.push(ask("bookinfo.example.com").await?.status);
    }
    let served = mesh.pods().served("east", PAGE) - before;
    let fenced = ask("eu.example.com").await?;
    ensure!(fenced.status == 200, "the lock shuts out those who may come: {}", fenced.status);
    Ok(Some((served, told)))
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_outside_every_fence_of_their_service_answer_nobody() -> Result<()> {
    let Some((served, told)) = around(true).await? else { return Ok(()) };
    ensure!(served == 0, "{served} requests reached the application");
    ensure!(told.contains(&403), "nobody was refused by a sidecar: {told:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_lock_a_route_around_the_fence_is_served() -> Result<()> {
    let Some((served, told)) = around(false).await? else { return Ok(()) };
    ensure!(served > 0, "the route leads nowhere, so the lock proves nothing: {told:?}");
    Ok(())
}
