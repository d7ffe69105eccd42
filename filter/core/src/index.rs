//! Where the parts of a policy are found by what the network calls them.
//!
//! Regions have names, tags and clusters, services have destinations, and a response brings any of them as bytes. Everything here is
//! made from the policy's lists when it is compiled, so that what one request costs does not depend on how long they are.

use crate::ids::{RegionId, RuleId, ScopeId, ServiceId};
use crate::names::{Case, NameMap};
use crate::plan::{Plan, Scope};
use crate::policy::Service;
use crate::region::Region;
use crate::rule::Rule;

/// Positions by name.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    spellings: NameMap,
    tags: NameMap,
    clusters: NameMap,
    services: NameMap,
    destinations: NameMap,
    rules: NameMap,
    plans: NameMap,
}

impl Index {
    pub(crate) fn new(regions: &[Region], services: &[Service], rules: &[Rule], scopes: &[Scope]) -> Self {
        let spellings = regions.iter().zip(0..).flat_map(|(region, id)| region.spellings().map(move |name| (name, id)));
        let clusters =
            regions.iter().zip(0..).flat_map(|(region, id)| region.clusters.iter().map(move |name| (name, id)));
        let plans = scopes
            .iter()
            .zip(0..)
            .flat_map(|(scope, id)| scope.plans().map(move |(first, name)| (name, u32::from(first.0) << 16 | id)));
        Self {
            spellings: NameMap::new(Case::Ignored, spellings),
            tags: NameMap::new(Case::Kept, regions.iter().map(|region| &region.display_name).zip(0..)),
            clusters: NameMap::new(Case::Kept, clusters),
            services: NameMap::new(Case::Kept, services.iter().map(|service| &service.name).zip(0..)),
            destinations: NameMap::new(Case::Kept, services.iter().map(|service| &service.destination.host).zip(0..)),
            rules: NameMap::new(Case::Kept, rules.iter().map(|rule| &rule.name).zip(0..)),
            plans: NameMap::new(Case::Kept, plans),
        }
    }

    /// The region that a client calls this, by its name or an alias.
    pub(crate) fn spelled(&self, spelling: &[u8]) -> Option<RegionId> {
        self.spellings.get(spelling).and_then(region)
    }

    /// The region that tags its responses with this.
    pub(crate) fn tagged(&self, tag: &[u8]) -> Option<RegionId> {
        self.tags.get(tag).and_then(region)
    }

    /// The region that the Istio cluster belongs to.
    pub(crate) fn of_cluster(&self, cluster: &[u8]) -> Option<RegionId> {
        self.clusters.get(cluster).and_then(region)
    }

    /// The service of this name.
    pub(crate) fn service(&self, name: &[u8]) -> Option<ServiceId> {
        self.services.get(name).and_then(service)
    }

    /// The first service with a destination at this host that is accepted.
    pub(crate) fn service_at(&self, host: &[u8], accepts: &dyn Fn(ServiceId) -> bool) -> Option<ServiceId> {
        self.destinations.find(host, &|id| service(id).is_some_and(accepts)).and_then(service)
    }

    /// The rule of this name.
    pub(crate) fn rule(&self, name: &[u8]) -> Option<RuleId> {
        self.rules.get(name).and_then(|id| RuleId::at(id as usize))
    }

    /// The plan of this name; of two that are the same under different scopes, the first.
    pub(crate) fn plan(&self, name: &[u8]) -> Option<Plan> {
        let both = self.plans.get(name)?;
        Some(Plan { first: region(both >> 16)?, scope: ScopeId::at((both & 0xffff) as usize)? })
    }
}

fn region(position: u32) -> Option<RegionId> {
    RegionId::at(position as usize)
}

fn service(position: u32) -> Option<ServiceId> {
    ServiceId::at(position as usize)
}
