//! The compiled policy: every name resolved, every order computed, nothing left that could be wrong.
//!
//! It is built by [`compile`](crate::compile) alone and never changes, so that the hot path only looks up. What a request costs does
//! not depend on how many regions, hosts or services there are: whatever comes by name is found by hash, a plan's name is computed here.

use crate::drill::Drill;
use crate::explain::Explain;
use crate::fnv::fnv1a;
use crate::header_names::HeaderNames;
use crate::health::{CellKey, HealthSettings, OutlierDetection};
use crate::hosts::{HostPattern, HostTable};
use crate::ids::{RegionId, RuleId, ScopeId, ServiceId};
use crate::index::Index;
use crate::plan::{Plan, Scope};
use crate::probe::Probe;
use crate::region::Region;
use crate::request::Lines;
use crate::rule::Rule;
use std::collections::BTreeMap;
use std::time::Duration;

/// A compiled policy.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) role: Role,
    pub(crate) table: Table,
    pub(crate) local: Option<RegionId>,
    pub(crate) region_header: String,
    pub(crate) headers: HeaderNames,
    pub(crate) tag_is_private: bool,
    pub(crate) regions: Box<[Region]>,
    pub(crate) scopes: Box<[Scope]>,
    pub(crate) fences: BTreeMap<String, ScopeId>,
    pub(crate) services: Box<[Service]>,
    pub(crate) virtual_hosts: Box<[VirtualHost]>,
    pub(crate) hosts: HostTable,
    pub(crate) rules: Box<[Rule]>,
    pub(crate) health: HealthSettings,
    pub(crate) probes: Box<[Probe]>,
    pub(crate) drills: Box<[Drill]>,
    pub(crate) stage: Stage,
    pub(crate) on_mismatch: OnMismatch,
    /// The same with other rules.
    pub(crate) shadow: Option<Box<Policy>>,
    pub(crate) explain: Explain,
    pub(crate) revision: u16,
    /// Of the lists above.
    pub(crate) index: Index,
}

/// Where the filter sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An edge proxy: it decides.
    Gateway,
    /// A sidecar's calls: it decides for the names of the service registry as well.
    Outbound,
    /// A sidecar's answers: it only tags.
    Inbound,
}

/// How much of the policy the native table holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Table {
    /// Rules, spellings and plans: everything works without the filter but failover by health.
    #[default]
    Full,
    /// Plans only: the filter routes by header; for many regions or spellings.
    Plans,
}

/// How far the policy acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Nothing is rendered but the filter, which decides and counts what would have been different.
    Observe,
    /// The native table acts; the filter decides and counts where it would have decided otherwise.
    Native,
    /// Both act.
    #[default]
    Enforce,
}

/// What becomes of an answer that cannot be right: whose tag the control plane contradicts, or that came from outside the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMismatch {
    /// It is counted, and passed on.
    #[default]
    Count,
    /// It is counted, and the client gets a 502 instead.
    Block,
}

/// A service: the scope of health, and what native routes are made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Unique in the policy.
    pub name: String,
    /// Host patterns, as written but lower-case.
    pub hosts: Vec<String>,
    /// Where its requests go natively.
    pub destination: Destination,
    /// The path that its probe asks for, e.g. `/healthz`; `None`: it is not probed.
    pub probe: Option<String>,
}

impl Service {
    /// The `:authority` of a probe: a host that clients know the service by, or where it has none but wildcards, its destination's.
    #[must_use]
    pub fn probe_authority(&self) -> &str {
        self.hosts.iter().find(|host| !host.contains('*')).unwrap_or(&self.destination.host)
    }
}

/// Istio's `Destination`: a host of the service registry and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// E.g. `productpage.bookinfo.svc.cluster.local`.
    pub host: String,
    /// E.g. 9080.
    pub port: u16,
}

impl Destination {
    /// The Envoy cluster of a plan, in Istio's form: `outbound|<port>|<subset>|<host>`.
    #[must_use]
    pub fn cluster(&self, plan: &str) -> String {
        format!("outbound|{}|{plan}|{}", self.port, self.host)
    }
}

/// A host pattern with the service behind it and the rules that can apply, first match wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualHost {
    pub(crate) pattern: HostPattern,
    /// The service behind it.
    pub service: ServiceId,
    /// In order; the last one matches everything.
    pub rules: Box<[RuleId]>,
}

impl VirtualHost {
    /// The pattern: `a.example.com`, `*.example.com` or `*`.
    #[must_use]
    pub fn domain(&self) -> String {
        self.pattern.to_string()
    }
}

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// No time at all: the epoch stands for what has not happened.
    pub const NEVER: Self = Self(0);

    /// Whether it stands for what has not happened.
    #[must_use]
    pub fn is_never(self) -> bool {
        self == Self::NEVER
    }

    /// This time, or another if it has not happened.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.is_never() { other } else { self }
    }

    /// How long ago this was, at `now`; zero if it is yet to come.
    #[must_use]
    pub fn elapsed(self, now: Self) -> Duration {
        now.since(self)
    }

    /// This much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long from now until this; zero if it is over.
    #[must_use]
    pub fn since(self, now: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(now.0))
    }
}

impl Policy {
    /// Whether the other policy means the same, however its document was written: all is equal but the fingerprint.
    #[must_use]
    pub fn means_the_same_as(&self, other: &Self) -> bool {
        // Every field by name, so that a new one cannot be forgotten.
        let Self {
            role,
            table,
            local,
            region_header,
            headers,
            tag_is_private,
            regions,
            scopes,
            fences,
            services,
            virtual_hosts,
            hosts,
            rules,
            health,
            probes,
            drills,
            stage,
            on_mismatch,
            shadow,
            explain,
            revision: _,
            // It is made from the others.
            index: _,
        } = self;
        *role == other.role
            && *table == other.table
            && *local == other.local
            && *region_header == other.region_header
            && *headers == other.headers
            && *tag_is_private == other.tag_is_private
            && *regions == other.regions
            && *scopes == other.scopes
            && *fences == other.fences
            && *services == other.services
            && *virtual_hosts == other.virtual_hosts
            && *hosts == other.hosts
            && *rules == other.rules
            && *health == other.health
            && *probes == other.probes
            && *drills == other.drills
            && *stage == other.stage
            && *on_mismatch == other.on_mismatch
            && match (shadow, &other.shadow) {
                (Some(shadow), Some(other)) => shadow.means_the_same_as(other),
                (shadow, other) => shadow.is_none() && other.is_none(),
            }
            && *explain == other.explain
    }

    /// Where the filter sits.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// How much of the policy the native table holds.
    #[must_use]
    pub fn table(&self) -> Table {
        self.table
    }

    /// The region this Envoy runs in, if known.
    #[must_use]
    pub fn local(&self) -> Option<RegionId> {
        self.local
    }

    /// The lower-case name of the header a client may ask with.
    #[must_use]
    pub fn region_header(&self) -> &str {
        &self.region_header
    }

    /// What the mesh's own headers are called.
    #[must_use]
    pub fn headers(&self) -> &HeaderNames {
        &self.headers
    }

    /// Whether clients may not see who served them.
    #[must_use]
    pub fn tag_is_private(&self) -> bool {
        self.tag_is_private
    }

    /// Whether answers leave here without the tag of who served them: at an edge. Between proxies of the mesh it always stands.
    #[must_use]
    pub fn hides_tag(&self) -> bool {
        self.role == Role::Gateway && self.tag_is_private() && self.acts_natively()
    }

    /// Every region, in the order of the document.
    #[must_use]
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Every service, in the order of the document.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Every virtual host, each with its rules.
    #[must_use]
    pub fn virtual_hosts(&self) -> &[VirtualHost] {
        &self.virtual_hosts
    }

    /// When a region is ejected, and how it comes back.
    #[must_use]
    pub fn health(&self) -> &HealthSettings {
        &self.health
    }

    /// When a region is ejected, and for how long.
    #[must_use]
    pub fn outlier_detection(&self) -> &OutlierDetection {
        &self.health.outlier_detection
    }

    /// What is asked of every region of a service that has a probe.
    #[must_use]
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// The Envoy cluster that a probe is sent to: its service's, by the plan of the region alone.
    #[must_use]
    pub fn probe_cluster(&self, probe: &Probe) -> Option<String> {
        Some(self.service(probe.key.service)?.destination.cluster(self.plan_name(probe.plan)?))
    }

    /// Regions that are taken away on purpose.
    #[must_use]
    pub fn drills(&self) -> &[Drill] {
        &self.drills
    }

    /// How far the policy acts.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether anything but the filter is rendered: the native table, and what goes with it.
    #[must_use]
    pub fn acts_natively(&self) -> bool {
        self.stage != Stage::Observe
    }

    /// Whether what the filter decides is done.
    #[must_use]
    pub fn acts(&self) -> bool {
        self.stage == Stage::Enforce
    }

    /// What becomes of an answer that cannot be right.
    #[must_use]
    pub fn on_mismatch(&self) -> OnMismatch {
        self.on_mismatch
    }

    /// The same policy with the rules that are only tried, if there are any.
    #[must_use]
    pub fn shadow(&self) -> Option<&Self> {
        self.shadow.as_deref()
    }

    /// Whether every request has to be decided, even where the native table is right: to compare, somebody has to know.
    #[must_use]
    pub fn compares(&self) -> bool {
        !self.acts() || self.shadow.is_some()
    }

    /// Who may ask for the explanation of a decision.
    #[must_use]
    pub fn explain(&self) -> &Explain {
        &self.explain
    }

    /// Whether a drill runs at `now`, so that the native table is not right as it stands.
    #[must_use]
    pub fn is_drilling(&self, now: Timestamp) -> bool {
        self.drills.iter().any(|drill| drill.from <= now && now < drill.until)
    }

    /// A short fingerprint of the document.
    #[must_use]
    pub fn revision(&self) -> u16 {
        self.revision
    }

    /// A fingerprint of what ids mean: policies of one layout can share health.
    #[must_use]
    pub fn layout(&self) -> u64 {
        let regions = self.regions.iter().map(|region| region.name.as_str());
        let services = self.services.iter().map(|service| service.name.as_str());
        // A name holds no zero byte, so the two lists and their entries stay apart.
        fnv1a(regions.chain(["\0"]).chain(services).flat_map(|name| name.bytes().chain([0])))
    }

    /// The region an id stands for.
    #[must_use]
    pub fn region(&self, id: RegionId) -> Option<&Region> {
        self.regions.get(id.index())
    }

    /// A region's name; empty for an id of another policy.
    #[must_use]
    pub fn region_name(&self, id: RegionId) -> &str {
        self.region(id).map_or("", |region| &region.name)
    }

    /// The region with this name.
    #[must_use]
    pub fn region_named(&self, name: &str) -> Option<RegionId> {
        let called = self.index.spelled(name.as_bytes());
        // Aliases and other spellings are for clients.
        called.filter(|id| self.region_name(*id) == name)
    }

    /// The region that the Istio cluster `cluster` belongs to.
    #[must_use]
    pub fn region_of_cluster(&self, cluster: &[u8]) -> Option<RegionId> {
        self.index.of_cluster(cluster)
    }

    /// The region whose tag (`displayName`) this is.
    #[must_use]
    pub fn region_tagged(&self, tag: &[u8]) -> Option<RegionId> {
        self.index.tagged(tag)
    }

    /// The service an id stands for.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> Option<&Service> {
        self.services.get(id.index())
    }

    /// The service with this name.
    #[must_use]
    pub fn service_named(&self, name: &str) -> Option<ServiceId> {
        self.index.service(name.as_bytes())
    }

    /// Every service in every region.
    pub fn cells(&self) -> impl Iterator<Item = CellKey> + '_ {
        let services = (0..self.services.len()).filter_map(ServiceId::at);
        services.flat_map(|service| {
            (0..self.regions.len()).filter_map(RegionId::at).map(move |region| CellKey { service, region })
        })
    }

    /// Every rule, in the order of the document; the implied one is the last.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule an id stands for.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.index())
    }

    /// The rule with this name.
    #[must_use]
    pub fn rule_named(&self, name: &[u8]) -> Option<RuleId> {
        self.index.rule(name)
    }

    /// Every fence by name, with its scope.
    pub fn fences(&self) -> impl Iterator<Item = (&str, ScopeId)> {
        self.fences.iter().map(|(name, scope)| (name.as_str(), *scope))
    }

    /// The scope an id stands for.
    #[must_use]
    pub fn scope(&self, id: ScopeId) -> Option<&Scope> {
        self.scopes.get(id.index())
    }

    /// The name of a plan, e.g. `prefer-us-sanjose-1`.
    #[must_use]
    pub fn plan_name(&self, plan: Plan) -> Option<&str> {
        self.scope(plan.scope)?.plan_name(plan.first)
    }

    /// The virtual host for an `:authority`, as Envoy would choose it.
    #[must_use]
    pub fn virtual_host(&self, authority: &[u8]) -> Option<&VirtualHost> {
        self.hosts.find(authority).and_then(|index| self.virtual_hosts.get(index as usize))
    }

    /// What a region header's lines ask for.
    #[must_use]
    pub fn asked(&self, lines: Lines<'_>) -> Asked {
        match lines {
            Lines::None => Asked::Nothing,
            Lines::One(value) => self.index.spelled(value).map_or(Asked::Unknown, Asked::Region),
            Lines::Several => Asked::Unknown,
        }
    }

    /// The plan that tries a region first and then every other.
    #[must_use]
    pub fn everywhere(&self, first: RegionId) -> Plan {
        Plan { scope: ScopeId(0), first }
    }

    /// The service and the plan of an Envoy cluster named as [`Destination::cluster`] does, or of one version of the service under that
    /// plan (`v1-<plan>`).
    #[must_use]
    pub fn plan_of_cluster(&self, cluster: &[u8]) -> Option<(ServiceId, Plan)> {
        let text = std::str::from_utf8(cluster).ok()?;
        let mut parts = text.splitn(4, '|');
        let (_, port, subset, host) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let port: u16 = port.parse().ok()?;
        let has_port = |id| self.service(id).is_some_and(|service| service.destination.port == port);
        let service = self.index.service_at(host.as_bytes(), &has_port)?;
        let mut names =
            std::iter::once(subset).chain(subset.match_indices('-').filter_map(|(at, _)| subset.get(at + 1..)));
        let plan = names.find_map(|name| self.index.plan(name.as_bytes()))?;
        Some((service, plan))
    }
}

/// What a request asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// No region header.
    Nothing,
    /// A region of the policy.
    Region(RegionId),
    /// Something else: a name that is not in the policy, or several lines.
    Unknown,
}
