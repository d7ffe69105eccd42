//! A rule that trusts what a token says: Istio's own filter checks the token, and the rule fences by a claim, or by a header that Istio
//! writes it into.
//!
//! The filter stands behind the authentication then (`meridian render istio --after-authentication`; for claims by itself). The native
//! table is asked as well, with no filter at all: Istio clears the route at a gateway when it knows who asks, so the fence needs nobody's
//! help. Skipped, and said so, without Go.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot go on has failed, in helpers as well")]

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
use serde_json::{Value, json};
use three_regions::{FILTER, OPEN, POLICY, ask, gateway, mesh, name};

mod support;
#[path = "support/istio.rs"]
mod three_regions;

/// Acme's requests stay in Europe, and what makes them Acme's is their token.
const RULES: &str =
    "rules: [{name: acme, match: {headers: [{name: x-tenant, exact: acme, trusted: true}]}, fence: eu}]";

/// The same by the claim itself, as a text or in a list, and a fence of one region by a claim inside another.
const CLAIMS: &str = "rules:
- {name: acme, match: {claims: [{claim: tenant, value: acme}]}, fence: eu}
- {name: operators, match: {claims: [{claim: realm.group, value: operators}]}, fence: eu, failover: [{from: eu-west-1, to: []}]}";

/// Who issues tokens here. Its key signs nothing but this test's.
struct Issuer(SigningKey);

impl Issuer {
    fn new() -> Self {
        Self(SigningKey::from_slice(&[7; 32]).unwrap())
    }

    fn token(&self, tenant: &str) -> String {
        self.saying(&json!({"tenant": tenant}))
    }

    /// A token that says so beside what every token says.
    fn saying(&self, what: &Value) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut claims = what.clone();
        claims["iss"] = json!("tenants.example.com");
        claims["sub"] = json!("somebody");
        claims["exp"] = json!(4_000_000_000_u64);
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

fn manifests(issuer: &Issuer, rules: &str, table: &str, position: Position) -> Result<Manifests> {
    let options =
        Options { gateways: vec!["bookinfo/bookinfo".to_owned()], one_network: true, position, ..Options::default() };
    let rendered =
        Manifests::rendered_with(&format!("{POLICY}{rules}\ntable: {table}\n"), "west", &paths::module()?, options)?;
    Ok(rendered.file("gateway.yaml", &gateway()?).file("authentication.yaml", &issuer.authentication()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_by_a_claim_holds_and_a_header_that_a_client_brings_is_nobodys() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let issuer = Issuer::new();
    let full = manifests(&issuer, RULES, "full", Position::AfterAuthentication)?;
    let without = full.clone().without(FILTER);
    // Here the filter does all the header routing, and would name another rule's plan if it stood before the authentication.
    let plans = manifests(&issuer, RULES, "plans", Position::AfterAuthentication)?;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_by_a_claim_needs_no_header() -> Result<()> {
    let Some(mesh) = mesh().await? else { return Ok(()) };
    let issuer = Issuer::new();
    // Nobody says where the filter stands: a policy that asks for claims knows.
    let full = manifests(&issuer, CLAIMS, "full", Position::First)?;
    let plans = manifests(&issuer, CLAIMS, "plans", Position::First)?;
    let without = full.clone().without(FILTER);
    let bearer = |what: Value| format!("Bearer {}", issuer.saying(&what));
    let acme = bearer(json!({"tenant": "acme"}));
    let tokens = [
        (acme.clone(), "acme"),
        (bearer(json!({"tenant": ["other", "acme"]})), "acme"),
        (bearer(json!({"tenant": "acme", "realm": {"group": ["operators"]}})), "acme"),
        (bearer(json!({"realm": {"group": "operators"}})), "operators"),
        (bearer(json!({"tenant": "other"})), ""),
        (bearer(json!({"tenant": ["acm", "acme2"]})), ""),
        (bearer(json!({"tenant": 7, "realm": "operators"})), ""),
        (bearer(json!({"tenant": {"acme": "acme"}})), ""),
        (bearer(json!({})), ""),
    ];
    for (manifests, version) in [
        (&full, EnvoyVersion::oldest()?),
        (&full, EnvoyVersion::newest()?),
        (&plans, EnvoyVersion::newest()?),
        (&without, EnvoyVersion::newest()?),
    ] {
        let edge = mesh.edge("west", manifests, version, 1).await?;
        for (token, rule) in &tokens {
            let headers = [("region", "us-east-1"), ("authorization", token.as_str())];
            let answer = ask(&edge, OPEN, &headers).await?;
            let (served, decision) = (answer.header(SERVED_BY), answer.header("x-region-decision").unwrap_or_default());
            let region = if rule.is_empty() { "EAST" } else { "WEST" };
            ensure!(served.as_deref() == Some(region), "{}: {rule}: {served:?}, {decision}", name(&edge));
            // The filter knows it by itself, and says so where it is there.
            let fenced = decision.contains("reason=fenced") && decision.contains(&format!("rule={rule}"));
            let told = !rule.is_empty() && !std::ptr::eq(manifests, &raw const without);
            ensure!(fenced == told, "{}: {rule}: {decision}", name(&edge));
        }
        let central = [("region", "eu-central-1"), ("authorization", acme.as_str())];
        ensure!(ask(&edge, OPEN, &central).await?.header(SERVED_BY).as_deref() == Some("CENTRAL"), "{}", name(&edge));
        // What nobody signed says nothing, and so does nobody.
        for (token, status, region) in [(Some("Bearer a.b.c"), 401, None), (None, 200, Some("EAST"))] {
            let headers: Vec<_> =
                [("region", "us-east-1")].into_iter().chain(token.map(|token| ("authorization", token))).collect();
            let answer = ask(&edge, OPEN, &headers).await?;
            ensure!(
                (answer.status, answer.header(SERVED_BY).as_deref()) == (status, region),
                "{}: {token:?}",
                name(&edge)
            );
        }
        let refused = edge.gateway.refused_updates().await?;
        ensure!(refused == 0, "{}: {refused} updates refused", name(&edge));
    }
    Ok(())
}
