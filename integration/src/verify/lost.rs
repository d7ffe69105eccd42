//! 4, 5, 6 and 9: a region, or the way to it, is lost.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::target::during;
use super::traffic::{Traffic, ask, decision, served_by, since};
use super::{Deed, FENCED, LOCAL, PAGE, Place, REMOTE, Target, Verdict};

/// The longest that traffic may take to move.
const MOVES: Duration = Duration::from_secs(5);
/// The same where nobody refuses, so that each try has to time out.
const MOVES_SILENTLY: Duration = Duration::from_secs(30);
/// The longest that it may take to return.
const RETURNS: Duration = Duration::from_secs(60);
const REFUSED: u64 = 50;

pub(super) async fn service<T: Target>(target: &T) -> Result<Verdict> {
    moves_and_returns(target, Deed::StopLocalService, None, (LOCAL, REMOTE), MOVES).await
}

pub(super) async fn gateway<T: Target>(target: &T) -> Result<Verdict> {
    moves_and_returns(target, Deed::StopGateway, Some(REMOTE), (REMOTE, LOCAL), MOVES).await
}

pub(super) async fn partition<T: Target>(target: &T) -> Result<Verdict> {
    moves_and_returns(target, Deed::Partition, Some(REMOTE), (REMOTE, LOCAL), MOVES_SILENTLY).await
}

/// Under load from before the loss until after the return: nobody pays, the traffic moves in time and comes back.
async fn moves_and_returns<T: Target>(
    target: &T,
    deed: Deed,
    asks: Option<Place>,
    (from, to): (Place, Place),
    within: Duration,
) -> Result<Verdict> {
    if let Some(why) = target.cannot(deed) {
        return Ok(Verdict::not_asked(why));
    }
    let traffic = Traffic::start(target, asks)?;
    if let Err(why) = traffic.settles(from, MOVES).await {
        return Ok(Err(why.context("before anything is lost")).into());
    }
    let mut moved = Duration::ZERO;
    let verdict = during(target, deed, async || {
        moved = traffic.settles(to, within).await?;
        Ok(String::new())
    })
    .await?;
    if let Verdict::Failed(_) = verdict {
        return Ok(verdict);
    }
    let all = async {
        let back = traffic.settles(from, RETURNS).await.context("after it was given back")?;
        let count = traffic.nobody_paid().await?;
        let seconds = |time: Duration| time.as_secs_f64();
        Ok(format!(
            "0 of {count} failed; all by {} after {:.1} s; back after {:.1} s",
            to.cluster,
            seconds(moved),
            seconds(back)
        ))
    };
    Ok(all.await.into())
}

pub(super) async fn fence<T: Target>(target: &T) -> Result<Verdict> {
    let lost = during(target, Deed::StopRemoteService, async || {
        let before = target.served().await?;
        let mut explained = 0;
        let spoofs: [&[(&str, &str)]; 3] =
            [&[], &[("region", LOCAL.region)], &[("x-region-route", "only-us-sanjose-1")]];
        for headers in spoofs.iter().cycle().take(usize::try_from(REFUSED)?) {
            let answer = ask(target, FENCED, headers).await?;
            ensure!(answer.status == 503, "a fenced page was answered {} with {headers:?}", answer.status);
            explained += u64::from(decision(&answer).contains("reason=exhausted"));
        }
        ensure!(explained > 0, "none of {REFUSED} refusals says why");
        let leaked = since(&target.served().await?, &before).get(LOCAL.cluster).copied().unwrap_or_default();
        ensure!(leaked == 0, "{leaked} of {REFUSED} fenced requests reached {}", LOCAL.cluster);
        served_by(LOCAL, &ask(target, PAGE, &[("region", REMOTE.region)]).await?).context("a page that may leave")?;
        Ok(format!("{REFUSED} of {REFUSED} refused with 503, {explained} say `exhausted`, 0 outside"))
    });
    let lost = lost.await?;
    let Verdict::Held(seen) = lost else { return Ok(lost) };
    let begun = Instant::now();
    while begun.elapsed() < RETURNS {
        if served_by(REMOTE, &ask(target, FENCED, &[]).await?).is_ok() {
            return Ok(Verdict::Held(format!("{seen}; back after {:.1} s", begun.elapsed().as_secs_f64())));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(Verdict::Failed(format!("{seen}; but not back after {RETURNS:?}")))
}
