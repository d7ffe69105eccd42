//! The document that a compiled policy means, with everything said that it leaves to defaults.
//!
//! Compiled again, it is the same policy. That keeps the compiler honest: what it could not write back it would have lost.

use super::{
    ApiVersion, ClaimMatch, Destination, Document, Drill, Failover, Fence, HeaderMatch, Match, Names, OnUnknownRegion,
    Probe, Region, RegionName, Rescue, Role, Rule, Service, ServiceName, Shadow, Share, Table, Tag, Time, Verify,
    WhenExhausted,
};
use meridian_core::{Policy, RegionId, ScopeId, ServiceId};

impl From<&Policy> for Document {
    fn from(policy: &Policy) -> Self {
        let source = Source(policy);
        Self {
            api_version: ApiVersion::V1,
            role: role(policy.role()),
            local: policy.local().map(|region| source.region(region)),
            region_header: policy.region_header().into(),
            regions: policy.regions().iter().map(region).collect(),
            fences: Names(policy.fences().map(|(name, scope)| (name.into(), Fence(source.order(scope)))).collect()),
            services: policy.services().iter().map(service).collect(),
            rules: source.rules(),
            outlier_detection: policy.outlier_detection().into(),
            active_health_check: (&policy.health().active_health_check).into(),
            warmup: (&policy.health().warmup).into(),
            drills: policy.drills().iter().map(|drill| source.drill(drill)).collect(),
            table: table(policy.table()),
            stage: policy.stage().into(),
            shadow: policy.shadow().map(|shadow| Shadow { rules: Source(shadow).rules() }),
            verify: Verify { on_mismatch: policy.on_mismatch().into() },
            headers: policy.headers().into(),
            tag: Tag { public: !policy.tag_is_private() },
            explain: policy.explain().into(),
            critical: Vec::new(),
        }
    }
}

/// A policy that knows what its ids stand for.
struct Source<'p>(&'p Policy);

impl Source<'_> {
    fn region(&self, id: RegionId) -> RegionName {
        self.0.region_name(id).into()
    }

    fn service(&self, id: ServiceId) -> Option<ServiceName> {
        self.0.service(id).map(|service| service.name.as_str().into())
    }

    fn services(&self, ids: &[ServiceId]) -> Vec<ServiceName> {
        ids.iter().filter_map(|id| self.service(*id)).collect()
    }

    fn order(&self, scope: ScopeId) -> Vec<RegionName> {
        let scope = self.0.scope(scope).into_iter();
        scope.flat_map(|scope| scope.order()).map(|region| self.region(*region)).collect()
    }

    fn rules(&self) -> Vec<Rule> {
        // The last rule is the implied one.
        let rules = self.0.rules().split_last().map(|(_, rules)| rules).unwrap_or_default();
        rules.iter().map(|rule| self.rule(rule)).collect()
    }

    fn rule(&self, rule: &meridian_core::Rule) -> Rule {
        let fence = self.0.fences().find(|(_, scope)| rule.fenced && *scope == rule.scope());
        let mut failovers = rule.failovers().to_vec();
        // The order they were read in.
        failovers.sort_by_key(|(_, scope)| *scope);
        let shares = |split: &meridian_core::Split| {
            Names(split.shares().iter().map(|(region, share)| (self.region(*region), Share(*share))).collect())
        };
        Rule {
            name: rule.name.as_str().into(),
            matches: self.matches(rule),
            fence: fence.map(|(name, _)| name.into()),
            failover: failovers.into_iter().map(|(from, scope)| self.failover(from, scope)).collect(),
            distribute: rule.split().map(shares),
            timeout: rule.timeout.into(),
            rescue: rule.rescue.as_ref().map(rescue),
            on_unknown_region: match rule.on_unknown_region {
                meridian_core::OnUnknownRegion::Ignore => OnUnknownRegion::Ignore,
                meridian_core::OnUnknownRegion::Reject => OnUnknownRegion::Reject,
            },
            when_exhausted: match rule.when_exhausted {
                meridian_core::WhenExhausted::Preferred => WhenExhausted::Preferred,
                meridian_core::WhenExhausted::Fail => WhenExhausted::Fail,
            },
        }
    }

    fn matches(&self, rule: &meridian_core::Rule) -> Match {
        let matches = &rule.matches;
        let header = |header: &meridian_core::HeaderMatch| HeaderMatch {
            name: header.name.as_str().into(),
            exact: header.exact.as_str().into(),
            trusted: header.trusted,
        };
        let claim =
            |claim: &meridian_core::ClaimMatch| ClaimMatch { claim: claim.claim().into(), value: claim.value().into() };
        Match {
            services: self.services(rule.applies.services()),
            hosts: rule.applies.hosts().map(|host| host.as_str().into()).collect(),
            path_prefix: (!matches.path_prefix.is_empty()).then(|| matches.path_prefix.as_str().into()),
            methods: methods(&matches.methods),
            headers: matches.headers.iter().map(header).collect(),
            claims: matches.claims.iter().map(claim).collect(),
        }
    }

    fn failover(&self, from: RegionId, scope: ScopeId) -> Failover {
        Failover { from: self.region(from), to: self.order(scope).into_iter().skip(1).collect() }
    }

    fn drill(&self, drill: &meridian_core::Drill) -> Drill {
        Drill {
            name: drill.name.as_str().into(),
            region: self.region(drill.region),
            services: self.services(&drill.services),
            percent: drill.percent,
            from: Time(crate::clock::text(drill.from)),
            until: Time(crate::clock::text(drill.until)),
        }
    }
}

fn role(role: meridian_core::Role) -> Role {
    match role {
        meridian_core::Role::Gateway => Role::Gateway,
        meridian_core::Role::Outbound => Role::Outbound,
        meridian_core::Role::Inbound => Role::Inbound,
    }
}

fn table(table: meridian_core::Table) -> Table {
    match table {
        meridian_core::Table::Full => Table::Full,
        meridian_core::Table::Plans => Table::Plans,
    }
}

fn region(region: &meridian_core::Region) -> Region {
    Region {
        name: region.name.as_str().into(),
        clusters: region.clusters.iter().map(|cluster| cluster.as_str().into()).collect(),
        display_name: Some(region.display_name.as_str().into()),
        aliases: region.aliases.iter().map(|alias| alias.as_str().into()).collect(),
    }
}

fn service(service: &meridian_core::Service) -> Service {
    let destination = &service.destination;
    Service {
        name: service.name.as_str().into(),
        hosts: service.hosts.iter().map(|host| host.as_str().into()).collect(),
        destination: Destination { host: destination.host.as_str().into(), port: destination.port },
        probe: service.probe.as_deref().map(|path| Probe { path: path.into() }),
    }
}

fn rescue(rescue: &meridian_core::Rescue) -> Rescue {
    Rescue {
        attempts: rescue.attempts,
        per_try_timeout: rescue.per_try_timeout.into(),
        methods: methods(&rescue.methods),
    }
}

fn methods(methods: &[meridian_core::Method]) -> Vec<super::Method> {
    methods.iter().map(|method| method.as_str().into()).collect()
}
