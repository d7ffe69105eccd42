//! From an arm to its part of the bootstrap.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use meridian::policy_file::PolicyFile;
use meridian::render;
use meridian::site::{Endpoint, Node, Site};
use serde_json::{Value, json};

use super::{Name, Region, Surroundings, plain, policy};

const MANAGER: &str = "/filter_chains/0/filters/0/typed_config";

/// What is being built.
pub(super) struct Build<'a> {
    pub(super) around: &'a Surroundings,
    pub(super) name: Name,
    pub(super) lost: bool,
    pub(super) id: &'a str,
    pub(super) address: SocketAddr,
}

impl Build<'_> {
    /// The listener and its clusters.
    pub(super) fn listener(&self) -> Result<(Value, Vec<Value>)> {
        let policy = policy::policy(self.name, self.lost, self.id)?;
        let (mut listener, clusters) = self.rendered(&policy)?;
        let id = Value::from(self.id);
        listener.as_object_mut().context("A listener is an object.")?.insert("name".to_owned(), id.clone());
        let manager = listener.pointer_mut(MANAGER).and_then(Value::as_object_mut);
        let manager = manager.context("The listener has no connection manager.")?;
        manager.insert("stat_prefix".to_owned(), id.clone());
        if let Some(filter) = manager.get_mut("http_filters").and_then(|filters| filters.get_mut(0))
            && let Some(vm_id) = filter.pointer_mut("/typed_config/config/vm_config/vm_id")
        {
            // A VM of its own, so that nothing one arm learns reaches another.
            *vm_id = id;
        }
        if let Name::Without(part) = self.name {
            listener.pointer_mut(MANAGER).into_iter().for_each(|manager| part.take_out(manager));
        } else if !self.name.is_rendered() {
            let names: Vec<&str> = clusters.iter().filter_map(|cluster| cluster["name"].as_str()).collect();
            let plan = |region: Region| {
                let plan = format!("|prefer-{}|", region.name());
                names.iter().copied().find(|name| name.contains(&plan)).context("The policy has not both plans.")
            };
            let arm = plain::Arm { name: self.name, home: plan(Region::West)?, away: plan(Region::East)? };
            manager.insert("http_filters".to_owned(), arm.http_filters(self.around, self.id)?);
            manager.insert(
                "route_config".to_owned(),
                json!({"name": self.id, "virtual_hosts": [
                    {"name": "bench", "domains": ["*"], "routes": arm.routes()},
                ]}),
            );
            manager.remove("early_header_mutation_extensions");
        }
        Ok((listener, clusters))
    }

    /// What `meridian render envoy` writes for the policy.
    fn rendered(&self, policy: &str) -> Result<(Value, Vec<Value>)> {
        let node = Node { id: "bench".to_owned(), cluster: "west".to_owned(), region: None };
        let mut site = Site {
            node,
            listen: self.address,
            admin: self.address,
            module: (self.name.is_meridian() && self.name.is_rendered()).then(|| self.around.module.clone()),
            endpoints: Vec::new(),
        };
        let file = PolicyFile::parse(self.id, policy, &render::hints(&site))?;
        let known = Region::ALL.into_iter().filter(|region| file.policy.region_named(region.name()).is_some());
        for region in known {
            let lost = self.lost && region == Region::West;
            site.endpoints.push(Endpoint {
                service: "bench".to_owned(),
                region: region.name().to_owned(),
                address: if lost { self.around.nobody() } else { self.around.upstream(region) },
                workload: format!("bench-v1;default;bench;v1;{}", region.tag().to_ascii_lowercase()),
            });
        }
        let bootstrap = serde_json::to_value(render::bootstrap(&file, &site)?)?;
        let part = |path: &str| bootstrap.pointer(path).cloned().context("The bootstrap is not whole.");
        let clusters = part("/static_resources/clusters")?.as_array().cloned().unwrap_or_default();
        Ok((part("/static_resources/listeners/0")?, clusters))
    }
}
