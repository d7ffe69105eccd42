//! `regions` and `fences`.

use super::builder::Builder;
use super::reader::{Node, Object};
use crate::ids::RegionId;
use crate::plan::ScopeName;
use crate::region::Region;
use std::collections::HashMap;

/// Reads `regions`, and makes the scope of all of them, which comes first.
pub(super) fn read(root: &Object<'_>, builder: &mut Builder) {
    let Some(list) = root.required("regions") else { return };
    let Some(items) = list.list() else { return };
    if items.is_empty() {
        list.error_with("is empty", "at least one region");
    }
    if items.len() > usize::from(u16::MAX) {
        list.error_with(format!("has {} regions; at most 65,535 are possible", items.len()), "fewer regions");
        return;
    }
    let mut taken = Taken::default();
    for item in &items {
        match region(item, &mut taken) {
            Some(region) => builder.add_region(region),
            None => builder.add_broken(item.peek("name")),
        }
    }
    let all = (0..builder.regions.len()).filter_map(RegionId::at).collect();
    builder.add_scope(&ScopeName::All, all);
}

/// What may stand only once, with where it stood first.
#[derive(Default)]
struct Taken {
    spellings: HashMap<String, String>,
    clusters: HashMap<String, String>,
    tags: HashMap<String, String>,
}

fn once(taken: &mut HashMap<String, String>, node: &Node<'_>, key: String, owner: &str) -> bool {
    let other = taken.insert(key.clone(), owner.to_owned());
    if let Some(other) = &other {
        node.error_with(format!("`{key}` already stands for region `{other}`"), "a name that stands only once");
    }
    other.is_none()
}

fn region(item: &Node<'_>, taken: &mut Taken) -> Option<Region> {
    let object = item.object(&["name", "clusters", "displayName", "aliases"])?;
    let name_node = object.required("name")?;
    let name = name_node.label();
    let owner = name.clone().unwrap_or_default();
    let is_first = once(&mut taken.spellings, &name_node, owner.clone(), &owner);

    let mut clusters = Vec::new();
    if let Some(node) = object.required("clusters")
        && let Some(items) = node.list()
    {
        if items.is_empty() {
            node.error_with("is empty", "the Istio cluster names (`CLUSTER_ID`) of the region");
        }
        for cluster in &items {
            if let Some(text) = cluster.header_value() {
                once(&mut taken.clusters, cluster, text.clone(), &owner);
                clusters.push(text);
            }
        }
    }
    let mut aliases = Vec::new();
    for alias in object.get("aliases").and_then(|node| node.list()).unwrap_or_default() {
        if let Some(text) = alias.header_value() {
            once(&mut taken.spellings, &alias, text.to_ascii_lowercase(), &owner);
            aliases.push(text);
        }
    }
    let display_name = match object.get("displayName") {
        Some(node) => {
            let text = node.header_value()?;
            once(&mut taken.tags, &node, text.clone(), &owner);
            text
        }
        None => {
            if is_first {
                once(&mut taken.tags, &name_node, owner.clone(), &owner);
            }
            owner
        }
    };
    is_first.then_some(())?;
    Some(Region { name: name?, clusters, display_name, aliases })
}

/// Reads `fences`: named sets of regions, in order.
pub(super) fn read_fences(root: &Object<'_>, builder: &mut Builder) {
    let Some(fences) = root.get("fences").and_then(|node| node.names()) else { return };
    for (name, node) in fences.entries() {
        let Some(items) = node.list() else {
            builder.add_broken(Some(name));
            continue;
        };
        if items.is_empty() {
            node.error_with("is empty", "at least one region");
            builder.add_broken(Some(name));
            continue;
        }
        if !is_label(name) {
            node.error_with(format!("`{name}` is not a name: lower-case letters, digits and `-` inside"), "e.g. `eu`");
            builder.add_broken(Some(name));
            continue;
        }
        let mut order = Vec::new();
        for item in &items {
            let Some(region) = builder.region(item) else { continue };
            if order.contains(&region) {
                item.error_with("stands twice in this fence", "each region once");
            } else {
                order.push(region);
            }
        }
        if let Some(scope) = builder.add_scope(&ScopeName::Named(name.to_owned()), order) {
            builder.fences.insert(name.to_owned(), scope);
        }
    }
}

fn is_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}
