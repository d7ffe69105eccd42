//! Plans: the native targets a request can be sent to.
//!
//! A plan is a region to try first and a [`Scope`], the ordered set of regions it may be served in at all; Envoy's own retry moves on
//! inside it. Since the endpoints behind a plan are exactly the scope's, choosing a plan is choosing a fence: no mistake in a decision
//! can leave it. Rules share scopes (all regions, one per fence), so their number grows with the fences and not with the rules.

use crate::ids::{RegionId, ScopeId};
use crate::region::Region;

/// An ordered, non-empty set of regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    order: Box<[RegionId]>,
    /// Sorted, each with the name of the plan that tries it first.
    members: Box<[(RegionId, Box<str>)]>,
}

/// What distinguishes the plans of one scope from another's by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ScopeName {
    /// Every region: `prefer-<region>`.
    All,
    /// One region: `only-<region>`.
    Single,
    /// A fence, or a rule's restricted failover: `prefer-<region>-in-<name>`.
    Named(String),
}

impl Scope {
    pub(crate) fn new(name: &ScopeName, order: Vec<RegionId>, regions: &[Region]) -> Self {
        let name = if order.len() == 1 { &ScopeName::Single } else { name };
        let mut members = order.clone();
        members.sort_unstable();
        let plan = |region: RegionId| Some((region, name.plan(&regions.get(region.index())?.name).into_boxed_str()));
        Self { order: order.into(), members: members.into_iter().filter_map(plan).collect() }
    }

    /// Whether the region is inside.
    #[must_use]
    pub fn contains(&self, region: RegionId) -> bool {
        self.plan_name(region).is_some()
    }

    /// The regions in the order of failover.
    #[must_use]
    pub fn order(&self) -> &[RegionId] {
        &self.order
    }

    /// `first`, then the others in order: what a plan of this scope tries.
    pub fn order_from(&self, first: RegionId) -> impl Iterator<Item = RegionId> + '_ {
        std::iter::once(first).chain(self.order.iter().copied().filter(move |region| *region != first))
    }

    /// Every plan of the scope: its first region and its name.
    pub fn plans(&self) -> impl Iterator<Item = (RegionId, &str)> {
        self.members.iter().map(|(region, name)| (*region, name.as_ref()))
    }

    /// The name of the plan that tries `first` first; `None` if it is outside.
    #[must_use]
    pub fn plan_name(&self, first: RegionId) -> Option<&str> {
        // In the scope of every region each stands where its number says.
        let found = match self.members.get(first.index()) {
            Some((region, name)) if *region == first => return Some(name),
            _ => self.members.binary_search_by_key(&first, |(region, _)| *region).ok()?,
        };
        self.members.get(found).map(|(_, name)| name.as_ref())
    }
}

impl ScopeName {
    fn plan(&self, first: &str) -> String {
        match self {
            Self::All => format!("prefer-{first}"),
            Self::Single => format!("only-{first}"),
            Self::Named(name) => format!("prefer-{first}-in-{name}"),
        }
    }
}

/// A native route target: a region to try first, inside a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Plan {
    /// The regions it may be served in.
    pub scope: ScopeId,
    /// The region that is tried first.
    pub first: RegionId,
}
