//! `drills`, and the `only-` plans that drilled requests take.

use super::builder::Builder;
use super::reader::{Node, Object};
use super::time;
use crate::drill::{Drill, MOST};
use crate::policy::Timestamp;

/// Reads `drills`.
pub(super) fn read(root: &Object<'_>, builder: &mut Builder) -> Vec<Drill> {
    let Some(list) = root.get("drills") else { return Vec::new() };
    let items = list.list().unwrap_or_default();
    if items.len() > MOST {
        list.error_with(format!("has {} drills; at most {MOST} are watched at once", items.len()), "fewer drills");
        return Vec::new();
    }
    let mut drills: Vec<Drill> = Vec::new();
    for item in &items {
        if let Some(drill) = drill(item, builder, &drills) {
            drills.push(drill);
        }
    }
    if !drills.is_empty() {
        single_plans(builder);
    }
    drills
}

fn drill(item: &Node<'_>, builder: &Builder, before: &[Drill]) -> Option<Drill> {
    let object = item.object(&["name", "region", "services", "percent", "from", "until"])?;
    let name_node = object.required("name");
    let name = name_node.as_ref().and_then(Node::label);
    if let (Some(node), Some(name)) = (&name_node, &name)
        && before.iter().any(|drill| drill.name == *name)
    {
        node.error_with(format!("there is a drill `{name}` already"), "another name");
    }
    let region = object.required("region").and_then(|node| builder.region(&node));
    let services = object.get("services").and_then(|node| node.list()).unwrap_or_default();
    let services = services.iter().filter_map(|node| builder.service(node)).collect();
    let percent = object.required("percent").and_then(|node| node.integer(1, 100));
    let from = object.required("from").as_ref().and_then(when);
    let until_node = object.required("until");
    let until = until_node.as_ref().and_then(when);
    if let (Some(node), Some(from), Some(until)) = (&until_node, from, until)
        && until <= from
    {
        node.error_with("is not after `from`", "a later time");
    }
    let percent = u8::try_from(percent?).ok()?;
    Some(Drill { name: name?, region: region?, services, percent, from: from?, until: until? })
}

fn when(node: &Node<'_>) -> Option<Timestamp> {
    let text = node.text()?;
    let time = time::parse(text);
    if time.is_none() {
        node.error_with(format!("`{text}` is not a time"), "e.g. `2026-11-20T10:00:00Z`");
    }
    time
}

/// Gives every rule a plan for each of its regions alone.
fn single_plans(builder: &mut Builder) {
    let singles = builder.singles();
    for rule in &mut builder.rules {
        let Some(scope) = builder.scopes.get(rule.scope.index()) else { continue };
        rule.singles = singles.iter().copied().filter(|(region, _)| scope.contains(*region)).collect();
    }
}
