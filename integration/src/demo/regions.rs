//! Proof 2: a request goes where its `region` header asks, under every name a region has, and says who served it.

use std::net::SocketAddr;

use anyhow::Result;

use super::narrator::Narrator;
use super::{LOCAL, PRIMARY, SECONDARY};
use crate::client::get;
use crate::load::SERVED_BY;
use crate::timeline::Check;

/// How often each is asked: once could be luck.
const TIMES: usize = 5;

/// What is asked, in which way, and who must serve it.
const ASKED: [(&str, Option<&str>, &str); 7] = [
    ("Region by its name", Some("us-sanjose-1"), PRIMARY),
    ("Region by an alias", Some("us-west"), PRIMARY),
    ("Region in odd case", Some("US-SanJose-1"), PRIMARY),
    ("The other by its name", Some("us-chicago-1"), SECONDARY),
    ("The other by an alias", Some("chicago"), SECONDARY),
    ("The other in odd case", Some("CHICAGO"), SECONDARY),
    ("No wish: the local region", None, LOCAL),
];

/// Asks for each and reads the tag.
///
/// # Errors
/// When an answer does not come at all.
pub(super) async fn prove(ingress: SocketAddr, narrator: Narrator) -> Result<Vec<Check>> {
    narrator.part("Proof 2 · Each request goes where it asks to, and says who served it");
    narrator.step(&format!("reading x-served-by-cluster of {} requests, {TIMES} of each kind", ASKED.len() * TIMES));
    let mut checks = Vec::with_capacity(ASKED.len());
    for (name, region, expected) in ASKED {
        let headers: Vec<(&str, &str)> = region.iter().map(|region| ("region", *region)).collect();
        let mut seen: Vec<String> = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            let answer = get(ingress, "/productpage", &headers).await?;
            seen.push(match (answer.status, answer.header(SERVED_BY)) {
                (200, Some(cluster)) => cluster,
                (200, None) => "no x-served-by-cluster".to_owned(),
                (status, _) => format!("status {status}"),
            });
        }
        let passed = seen.iter().all(|cluster| cluster == expected);
        seen.dedup();
        let asked = region.map_or_else(|| "no region header".to_owned(), |region| format!("region: {region}"));
        let seen = seen.join(", then ");
        narrator.finding(passed, &format!("{asked} → {seen}"));
        let (name, expected) = (name.to_owned(), expected.to_owned());
        checks.push(Check { name, asked: format!("{asked}, {TIMES} times"), seen, expected, passed });
    }
    Ok(checks)
}
