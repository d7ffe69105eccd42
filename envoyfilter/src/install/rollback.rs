//! Out of the clusters: the same stages backwards.
//!
//! Only what has our label is removed, and what was kept is put back, so that doing it twice, or where nothing was installed, harms
//! nothing. Between routes and subsets the mesh gets time: a proxy that still has a route to a subset must not lose the subset.

use super::documents::{Document, list, title};
use super::journal::Stop;
use super::kubectl::Kubectl;
use super::stage::Stage;
use super::{Member, Place, Run, before, preflight};
use serde_json::Value;
use std::time::Instant;

pub(super) fn roll_back(run: &mut Run<'_>) -> Result<(), Stop> {
    preflight::check(run)?;
    for stage in Stage::ALL.into_iter().rev() {
        if stage == Stage::Subsets && run.members.iter().any(|member| !member.documents.of(Stage::Routes).is_empty()) {
            settle(run)?;
        }
        remove(run, stage)?;
    }
    Ok(())
}

/// Takes a stage out of every cluster.
fn remove(run: &mut Run<'_>, stage: Stage) -> Result<(), Stop> {
    run.journal.begin(stage.name());
    for Member { cluster, documents } in &run.members {
        run.go_on()?;
        let documents = documents.of(stage);
        if documents.is_empty() {
            continue;
        }
        let back = put_back(cluster, &documents, run.order.dry_run)?;
        let gone = take_out(cluster, &documents, &back, run.order.dry_run)?;
        let would = if run.order.dry_run { "would " } else { "" };
        let part = |verb: &str, titles: &[String]| {
            (!titles.is_empty()).then(|| format!("{would}{verb} {}", titles.join(", ")))
        };
        let parts: Vec<String> = [part("put back", &back), part("remove", &gone)].into_iter().flatten().collect();
        if parts.is_empty() {
            run.journal.saw(cluster.context(), "has nothing of ours");
        } else if run.order.dry_run {
            run.journal.saw(cluster.context(), parts.join("; "));
        } else {
            run.journal.changed(cluster.context(), parts.join("; "));
        }
    }
    Ok(())
}

/// Puts back what was kept; the titles.
fn put_back(cluster: &Kubectl, documents: &[&Document], dry_run: bool) -> Result<Vec<String>, Stop> {
    let kept = before::kept(cluster, documents)?;
    for resource in &kept {
        if dry_run {
            continue;
        }
        let text = resource.to_string();
        let mut said = cluster.run(&["replace", "-f", "-"], Some(&text))?;
        if !said.ok() && said.stderr.contains("NotFound") {
            said = cluster.run(&["create", "-f", "-"], Some(&text))?;
        }
        if !said.ok() {
            let what = format!("{} could not be put back: {}", title(resource), said.why());
            return Err(Stop::failed_in(
                cluster.context(),
                what,
                "it is kept in the cluster; correct what is refused and run this again",
            ));
        }
    }
    if !kept.is_empty() && !dry_run {
        before::forget(cluster, &kept)?;
    }
    Ok(kept.iter().map(title).collect())
}

/// Removes what is ours and had no predecessor; the titles.
fn take_out(cluster: &Kubectl, documents: &[&Document], back: &[String], dry_run: bool) -> Result<Vec<String>, Stop> {
    let present = before::present(cluster, documents)?;
    let ours: Vec<&Value> = present.iter().filter(|one| before::is_ours(one) && !back.contains(&title(one))).collect();
    if !ours.is_empty() && !dry_run {
        let said = cluster.run(&["delete", "--ignore-not-found", "-f", "-"], Some(&list(ours.iter().copied())))?;
        if !said.ok() {
            return Err(Stop::failed_in(
                cluster.context(),
                said.why(),
                "correct what the cluster refuses and run this again",
            ));
        }
    }
    Ok(ours.into_iter().map(title).collect())
}

/// Gives the proxies time to forget the routes.
fn settle(run: &mut Run<'_>) -> Result<(), Stop> {
    run.journal.begin("wait");
    let seconds = run.order.settle.as_secs();
    let would = if run.order.dry_run { "would give" } else { "giving" };
    for Place { context, .. } in &run.order.clusters {
        run.journal.saw(context, format!("{would} the proxies {seconds} s to forget the routes"));
    }
    let end = Instant::now() + run.order.settle;
    while !run.order.dry_run && Instant::now() < end {
        run.go_on()?;
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    Ok(())
}
