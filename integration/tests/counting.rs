//! Errors eject a region only in a row: what succeeds in between counts, whether anybody decided about it or not.

use integration::client::Request;
use integration::envoy::EnvoyVersion;
use integration::mesh::{Mesh, Tag, Workload};

const POLICY: &str = "
apiVersion: meridian/v1
role: gateway
regions:
- {name: us-sanjose-1, clusters: [primary], displayName: PRIMARY (San Jose)}
- {name: us-chicago-1, clusters: [secondary], displayName: SECONDARY (Chicago)}
services:
- {name: productpage, hosts: ['*'], destination: {host: productpage.bookinfo.svc.cluster.local, port: 9080}}
outlierDetection: {consecutiveGatewayErrors: 5, baseEjectionTime: 30s, interval: 500ms}
";

#[tokio::test(flavor = "multi_thread")]
async fn errors_with_successes_in_between_eject_nobody_and_errors_in_a_row_do() {
    let mesh =
        Mesh::builder().workloads(Workload::productpage()).tag(Tag::Native).envoy(EnvoyVersion::newest().unwrap());
    let mesh = mesh.start().await.unwrap();
    let ingress = mesh.ingress("primary").policy(POLICY).start().await.unwrap();
    let ask = async |path: &str, region: Option<&str>| {
        let request = Request::get(path);
        let request = region.into_iter().fold(request, |request, region| request.header("region", region));
        request.send(ingress.address()).await.unwrap().status
    };
    // Four errors are one fewer than eject. With a region header somebody decides; without one nobody does while all is well.
    for round in 0..8 {
        let region = (round % 2 == 0).then_some("us-sanjose-1");
        for _ in 0..4 {
            assert_eq!(ask("/status/503", region).await, 503);
        }
        assert_eq!(ask("/status/200", None).await, 200);
    }
    assert!(!ingress.envoy().log().contains(": ejected "), "{}", ingress.envoy().log());
    for _ in 0..5 {
        ask("/status/503", None).await;
    }
    assert!(ingress.envoy().log().contains(": ejected "), "five in a row do eject");
}
