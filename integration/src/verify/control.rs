//! 7, 8, 10, 11 and 14: what decides, configures or lets in is lost or changed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::target::during;
use super::traffic::{Traffic, ask, decision, served_by, since};
use super::{Deed, FENCED, LOCAL, PAGE, REMOTE, Target, Verdict, manifests};

/// The longest that it may take until a filter that is put in or taken out is seen to be so.
const TAKES_EFFECT: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

pub(super) async fn istiod<T: Target>(target: &T) -> Result<Verdict> {
    during(target, Deed::StopIstiod, async || {
        let (traffic, soak) = (Traffic::start(target, None)?, target.watch().soak);
        traffic.goes_on(soak).await;
        let count = traffic.nobody_paid().await?;
        Ok(format!("0 of {count} failed in {} s{}", soak.as_secs(), target.also(Deed::StopIstiod).await?))
    })
    .await
}

pub(super) async fn ingress<T: Target>(target: &T) -> Result<Verdict> {
    if let Some(why) = target.cannot(Deed::StopIngress) {
        return Ok(Verdict::not_asked(why));
    }
    // Two clients, because one that is content with its connection would see one gateway only.
    let clients = [Traffic::at(target.any_ingress(), None)?, Traffic::at(target.any_ingress(), None)?];
    for client in &clients {
        if let Err(why) = client.settles(LOCAL, TAKES_EFFECT).await {
            return Ok(Err(why.context("before anything is lost")).into());
        }
    }
    let verdict = during(target, Deed::StopIngress, async || {
        tokio::time::sleep(target.watch().change).await;
        target.also(Deed::StopIngress).await
    });
    let verdict = verdict.await?;
    let Verdict::Held(also) = verdict else { return Ok(verdict) };
    let (mut count, mut failed) = (0, 0);
    for client in clients {
        let (asked, lost) = client.end().await?;
        count += asked;
        failed += lost.len();
    }
    let seen = format!("{failed} of {count} failed{also}");
    Ok(if failed * 100 < count { Verdict::Held(seen) } else { Verdict::Failed(seen) })
}

/// Every way in which the filter can be missing, one after the other.
pub(super) async fn filter<T: Target>(target: &T) -> Result<Verdict> {
    let ways = [
        (Deed::RemoveFilter, "gone"),
        (Deed::KillFilter, "a VM that dies of each request"),
        (Deed::NeverLoadFilter, "a first configuration that is refused"),
        (Deed::MisconfigureFilter, "a later one that is refused"),
        (Deed::MisplaceModule, "a file that is not there"),
    ];
    let mut seen = Vec::new();
    for (deed, what) in ways {
        match during(target, deed, async || routes_hold(target, deed).await).await? {
            Verdict::Held(how) => seen.push(format!("{what}: {how}")),
            Verdict::Failed(why) => return Ok(Verdict::Failed(format!("{what}: {why}"))),
            Verdict::NotAsked(why) if seen.is_empty() => return Ok(Verdict::NotAsked(why)),
            Verdict::NotAsked(_) => {}
        }
    }
    Ok(Verdict::Held(format!("regions found, fences kept, none failed; {}", seen.join("; "))))
}

/// Regions and fences hold; who decided is told apart by an explanation that only the filter gives.
async fn routes_hold<T: Target>(target: &T, deed: Deed) -> Result<String> {
    let (begun, decides) = (Instant::now(), deed.leaves_the_filter());
    while decision(&ask(target, PAGE, &[("region", "atlantis")]).await?).is_empty() == decides {
        let who = if decides { "the last good filter does not decide" } else { "the filter still decides" };
        ensure!(begun.elapsed() < TAKES_EFFECT, "{who} after {TAKES_EFFECT:?}");
        tokio::time::sleep(LOOK).await;
    }
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
        served_by(REMOTE, &ask(target, FENCED, headers).await?).with_context(|| format!("fenced, with {headers:?}"))?;
    }
    let leaked = since(&target.served().await?, &before).get(LOCAL.cluster).copied().unwrap_or_default();
    ensure!(leaked == 0, "{leaked} fenced requests reached {}", LOCAL.cluster);
    let who = if decides { "the last good one decides" } else { "the routes alone" };
    Ok(format!("{who}{}", target.also(deed).await?))
}

pub(super) async fn module<T: Target>(target: &T) -> Result<Verdict> {
    changed_under_load(target, Deed::ChangeModule, false).await
}

/// Found before anything is applied, and survived where it is applied all the same.
pub(super) async fn subsets<T: Target>(target: &T) -> Result<Verdict> {
    let found = match manifests::lint_without_subsets() {
        Ok(found) => found,
        Err(why) => return Ok(Err(why).into()),
    };
    Ok(match changed_under_load(target, Deed::RemoveSubsets, true).await? {
        Verdict::Held(seen) => Verdict::Held(format!("{found}; applied all the same, {seen}")),
        Verdict::NotAsked(why) => Verdict::Held(format!("{found}; not applied here: {why}")),
        failed @ Verdict::Failed(_) => failed,
    })
}

/// Nobody pays for a change, nor for its end.
async fn changed_under_load<T: Target>(target: &T, deed: Deed, remote: bool) -> Result<Verdict> {
    if let Some(why) = target.cannot(deed) {
        return Ok(Verdict::not_asked(why));
    }
    let traffic = Traffic::start(target, remote.then_some(REMOTE))?;
    let verdict = during(target, deed, async || {
        traffic.goes_on(target.watch().change).await;
        target.also(deed).await
    });
    let verdict = verdict.await?;
    let Verdict::Held(also) = verdict else { return Ok(verdict) };
    Ok(traffic.nobody_paid().await.map(|count| format!("0 of {count} failed{also}")).into())
}
