//! 1 to 3: while nothing is lost.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::traffic::{ask, served_by, since, tag};
use super::{FENCED, LOCAL, PAGE, Place, REMOTE, STRICT, Target};
use crate::client::Request;

const TAGGED: u64 = 200;
const STARS: u32 = 300;
/// Chi-square with two degrees of freedom: passed by chance once in a thousand runs.
const CRITICAL: f64 = 13.82;

pub(super) async fn tags<T: Target>(target: &T) -> Result<String> {
    let before = target.served().await?;
    let mut by_tag: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..TAGGED {
        let answer = ask(target, PAGE, &[]).await?;
        ensure!(answer.status == 200 && !tag(&answer).is_empty(), "{} with the tag {:?}", answer.status, tag(&answer));
        *by_tag.entry(tag(&answer)).or_default() += 1;
    }
    let counted = since(&target.served().await?, &before);
    for place in [LOCAL, REMOTE] {
        let (said, seen) = (
            by_tag.get(place.tag).copied().unwrap_or_default(),
            counted.get(place.cluster).copied().unwrap_or_default(),
        );
        ensure!(said == seen, "{said} say {}, and {seen} were counted there", place.tag);
    }
    Ok(format!("{TAGGED} of {TAGGED} tagged, as counted where they were served"))
}

pub(super) async fn spellings<T: Target>(target: &T) -> Result<String> {
    let long = "x".repeat(8 << 10);
    let spellings: &[(&str, Place)] = &[
        ("us-sanjose-1", LOCAL),
        ("US-SanJose-1", LOCAL),
        ("us-west", LOCAL),
        ("us-chicago-1", REMOTE),
        ("US-CHICAGO-1", REMOTE),
        ("Chicago", REMOTE),
        ("us-chicago-11", LOCAL),
        ("atlantis", LOCAL),
        ("", LOCAL),
        (&long, LOCAL),
    ];
    for (spelling, place) in spellings {
        let answer = ask(target, PAGE, &[("region", spelling)]).await?;
        served_by(*place, &answer).map_err(|why| why.context(format!("region: {spelling:.40}")))?;
    }
    let twice = ask(target, PAGE, &[("region", REMOTE.region), ("region", REMOTE.region)]).await?;
    served_by(LOCAL, &twice).map_err(|why| why.context("two lines are no region"))?;
    let bytes = Request::get(PAGE).host(super::HOST).header("region", b"\xff\xfe").send(target.ingress()).await?;
    served_by(LOCAL, &bytes).map_err(|why| why.context("bytes that are no text"))?;
    let strict = ask(target, STRICT, &[("region", "atlantis")]).await?;
    ensure!(strict.status == 400, "a rule that rejects unknown regions answered {}", strict.status);
    for plan in ["prefer-us-chicago-1", "only-us-chicago-1", "prefer-us-chicago-1-in-chicago-only"] {
        let answer = ask(target, PAGE, &[("x-region-route", plan)]).await?;
        served_by(LOCAL, &answer).map_err(|why| why.context(format!("a client that sets x-region-route: {plan}")))?;
    }
    for plan in ["prefer-us-sanjose-1", "only-us-sanjose-1"] {
        let answer = ask(target, FENCED, &[("x-region-route", plan), ("region", LOCAL.region)]).await?;
        served_by(REMOTE, &answer).map_err(|why| why.context(format!("a fenced page and x-region-route: {plan}")))?;
    }
    Ok(format!("{} spellings, two lines, no text, 8 KiB, a refusal, 5 spoofed plans", spellings.len()))
}

pub(super) async fn stars<T: Target>(target: &T) -> Result<String> {
    let mut versions = [0_u32; 3];
    let mut compared = 0;
    for _ in 0..STARS {
        let answer = ask(target, PAGE, &[]).await?;
        let page = answer.text();
        let seen =
            versions.iter_mut().zip(["reviews-v1", "reviews-v2", "reviews-v3"]).find(|(_, name)| page.contains(name));
        ensure!(seen.is_some(), "a page without reviews: {} {}", answer.status, tag(&answer));
        if let Some((count, _)) = seen {
            *count += 1;
        }
        if let Some(cluster) = target.cluster_on(&page) {
            let said = [LOCAL, REMOTE].iter().find(|place| place.cluster == cluster).map(|place| place.tag);
            ensure!(said == Some(&tag(&answer)), "the page says {cluster}, the header {}", tag(&answer));
            compared += 1;
        }
    }
    let deviation = chi_square(&versions);
    ensure!(deviation < CRITICAL, "no even shares: {versions:?}");
    let [none, black, red] = versions;
    let compared = if compared == 0 {
        "the page names no cluster".to_owned()
    } else {
        format!("{compared} pages agree with their header")
    };
    Ok(format!("{none} without stars, {black} black, {red} red; {compared}"))
}

/// How far counts are from even shares.
fn chi_square(counts: &[u32]) -> f64 {
    let (sum, kinds) =
        (f64::from(counts.iter().sum::<u32>()), f64::from(u32::try_from(counts.len()).unwrap_or(u32::MAX)));
    let expected = sum / kinds;
    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_shares_pass_and_a_version_that_is_missing_does_not() {
        assert!(chi_square(&[100, 100, 100]) < f64::EPSILON);
        assert!(chi_square(&[90, 105, 105]) < CRITICAL);
        assert!(chi_square(&[150, 150, 0]) > CRITICAL);
    }
}
