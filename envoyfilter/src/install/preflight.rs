//! Before anything is touched: that it can be finished.

use super::documents::{Document, Documents};
use super::journal::Stop;
use super::kubectl::{Kubectl, alone};
use super::pods::{Selector, proxies};
use super::{Direction, Member, Place, Run};
use std::collections::BTreeSet;

/// Checks `kubectl`, every context, and what we may do in each.
pub(super) fn check(run: &mut Run<'_>) -> Result<(), Stop> {
    run.journal.begin("preflight");
    let said = alone(&["config", "get-contexts", "-o", "name"])?;
    if !said.ok() {
        return Err(Stop::failed(
            format!("kubectl cannot read its configuration: {}", said.why()),
            "repair it and run this again",
        ));
    }
    let known: Vec<&str> = said.stdout.lines().map(str::trim).collect();
    for Place { context, .. } in &run.order.clusters {
        if !known.contains(&context.as_str()) {
            let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Stop::failed_in(
                context,
                "kubectl has no such context",
                format!("give one of those it has: {list}"),
            ));
        }
    }
    for Member { cluster, documents } in &run.members {
        run.go_on()?;
        let asked = permissions(documents, run.order.direction, &run.order.gateways);
        for (verb, resource, namespace) in &asked {
            may(cluster, verb, resource, namespace.as_deref())?;
        }
        run.journal.saw(cluster.context(), format!("answers, and grants all {} permissions", asked.len()));
    }
    Ok(())
}

type Permission = (&'static str, String, Option<String>);

/// What will be asked of a cluster that not everybody may who may look at it.
fn permissions(documents: &Documents, direction: Direction, gateways: &str) -> BTreeSet<Permission> {
    let verbs: &[&'static str] = match direction {
        Direction::Install => &["get", "create", "patch"],
        Direction::Rollback => &["get", "create", "update", "delete"],
    };
    let mut asked = BTreeSet::new();
    for document in documents.all() {
        let namespace = document.namespace().map(str::to_owned);
        asked.extend(verbs.iter().map(|verb| (*verb, document.resource(), namespace.clone())));
        let keeper = || "configmaps".to_owned();
        asked.extend(verbs.iter().map(|verb| (*verb, keeper(), Some(kept_in(document)))));
    }
    if direction == Direction::Install {
        // Where proxies are asked, and nowhere else.
        let gateways = Some(Selector::read(gateways)).filter(|gateways| !gateways.labels.is_empty());
        for Selector { namespace, .. } in proxies(documents).into_iter().chain(gateways) {
            asked.insert(("list", "pods".to_owned(), namespace.clone()));
            // Which `kubectl exec` does first.
            asked.insert(("get", "pods".to_owned(), namespace.clone()));
            asked.insert(("create", "pods/exec".to_owned(), namespace));
        }
    }
    asked
}

fn kept_in(document: &Document) -> String {
    document.namespace().unwrap_or("istio-system").to_owned()
}

fn may(cluster: &Kubectl, verb: &str, resource: &str, namespace: Option<&str>) -> Result<(), Stop> {
    let place = namespace.map_or(vec!["--all-namespaces"], |namespace| vec!["-n", namespace]);
    // With a slash it would ask about one resource of that name.
    let (kind, part) = resource.split_once('/').map_or((resource, None), |(kind, part)| (kind, Some(part)));
    let part = part.map(|part| format!("--subresource={part}"));
    let asked = [&["auth", "can-i", verb, kind], place.as_slice(), part.as_deref().as_slice()].concat();
    let said = cluster.run(&asked, None)?;
    if said.ok() {
        return Ok(());
    }
    if said.stdout.trim() == "no" {
        let place =
            namespace.map_or_else(|| "the whole cluster".to_owned(), |namespace| format!("the namespace {namespace}"));
        let what = format!("you may not {verb} {resource} in {place}");
        return Err(Stop::failed_in(cluster.context(), what, "ask for that permission and run this again"));
    }
    let what = format!("the cluster does not answer: {}", said.why());
    Err(Stop::failed_in(
        cluster.context(),
        what,
        "check the context, the network and your credentials, and run this again",
    ))
}
