//! The file of the module: Envoy looks for it once, so it has to be there first and to stay until nobody looks for it any more.
//!
//! Another module is another file name, and between the ConfigMap and the last proxy that has heard of the new name there are proxies that
//! are told, or start with, the old one. So the ConfigMap holds both files for that time: what is in it already stays when ours comes in,
//! and goes when every proxy that it is mounted for has been asked and names another. One that was interrupted in between is finished by
//! the next run, because what has to go is read from the cluster and not from anybody's memory.

use super::documents::{Document, list, text};
use super::forward::{at, patiently};
use super::journal::Stop;
use super::kubectl::Kubectl;
use super::pods::{hosts, proxies};
use super::stage::Stage;
use super::{Member, Run, before};
use serde_json::{Map, Value};

/// What a ConfigMap holds at most, as the API server counts it.
const LIMIT: usize = 1 << 20;
/// Where a proxy lists the filters that were discovered, and with them the files they are made from.
const FILTERS: &str = "config_dump?resource=ecds_filters";

/// Documents as they are to be applied while proxies may still look for the files of an earlier installation.
pub(super) fn beside_former(cluster: &Kubectl, documents: &[&Document]) -> Result<Vec<Value>, Stop> {
    let present = before::present(cluster, documents)?;
    let both = documents.iter().map(|document| {
        let (mut both, former) = (document.value().clone(), former(document, &present));
        if let Some(held) = both.get_mut("binaryData").and_then(Value::as_object_mut) {
            held.extend(former);
            if size(held) > LIMIT {
                let what = format!("{} would hold too many modules of earlier installations", document.title());
                let remedy = "take those files out of it that no proxy runs, and run this again";
                return Err(Stop::failed_in(cluster.context(), what, remedy));
            }
        }
        Ok(both)
    });
    both.collect()
}

/// Takes former files out when no proxy runs them.
pub(super) fn drop_former(run: &mut Run<'_>) -> Result<(), Stop> {
    run.journal.begin("tidy");
    for Member { cluster, documents } in &run.members {
        run.go_on()?;
        let module = documents.of(Stage::Module);
        let present = before::present(cluster, &module)?;
        for document in module {
            let files: Vec<String> = former(document, &present).into_iter().map(|(file, _)| file).collect();
            if files.is_empty() {
                continue;
            }
            let (title, dropped) = (document.title(), files.join(", "));
            if run.order.dry_run {
                run.journal.saw(cluster.context(), format!("would drop {dropped} from {title} when no proxy runs it"));
                continue;
            }
            let here = |namespace: &str| document.namespace() == Some(namespace);
            for selector in proxies(documents).iter().filter(|proxies| proxies.namespace.as_deref().is_some_and(here)) {
                for pod in &selector.pods(cluster)? {
                    patiently(
                        run,
                        || {
                            let said = pod.ask(cluster, FILTERS)?;
                            // Neither a pod that is gone nor a proxy without such filters runs one.
                            let none = said.why().contains("not found") || said.why().contains("404");
                            if !said.ok() && !none {
                                return Ok(Some(format!("{} does not answer: {}", pod.title(), said.why())));
                            }
                            let still = files.iter().find(|file| said.stdout.contains(file.as_str()));
                            Ok(still.map(|file| format!("{} still runs {file}", pod.title())))
                        },
                        "nothing is lost, because both files are in place; read that pod's log for `wasm`, and run this again",
                    )
                    .map_err(|stop| at(cluster.context(), stop))?;
                }
            }
            let said = cluster.apply(&list([document.value()]), false, run.order.take_over)?;
            if !said.ok() {
                return Err(Stop::failed_in(cluster.context(), said.why(), "run this again"));
            }
            run.journal.changed(cluster.context(), format!("no proxy runs {dropped}: dropped from {title}"));
        }
    }
    Ok(())
}

/// Until the file is where the filter will look for it.
pub(super) fn wait(run: &mut Run<'_>) -> Result<(), Stop> {
    run.journal.begin("wait");
    for Member { cluster, documents } in &run.members {
        for host in &hosts(documents) {
            let Some(file) = &host.file else { continue };
            if run.order.dry_run {
                run.journal
                    .saw(cluster.context(), format!("would wait for {file} in each pod {}", host.selector.labels));
                continue;
            }
            let pods = host.selector.pods(cluster)?;
            for pod in &pods {
                patiently(
                    run,
                    || {
                        let said = pod.exec(cluster, &["test", "-f", file])?;
                        // A proxy without a shell's tools cannot tell; the last step does, by what the filter counts.
                        let silent = matches!(said.code, Some(126 | 127));
                        Ok((!said.ok() && !silent).then(|| format!("{} has no {file}", pod.title())))
                    },
                    "mount the ConfigMap of the module into this pod's proxy (README: Install), and run this again",
                )
                .map_err(|stop| at(cluster.context(), stop))?;
            }
            run.journal.saw(cluster.context(), format!("{} pods {} have the module", pods.len(), host.selector.labels));
        }
    }
    Ok(())
}

/// The files of modules that a ConfigMap of ours has in a cluster, and not in the manifests.
fn former(document: &Document, present: &[Value]) -> Map<String, Value> {
    let place = |value: &Value| (text(value, "/metadata/namespace"), text(value, "/metadata/name"));
    let files = |value: &Value| value.get("binaryData").and_then(Value::as_object).cloned().unwrap_or_default();
    let (wanted, found) = (place(document.value()), present.iter().filter(|one| before::is_ours(one)));
    let (mut former, ours) = (Map::new(), files(document.value()));
    for one in found.filter(|one| place(one) == wanted) {
        former.extend(files(one).into_iter().filter(|(file, _)| file.ends_with(".wasm") && !ours.contains_key(file)));
    }
    former
}

/// How much a ConfigMap holds, of which its text is four thirds.
fn size(held: &Map<String, Value>) -> usize {
    held.values().filter_map(Value::as_str).map(|base64| base64.len() / 4 * 3).sum()
}
