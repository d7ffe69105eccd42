//! `services`: the scope of health, and what native routes are made for.

use super::builder::Builder;
use super::reader::{Node, Object};
use crate::hosts::HostPattern;
use crate::ids::ServiceId;
use crate::policy::{Destination, Service};

/// Reads `services`.
pub(super) fn read(root: &Object<'_>, builder: &mut Builder) {
    let Some(list) = root.required("services") else { return };
    let Some(items) = list.list() else { return };
    if items.is_empty() {
        list.error_with("is empty", "at least one service");
    }
    for item in &items {
        match service(item, builder) {
            Some(service) => builder.services.push(service),
            None => builder.add_broken(item.peek("name")),
        }
    }
}

fn service(item: &Node<'_>, builder: &mut Builder) -> Option<Service> {
    let object = item.object(&["name", "hosts", "destination", "probe"])?;
    let id = ServiceId::at(builder.services.len())?;
    let name_node = object.required("name")?;
    let name = name_node.label();
    if let Some(name) = &name
        && builder.services.iter().any(|service| service.name == *name)
    {
        name_node.error_with(format!("there is a service `{name}` already"), "another name");
    }

    let mut hosts = Vec::new();
    let hosts_node = object.required("hosts");
    let items = hosts_node.as_ref().and_then(Node::list);
    if let (Some(node), Some([])) = (&hosts_node, items.as_deref()) {
        node.error_with("names no host", "e.g. `[bookinfo.example.com]`, or `[\"*\"]` for every host");
    }
    for node in items.unwrap_or_default() {
        let Some(pattern) = host(&node) else { continue };
        if builder.add_host(pattern.clone(), id) {
            hosts.push(pattern.to_string());
        } else {
            let message = format!("`{pattern}` already belongs to `{}`", builder.owner(&pattern));
            node.error_with(message, "each host in one service");
        }
    }

    let destination_node = object.required("destination");
    let destination = destination_node.as_ref().and_then(destination);
    if let (Some(node), Some(destination)) = (&destination_node, &destination)
        && let Some(other) = builder.services.iter().find(|other| other.destination.host == destination.host)
    {
        // A sidecar's calls are told apart by the host alone, and so is the health of what is behind it.
        node.error_with(
            format!("`{}` is the destination of `{}` already", destination.host, other.name),
            "one service with the hosts of both",
        );
    }
    let probe = match object.get("probe") {
        Some(node) => Some(probe(&node)?),
        None => None,
    };
    Some(Service { name: name?, hosts, destination: destination?, probe })
}

fn destination(node: &Node<'_>) -> Option<Destination> {
    let object = node.object(&["host", "port"])?;
    let host_node = object.required("host");
    let host = host_node.as_ref().and_then(|node| host(node)).and_then(|pattern| match pattern {
        HostPattern::Exact(host) => Some(host),
        HostPattern::Suffix(_) | HostPattern::Any => {
            if let Some(node) = &host_node {
                node.error("must be one host, without a wildcard");
            }
            None
        }
    });
    let port =
        object.required("port").and_then(|node| node.integer(1, 65_535)).and_then(|port| u16::try_from(port).ok());
    Some(Destination { host: host?, port: port? })
}

/// The path that a probe asks for.
fn probe(node: &Node<'_>) -> Option<String> {
    let object = node.object(&["path"])?;
    let Some(node) = object.get("path") else {
        object.error("path", "is required and missing".to_owned(), "e.g. `/healthz`");
        return None;
    };
    let text = node.text()?;
    let valid = text.starts_with('/')
        && text.len() <= 1_024
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !valid {
        let message = format!("`{text}` is not a path: `/` and up to 1,023 visible ASCII characters without `#`");
        node.error_with(message, "e.g. `/healthz`");
    }
    valid.then(|| text.to_owned())
}

/// A host pattern.
pub(super) fn host(node: &Node<'_>) -> Option<HostPattern> {
    let text = node.text()?;
    let pattern = HostPattern::parse(text);
    if pattern.is_none() {
        let message = format!("`{text}` is not a host");
        node.error_with(message, "a DNS name without a port, `*.` and a DNS name, or `*`");
    }
    pattern
}
