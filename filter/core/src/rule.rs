//! A rule: which requests it is about, and what holds for them. The first rule that matches decides.

use crate::claim::ClaimMatch;
use crate::hosts::HostPattern;
use crate::ids::{RegionId, ScopeId, ServiceId};
use crate::request::{Lines, RequestFacts};
use std::time::Duration;

/// A compiled rule. The implied last rule of every host is one as well, named `default`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique in the policy.
    pub name: String,
    /// The requests it is about, beside its hosts and services, which virtual hosts hold.
    pub matches: RuleMatch,
    /// The services and hosts it is about.
    pub applies: Applies,
    /// Whether the scope is a fence, i.e. whether leaving it is forbidden rather than impossible.
    pub fenced: bool,
    /// The regions a request may be served in.
    pub(crate) scope: ScopeId,
    /// The region for a request that asks for none: the local one if inside, else the scope's first.
    pub(crate) home: RegionId,
    /// Scopes of wanted regions whose failover is restricted or ordered otherwise; sorted by region.
    pub(crate) restricted: Box<[(RegionId, ScopeId)]>,
    /// A scope of its own for each region inside, sorted; only where drills need them.
    pub(crate) singles: Box<[(RegionId, ScopeId)]>,
    /// How requests that ask for no region are shared out, instead of all going home.
    pub(crate) split: Option<Split>,
    /// The whole request ends by then.
    pub timeout: Duration,
    /// What Envoy tries again by itself; `None`: nothing beyond the user's own retries.
    pub rescue: Option<Rescue>,
    /// What becomes of a request for a region that does not exist.
    pub on_unknown_region: OnUnknownRegion,
    /// What becomes of a request when every region of its scope is ejected.
    pub when_exhausted: WhenExhausted,
}

impl Rule {
    /// The scope of a request that wants `want`.
    #[must_use]
    pub fn scope_for(&self, want: RegionId) -> ScopeId {
        let found = self.restricted.binary_search_by_key(&want, |(region, _)| *region);
        found.ok().and_then(|index| self.restricted.get(index)).map_or(self.scope, |(_, scope)| *scope)
    }

    /// The scope of the region alone, where there is one.
    #[must_use]
    pub fn single(&self, region: RegionId) -> Option<ScopeId> {
        let found = self.singles.binary_search_by_key(&region, |(region, _)| *region);
        found.ok().and_then(|index| self.singles.get(index)).map(|(_, scope)| *scope)
    }

    /// The region for a request that asks for none.
    #[must_use]
    pub fn home(&self) -> RegionId {
        self.home
    }

    /// How requests that ask for no region are shared out; `None`: they all go home.
    #[must_use]
    pub fn split(&self) -> Option<&Split> {
        self.split.as_ref()
    }

    /// Wanted regions whose failover is restricted or ordered otherwise, sorted, each with the scope of its requests.
    #[must_use]
    pub fn failovers(&self) -> &[(RegionId, ScopeId)] {
        &self.restricted
    }

    /// The scope of a request whose wanted region has no failover of its own.
    #[must_use]
    pub fn scope(&self) -> ScopeId {
        self.scope
    }

    /// Every scope a request under this rule can end up in, each once.
    pub fn scopes(&self) -> impl Iterator<Item = ScopeId> + '_ {
        let others = self.restricted.iter().chain(&self.singles);
        std::iter::once(self.scope).chain(others.map(|(_, scope)| *scope))
    }
}

/// The services and hosts that a rule is about; empty: all. Requests are matched by the virtual hosts made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applies {
    pub(crate) services: Vec<ServiceId>,
    pub(crate) hosts: Vec<HostPattern>,
}

impl Applies {
    /// One of these services; empty: all.
    #[must_use]
    pub fn services(&self) -> &[ServiceId] {
        &self.services
    }

    /// One of these hosts, each `a.example.com`, `*.example.com` or `*`; none: all.
    pub fn hosts(&self) -> impl Iterator<Item = String> + '_ {
        self.hosts.iter().map(HostPattern::to_string)
    }
}

/// `distribute`: shares of requests by region, as the native table's weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    shares: Box<[(RegionId, u8)]>,
}

impl Split {
    /// Shares in percent; `None` unless they are above 0 and add up to 100.
    #[must_use]
    pub fn new(shares: Vec<(RegionId, u8)>) -> Option<Self> {
        let whole: u32 = shares.iter().map(|(_, percent)| u32::from(*percent)).sum();
        let valid = whole == 100 && shares.iter().all(|(_, percent)| *percent > 0);
        valid.then(|| Self { shares: shares.into() })
    }

    /// Each region with its share in percent.
    #[must_use]
    pub fn shares(&self) -> &[(RegionId, u8)] {
        &self.shares
    }

    /// The region that a random number falls to; every number is as likely as any other.
    #[must_use]
    pub fn pick(&self, random: u32) -> Option<RegionId> {
        let mut left = random % 100;
        for (region, percent) in &self.shares {
            match left.checked_sub(u32::from(*percent)) {
                Some(rest) => left = rest,
                None => return Some(*region),
            }
        }
        None
    }
}

/// What Envoy's own retry rescues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescue {
    /// Tries after the first.
    pub attempts: u32,
    /// One try ends by then.
    pub per_try_timeout: Duration,
    /// Requests that may be sent twice.
    pub methods: Vec<Method>,
}

/// An HTTP method: upper-case letters and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method(String);

impl Method {
    /// Parses a method, e.g. `GET`; `None` where it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let valid =
            (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        valid.then(|| Self(text.to_owned()))
    }

    /// The method as it stands in a request.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What becomes of a request that asks for a region that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnknownRegion {
    /// It is treated as if it had asked for none.
    #[default]
    Ignore,
    /// It is answered with 400.
    Reject,
}

/// What becomes of a request when no region of its scope is usable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenExhausted {
    /// It is sent to the wanted region all the same.
    #[default]
    Preferred,
    /// It is answered with 503.
    Fail,
}

/// The requests of its hosts that a rule is about; empty parts match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleMatch {
    /// The path begins with this, byte for byte, as in Envoy's `prefix`. Empty or `/`: every path.
    pub path_prefix: String,
    /// One of these.
    pub methods: Vec<Method>,
    /// All of these.
    pub headers: Vec<HeaderMatch>,
    /// And all of these.
    pub claims: Vec<ClaimMatch>,
}

/// A header that must have one exact value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Lower-case.
    pub name: String,
    /// The one value.
    pub exact: String,
    /// The mesh sets it and the edge strips it, so that a client cannot choose.
    pub trusted: bool,
}

impl RuleMatch {
    /// Whether the rule is about every request of its hosts.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        (self.path_prefix.is_empty() || self.path_prefix == "/")
            && self.methods.is_empty()
            && self.headers.is_empty()
            && self.claims.is_empty()
    }

    /// Whether the rule is about this request. A header that comes in several lines equals nothing.
    #[must_use]
    pub fn matches(&self, request: &RequestFacts<'_>) -> bool {
        request.path().starts_with(self.path_prefix.as_bytes())
            && (self.methods.is_empty()
                || self.methods.iter().any(|method| method.as_str().as_bytes() == request.method()))
            && self.headers.iter().all(|header| request.header(&header.name) == Lines::One(header.exact.as_bytes()))
            // Last, because asking costs a call of the host.
            && self.claims.iter().all(|claim| request.claims().holds(claim))
    }
}
