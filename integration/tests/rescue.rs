//! Which requests Envoy tries again, on real Envoys: those of the methods that the policy names, and no other is sent twice.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

mod support;

use integration::client::{Request, Response};
use support::{Edge, HOST, Setting, World, policy_with};

/// GET and HEAD are tried three times.
const RESCUE: &str = "
rules:
- {name: everyone, rescue: {attempts: 2, perTryTimeout: 1s, methods: [GET, HEAD]}}
";

/// An answer of the application that says it cannot answer.
async fn unavailable(edge: &Edge, method: &str) -> Response {
    edge.send(&Request::new(method, "/status/503").host(HOST)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_methods_that_may_be_sent_twice_are_and_no_others() {
    let world = World::start(Setting::each(&[1], &["full"]), |_| policy_with(RESCUE)).await.unwrap();
    for edge in &world.edges {
        for (method, tries) in [("GET", "3"), ("HEAD", "3"), ("POST", "1"), ("PUT", "1"), ("DELETE", "1")] {
            let answer = unavailable(edge, method).await;
            assert_eq!(answer.status, 503, "{}: {method}", edge.setting);
            let tried = answer.header("x-envoy-attempt-count");
            assert_eq!(tried.as_deref(), Some(tries), "{}: {method}", edge.setting);
        }
    }
}
