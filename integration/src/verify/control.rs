//! 7, 8, 10, 11 and 14: what decides, configures or lets in is lost or changed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::target::during;
use super::traffic::{Traffic, ask, served_by, since};
use super::{Deed, FENCED, LOCAL, PAGE, REMOTE, Target, Verdict};

/// How long traffic is watched without a control plane.
const SOAK: Duration = Duration::from_secs(300);
/// How long it is watched after a change that should not be seen.
const WATCHED: Duration = Duration::from_secs(20);

pub(super) async fn istiod<T: Target>(target: &T) -> Result<Verdict> {
    during(target, Deed::StopIstiod, async || {
        let traffic = Traffic::start(target, None)?;
        traffic.goes_on(SOAK).await;
        Ok(format!("0 of {} failed in {} s", traffic.nobody_paid().await?, SOAK.as_secs()))
    })
    .await
}

pub(super) async fn ingress<T: Target>(target: &T) -> Result<Verdict> {
    if let Some(why) = target.cannot(Deed::StopIngress) {
        return Ok(Verdict::not_here(why));
    }
    let traffic = Traffic::start(target, None)?;
    let verdict = during(target, Deed::StopIngress, async || {
        traffic.goes_on(WATCHED).await;
        Ok(String::new())
    });
    let verdict = verdict.await?;
    let Verdict::Holds(_) = verdict else { return Ok(verdict) };
    let (count, failed) = traffic.end().await?;
    let seen = format!("{} of {count} failed", failed.len());
    Ok(if failed.len() * 100 < count { Verdict::Holds(seen) } else { Verdict::Broken(seen) })
}

pub(super) async fn filter<T: Target>(target: &T) -> Result<Verdict> {
    during(target, Deed::RemoveFilter, async || {
        served_by(LOCAL, &ask(target, PAGE, &[]).await?).context("no header")?;
        for spelling in [REMOTE.region, "CHICAGO", "us-central"] {
            let answer = ask(target, PAGE, &[("region", spelling)]).await?;
            served_by(REMOTE, &answer).with_context(|| format!("region: {spelling}"))?;
        }
        let before = target.served().await?;
        let attempts: [&[(&str, &str)]; 4] = [
            &[],
            &[("region", LOCAL.region)],
            &[("x-region-route", "only-us-sanjose-1")],
            &[("x-region-route", "prefer-us-sanjose-1"), ("region", "us-west")],
        ];
        for headers in attempts {
            served_by(REMOTE, &ask(target, FENCED, headers).await?)
                .with_context(|| format!("fenced, with {headers:?}"))?;
        }
        let leaked = since(&target.served().await?, &before).get(LOCAL.cluster).copied().unwrap_or_default();
        ensure!(leaked == 0, "{leaked} fenced requests reached {}", LOCAL.cluster);
        Ok(format!("3 spellings found their region, {} attempts on the fence stayed inside", attempts.len()))
    })
    .await
}

pub(super) async fn module<T: Target>(target: &T) -> Result<Verdict> {
    changed_under_load(target, Deed::ChangeModule, false).await
}

pub(super) async fn subsets<T: Target>(target: &T) -> Result<Verdict> {
    changed_under_load(target, Deed::RemoveSubsets, true).await
}

/// Nobody pays for a change, nor for its end.
async fn changed_under_load<T: Target>(target: &T, deed: Deed, remote: bool) -> Result<Verdict> {
    if let Some(why) = target.cannot(deed) {
        return Ok(Verdict::not_here(why));
    }
    let traffic = Traffic::start(target, remote.then_some(REMOTE))?;
    let verdict = during(target, deed, async || {
        traffic.goes_on(WATCHED).await;
        Ok(String::new())
    });
    let verdict = verdict.await?;
    let Verdict::Holds(_) = verdict else { return Ok(verdict) };
    Ok(traffic.nobody_paid().await.map(|count| format!("0 of {count} failed")).into())
}
