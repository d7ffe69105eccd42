//! What the tests share.

use meridian_core::{LocalHints, Policy, UnknownKeys, compile};

use crate::policy_file::PolicyFile;

/// Three regions, a fence, a service whose every request can be rescued or not.
pub(super) const POLICY: &str = "
apiVersion: meridian/v1
role: gateway
regions:
- {name: us, clusters: [a], aliases: [usa], displayName: US (50%)}
- {name: eu-1, clusters: [b]}
- {name: eu-2, clusters: [c]}
fences: {eu: [eu-1, eu-2]}
services:
- {name: page, hosts: [page.example.com], destination: {host: page.shop.svc.cluster.local, port: 80}}
rules:
- {name: residents, match: {pathPrefix: /eu, headers: [{name: x-tenant, exact: acme, trusted: true}]}, fence: eu, timeout: 3s,
   rescue: {attempts: 2, perTryTimeout: 500ms, methods: [GET, HEAD]}}
";

pub(super) fn file(text: &str) -> PolicyFile {
    PolicyFile::parse("policy", text, &LocalHints::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The policy as a sidecar's calls see it in a cluster.
pub(super) fn policy(text: &str, cluster: &str) -> Policy {
    let mut document = file(text).document;
    document["role"] = "outbound".into();
    let hints = LocalHints { cluster_id: Some(cluster), ..LocalHints::default() };
    compile(&document, UnknownKeys::Refuse, &hints).map(|(policy, _)| policy).unwrap()
}
