//! Into the clusters.

use super::documents::{list, title};
use super::journal::Stop;
use super::pods::{Selector, hosts, subset_names};
use super::stage::Stage;
use super::{Member, Run, before, module, preflight};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often is looked while waiting.
const LOOK: Duration = Duration::from_millis(500);

pub(super) fn install(run: &mut Run<'_>) -> Result<(), Stop> {
    preflight::check(run)?;
    apply(run, Stage::Subsets)?;
    wait_for_subsets(run)?;
    apply(run, Stage::Edge)?;
    apply(run, Stage::Routes)?;
    apply(run, Stage::Module)?;
    module::wait(run)?;
    apply(run, Stage::Filter)?;
    module::drop_former(run)?;
    apply(run, Stage::Locks)?;
    verify(run)
}

/// Applies a stage in every cluster.
fn apply(run: &mut Run<'_>, stage: Stage) -> Result<(), Stop> {
    run.journal.begin(stage.name());
    let (dry_run, take_over) = (run.order.dry_run, run.order.take_over);
    for Member { cluster, documents } in &run.members {
        run.go_on()?;
        let documents = documents.of(stage);
        if documents.is_empty() {
            continue;
        }
        let (resources, count) = match stage {
            Stage::Module => (list(&module::beside_former(cluster, &documents)?), documents.len()),
            _ => (list(documents.iter().map(|document| document.value())), documents.len()),
        };
        let titles: Vec<String> = documents.iter().map(|document| document.title()).collect();
        let kept = before::keep(cluster, &documents, dry_run)?;
        if !kept.is_empty() {
            let kept = kept.join(", ");
            if dry_run {
                run.journal.saw(cluster.context(), format!("would keep {kept} for a way back"));
            } else {
                run.journal.changed(cluster.context(), format!("kept {kept} for a way back"));
            }
        }
        let said = cluster.apply(&resources, dry_run, take_over)?;
        if !said.ok() {
            return Err(refused(cluster.context(), &said.why()));
        }
        let titles = titles.join(", ");
        if dry_run {
            run.journal.saw(cluster.context(), format!("would apply {count}: {titles}"));
        } else {
            run.journal.changed(cluster.context(), format!("applied {count}: {titles}"));
        }
    }
    Ok(())
}

fn refused(context: &str, why: &str) -> Stop {
    let remedy = if why.contains("conflict") {
        "somebody else has set these fields; if ours are to replace them, run this again with --take-over, which keeps theirs for a rollback"
    } else if why.contains("no matches for kind") {
        "install Istio in this cluster and run this again"
    } else {
        "correct what the cluster refuses and run this again"
    };
    Stop::failed_in(context, why, remedy)
}

/// Until every cluster has the subsets, and every east-west gateway knows them.
fn wait_for_subsets(run: &mut Run<'_>) -> Result<(), Stop> {
    run.journal.begin("wait");
    // A route of any cluster may lead to the gateway of any other.
    let mut names: Vec<String> = run.members.iter().flat_map(|member| subset_names(&member.documents)).collect();
    names.sort();
    names.dedup();
    if run.order.gateways.is_empty() {
        names.clear();
    }
    let selector = Selector::read(&run.order.gateways);
    if run.order.dry_run {
        for Member { cluster, documents } in &run.members {
            let documents = documents.of(Stage::Subsets);
            let gateways = if names.is_empty() { String::new() } else { format!(", and each pod {}", selector.labels) };
            run.journal.saw(cluster.context(), format!("would wait until it has all {}{gateways}", documents.len()));
        }
        return Ok(());
    }
    for Member { cluster, documents } in &run.members {
        let documents = documents.of(Stage::Subsets);
        patiently(
            run,
            || {
                let found = before::present(cluster, &documents)?;
                let missing = documents
                    .iter()
                    .find(|document| !found.iter().any(|one| title(one) == document.title() && before::is_ours(one)));
                Ok(missing.map(|document| format!("it has no {}", document.title())))
            },
            "check who removes it there, and run this again",
        )
        .map_err(|stop| at(cluster.context(), stop))?;
        let gateways = if names.is_empty() { Vec::new() } else { selector.pods(cluster)? };
        for gateway in &gateways {
            patiently(
                run,
                || {
                    let said = gateway.ask(cluster, "clusters")?;
                    if !said.ok() {
                        return Ok(Some(format!("{} does not answer: {}", gateway.title(), said.why())));
                    }
                    let missing = names.iter().find(|name| !said.stdout.contains(name.as_str()));
                    Ok(missing.map(|name| format!("{} does not know {name}", gateway.title())))
                },
                "check that istiod runs there and that the service exists in this cluster too, and run this again",
            )
            .map_err(|stop| at(cluster.context(), stop))?;
        }
        let asked = match gateways.len() {
            0 if names.is_empty() => String::new(),
            0 => format!("; no pod has the labels {}, so none was asked", selector.labels),
            count => format!(", and {count} east-west gateways know them"),
        };
        run.journal.saw(cluster.context(), format!("has all {}{asked}", documents.len()));
    }
    Ok(())
}

/// That the clusters have what was applied, and that the filter runs.
fn verify(run: &mut Run<'_>) -> Result<(), Stop> {
    run.journal.begin("verify");
    for Member { cluster, documents } in &run.members {
        run.go_on()?;
        let (resources, hosts) = (list(documents.all().iter().map(|document| document.value())), hosts(documents));
        if run.order.dry_run {
            run.journal.saw(cluster.context(), "would compare what it has, and ask each filter for its counts");
            continue;
        }
        let said = cluster.diff(&resources, run.order.take_over)?;
        match said.code {
            Some(0) => {}
            Some(1) => {
                let what = format!("it has not what was applied:\n{}", said.why());
                return Err(Stop::failed_in(cluster.context(), what, "check who changes it there, and run this again"));
            }
            _ => return Err(Stop::failed_in(cluster.context(), said.why(), "run this again")),
        }
        let mut running = 0;
        for pod in hosts.iter().map(|host| host.selector.pods(cluster)).collect::<Result<Vec<_>, _>>()?.iter().flatten()
        {
            patiently(
                run,
                || {
                    let said = pod.ask(cluster, "stats?filter=meridian_")?;
                    let runs = said.ok() && said.stdout.contains("meridian_");
                    Ok((!runs).then(|| format!("the filter does not run in {}", pod.title())))
                },
                "read that pod's log for `wasm` and `rejected`; traffic goes by the routes alone until it does",
            )
            .map_err(|stop| at(cluster.context(), stop))?;
            running += 1;
        }
        run.journal.saw(cluster.context(), format!("has all of it, and the filter runs in {running} pods"));
    }
    Ok(())
}

/// Looks until nothing is missing, but not for ever.
pub(super) fn patiently(
    run: &Run<'_>,
    mut missing: impl FnMut() -> Result<Option<String>, Stop>,
    remedy: &str,
) -> Result<(), Stop> {
    let deadline = Instant::now() + run.order.timeout;
    loop {
        run.go_on()?;
        let Some(what) = missing()? else { return Ok(()) };
        if Instant::now() >= deadline {
            return Err(Stop::failed(format!("{what}, after {} s", run.order.timeout.as_secs()), remedy));
        }
        sleep(LOOK);
    }
}

/// The same stop, in a cluster.
pub(super) fn at(context: &str, stop: Stop) -> Stop {
    match stop {
        Stop::Failed { context: None, what, remedy } => Stop::failed_in(context, what, remedy),
        other => other,
    }
}
