//! A rule that trusts what a token says: Istio's own filter checks the token and writes the claim into a header, the rule fences by it.
//!
//! The filter stands behind the authentication then (`meridian render istio --after-authentication`). The native table is asked as well, with no filter at
//! all: Istio clears the route at a gateway when a claim is written, so the fence needs nobody's help. Skipped, and said so, without Go.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use integration::envoy::EnvoyVersion;
use integration::istio::Manifests;
use integration::load::SERVED_BY;
use integration::paths;
use meridian::istio::{Options, Position};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::json;
use three_regions::{FILTER, OPEN, POLICY, ask, gateway, mesh, name};

mod support;
#[path = "support/istio.rs"]
mod three_regions;

/// Acme's requests stay in Europe, and what makes them Acme's is their token.
const RULES: &str =
    "rules: [{name: acme, match: {headers: [{name: x-tenant, exact: acme, trusted: true}]}, fence: eu}]";

/// Who issues tokens here. Its key signs nothing but this test's.
struct Issuer(SigningKey);

impl Issuer {
    fn new() -> Self {
        Self(SigningKey::from_slice(&[7; 32]).unwrap())
    }

    fn token(&self, tenant: &str) -> String {
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims =
            json!({"iss": "tenants.example.com", "sub": "somebody", "tenant": tenant, "exp": 4_000_000_000_u64});
        let signed = format!("{}.{}", part(json!({"alg": "ES256", "kid": "one"})), part(claims));
        let signature: Signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    /// What a mesh admin applies beside what is rendered.
    fn authentication(&self) -> String {
        let point = self.0.verifying_key().to_encoded_point(false);
        let coordinate = |bytes: Option<&[u8]>| URL_SAFE_NO_PAD.encode(bytes.unwrap());
        let (x, y) = (coordinate(point.x().map(|x| &x[..])), coordinate(point.y().map(|y| &y[..])));
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "one", "x": x, "y": y}]});
        json!({
            "apiVersion": "security.istio.io/v1",
            "kind": "RequestAuthentication",
            "metadata": {"name": "tenants", "namespace": "istio-system"},
            "spec": {
                "selector": {"matchLabels": {"istio": "ingressgateway"}},
                "jwtRules": [{
                    "issuer": "tenants.example.com",
                    "jwks": keys.to_string(),
                    "outputClaimToHeaders": [{"header": "x-tenant", "claim": "tenant"}],
                }],
            },
        })
        .to_string()
    }
}

fn manifests(issuer: &Issuer, table: &str, position: Position) -> Result<Manifests> {
    let options =
        Options { gateways: vec!["bookinfo/bookinfo".to_owned()], one_network: true, position, ..Options::default() };
    let rendered =
        Manifests::rendered_with(&format!("{POLICY}{RULES}\ntable: {table}\n"), "west", &paths::module()?, options)?;
    Ok(rendered.file("gateway.yaml", &gateway()?).file("authentication.yaml", &issuer.authentication()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_by_a_claim_holds_and_a_header_that_a_client_brings_is_nobodys() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let issuer = Issuer::new();
    let full = manifests(&issuer, "full", Position::AfterAuthentication)?;
    let without = full.clone().without(FILTER);
    // Here the filter does all the header routing, and would name another rule's plan if it stood before the authentication.
    let plans = manifests(&issuer, "plans", Position::AfterAuthentication)?;
    let (acme, other) = (format!("Bearer {}", issuer.token("acme")), format!("Bearer {}", issuer.token("other")));
    for (manifests, version) in
        [(&full, EnvoyVersion::oldest()?), (&plans, EnvoyVersion::newest()?), (&without, EnvoyVersion::newest()?)]
    {
        let edge = mesh.edge("west", manifests, version, 1).await?;
        let east = ("region", "us-east-1");
        for (headers, region) in [
            (vec![east], "EAST"),
            (vec![east, ("authorization", acme.as_str())], "WEST"),
            (vec![east, ("authorization", &other)], "EAST"),
            // It is taken out before anything reads it, so it neither opens nor closes a fence.
            (vec![east, ("x-tenant", "acme")], "EAST"),
            (vec![east, ("x-tenant", "other"), ("authorization", &acme)], "WEST"),
            (vec![("region", "eu-central-1"), ("authorization", &acme)], "CENTRAL"),
        ] {
            let answer = ask(&edge, OPEN, &headers).await?;
            let served = answer.header(SERVED_BY).unwrap_or_default();
            ensure!((answer.status, served.as_str()) == (200, region), "{}: {headers:?}: {served}", name(&edge));
        }
        let forged = ask(&edge, OPEN, &[east, ("authorization", "Bearer a.b.c")]).await?;
        ensure!(forged.status == 401, "{}: a token nobody signed: {}", name(&edge), forged.status);
        let refused = edge.gateway.refused_updates().await?;
        ensure!(refused == 0, "{}: {refused} updates refused", name(&edge));
    }
    Ok(())
}
