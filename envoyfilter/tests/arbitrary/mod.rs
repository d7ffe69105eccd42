//! Any policy document: every key, references that lead somewhere, shares that add up.
//!
//! Built as the document's own types, so that a new key does not compile until it is here. Names are few and alike on purpose
//! (`eu-in-a`, `1-region`), hosts overlap, and rules stand in each other's way. Every one of them is a policy.

use meridian::document::*;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

const REGIONS: &[&str] = &["us-east-1", "us-west-1", "eu-west-1", "eu-in-a", "1-region"];
const SERVICES: &[&str] = &["page", "data", "2-pay"];
const HOSTS: &[&str] =
    &["page.example.com", "*.example.com", "a.b.example.com", "*.b.example.com", "Data.Example.org", "*"];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "VERSION-CONTROL"];

/// Any policy document.
pub(crate) fn documents() -> impl Strategy<Value = Document> {
    let names = (subsequence(REGIONS, 1..=REGIONS.len()).prop_shuffle(), subsequence(SERVICES, 1..=SERVICES.len()));
    names.prop_flat_map(|(regions, services)| document(&regions, &services))
}

fn document(region_names: &[&'static str], service_names: &[&'static str]) -> impl Strategy<Value = Document> + use<> {
    let regions: Vec<RegionName> = region_names.iter().map(|name| (*name).into()).collect();
    let services: Vec<ServiceName> = service_names.iter().map(|name| (*name).into()).collect();
    let head = (
        select(&[Role::Gateway, Role::Outbound, Role::Inbound][..]),
        option::of(select(regions.clone())),
        select(&["region", "X-Where"][..]).prop_map(HeaderName::from),
        select(&[Table::Full, Table::Plans][..]),
        (headers(), any::<bool>()),
        (stage(), explain()),
        vec("[a-z]{1,8}", 0..2),
    );
    let parts = (
        region_names.iter().enumerate().map(|(index, name)| region(index, name)).collect::<Vec<_>>(),
        services_of(service_names),
        (fence(&regions), option::of(fence(&regions))),
        (outlier_detection(), active_health_check()),
        warmup(),
        vec(drill(&regions, &services), 0..3),
    );
    (head, parts).prop_flat_map(move |(head, parts)| {
        let (role, local, region_header, table, (headers, public), (stage, explain), critical) = head;
        let (regions, services, (eu, far), (outlier_detection, active_health_check), warmup, drills) = parts;
        let fences = [("eu", Some(eu)), ("far", far)];
        let fences = fences.into_iter().filter_map(|(name, fence)| Some((FenceName::from(name), fence?)));
        let document = Document {
            api_version: ApiVersion::V1,
            role,
            local,
            region_header,
            regions,
            fences: Names(fences.collect()),
            services,
            rules: Vec::new(),
            outlier_detection,
            active_health_check,
            warmup,
            drills: numbered(drills, |drill, name| drill.name = name),
            table,
            stage: stage.0,
            shadow: None,
            verify: Verify { on_mismatch: stage.1 },
            headers,
            explain,
            tag: Tag { public },
            critical,
        };
        let rules = || vec(rule(&document), 0..4).prop_map(|rules| numbered(rules, |rule, name| rule.name = name));
        let shadow = document.stage == Stage::Enforce;
        (rules(), option::of(rules())).prop_map(move |(rules, tried)| Document {
            rules,
            shadow: tried.filter(|_| shadow).map(|rules| Shadow { rules }),
            ..document.clone()
        })
    })
}

fn stage() -> impl Strategy<Value = (Stage, OnMismatch)> {
    let stages = prop_oneof![1 => Just(Stage::Observe), 1 => Just(Stage::Native), 4 => Just(Stage::Enforce)];
    (stages, select(&[OnMismatch::Count, OnMismatch::Block][..]))
}

fn explain() -> impl Strategy<Value = Explain> {
    let digest = option::of("[0-9a-fA-F]{64}".prop_map(Sha256));
    (digest, any::<bool>()).prop_map(|(key_sha256, public)| Explain { key_sha256, public })
}

fn headers() -> impl Strategy<Value = Headers> {
    let other = || option::of("[Xx]-[a-z]{1,3}");
    (other(), other()).prop_map(|(route, decision)| Headers {
        route: HeaderName(route.map_or("x-region-route".to_owned(), |name| name + "-plan")),
        decision: HeaderName(decision.map_or("x-region-decision".to_owned(), |name| name + "-why")),
        ..Headers::default()
    })
}

/// Names that stand only once.
fn numbered<T>(mut items: Vec<T>, name: impl Fn(&mut T, Label)) -> Vec<T> {
    items.iter_mut().enumerate().for_each(|(index, item)| name(item, format!("n{index}").as_str().into()));
    items
}

fn region(index: usize, name: &'static str) -> impl Strategy<Value = Region> + use<> {
    let spelled = move |text: &str| HeaderValue(format!("{text} {index}"));
    (1..3_usize, any::<bool>(), 0..3_usize).prop_map(move |(clusters, displayed, aliases)| Region {
        name: name.into(),
        clusters: (0..clusters).map(|cluster| spelled(&format!("cluster {cluster} of"))).collect(),
        display_name: displayed.then(|| spelled("PRIMARY (San Jose)")),
        aliases: (0..aliases).map(|alias| spelled(&format!("Alias {alias}"))).collect(),
    })
}

/// Services that share the hosts out among themselves.
fn services_of(names: &[&'static str]) -> impl Strategy<Value = Vec<Service>> + use<> {
    let names = names.to_vec();
    let hosts = subsequence(HOSTS, names.len()..=HOSTS.len()).prop_shuffle();
    (hosts, 1..=u16::MAX).prop_map(move |(hosts, port)| {
        let service = |(index, name): (usize, &&'static str)| Service {
            name: (*name).into(),
            hosts: hosts.iter().skip(index).step_by(names.len()).map(|host| (*host).into()).collect(),
            destination: Destination { host: OneHost(format!("{name}.shop.svc.cluster.local")), port },
            probe: (index % 2 == usize::from(port % 2)).then(|| Probe { path: "/healthz?full=1".into() }),
        };
        names.iter().enumerate().map(service).collect()
    })
}

fn fence(regions: &[RegionName]) -> impl Strategy<Value = Fence> + use<> {
    subsequence(regions.to_vec(), 1..=regions.len()).prop_shuffle().prop_map(Fence)
}

fn rule(document: &Document) -> impl Strategy<Value = Rule> + use<> {
    let everywhere: Vec<RegionName> = document.regions.iter().map(|region| RegionName(region.name.0.clone())).collect();
    let mut scopes = vec![(None, everywhere)];
    scopes.extend(document.fences.0.iter().map(|(name, fence)| (Some(name.clone()), fence.0.clone())));
    let services: Vec<_> = document.services.iter().map(|service| ServiceName(service.name.0.clone())).collect();
    let hosts: Vec<_> = document.services.iter().flat_map(|service| service.hosts.clone()).collect();
    select(scopes).prop_flat_map(move |(fence, regions)| {
        let ends = (
            select(&[OnUnknownRegion::Ignore, OnUnknownRegion::Reject][..]),
            select(&[WhenExhausted::Preferred, WhenExhausted::Fail][..]),
        );
        let parts = (
            matches(services.clone(), hosts.clone(), fence.is_some()),
            failover(&regions),
            option::of(distribute(&regions)),
            duration(),
            option::of(rescue()),
            ends,
        );
        parts.prop_map(move |(matches, failover, distribute, timeout, rescue, (on_unknown_region, when_exhausted))| {
            Rule {
                name: "unnamed".into(),
                matches,
                fence: fence.clone(),
                failover,
                distribute,
                timeout,
                rescue,
                on_unknown_region,
                when_exhausted,
            }
        })
    })
}

fn matches(services: Vec<ServiceName>, hosts: Vec<Host>, fenced: bool) -> impl Strategy<Value = Match> {
    let header = (select(&["x-tenant", "X-Plan"][..]), select(&["acme", "b c"][..]), any::<bool>());
    let header = header.prop_map(move |(name, exact, trusted)| HeaderMatch {
        name: name.into(),
        exact: exact.into(),
        trusted: trusted || fenced,
    });
    (
        subsequence(services.clone(), 0..=services.len()),
        subsequence(hosts.clone(), 0..=hosts.len()).prop_shuffle(),
        option::of(select(&["/", "/api", "/a b"][..]).prop_map(PathPrefix::from)),
        subsequence(METHODS, 0..=METHODS.len()),
        vec(header, 0..3),
        subsequence(&["tenant", "realm.group"][..], 0..=2),
    )
        .prop_map(|(services, hosts, path_prefix, methods, headers, claims)| Match {
            services,
            hosts,
            path_prefix,
            methods: methods.into_iter().map(Method::from).collect(),
            headers,
            claims: claims.into_iter().map(|claim| ClaimMatch { claim: claim.into(), value: "acme".into() }).collect(),
        })
}

fn failover(regions: &[RegionName]) -> impl Strategy<Value = Vec<Failover>> + use<> {
    let regions = regions.to_vec();
    let from = subsequence(regions.clone(), 0..=regions.len()).prop_shuffle();
    from.prop_flat_map(move |wanted| {
        let one = |from: RegionName| {
            let others: Vec<_> = regions.iter().filter(|region| **region != from).cloned().collect();
            let to = subsequence(others.clone(), 0..=others.len()).prop_shuffle();
            to.prop_map(move |to| Failover { from: from.clone(), to })
        };
        wanted.into_iter().map(one).collect::<Vec<_>>()
    })
}

/// Shares between cuts of the hundred.
fn distribute(regions: &[RegionName]) -> impl Strategy<Value = Names<RegionName, Share>> + use<> {
    subsequence(regions.to_vec(), 1..=regions.len()).prop_flat_map(|regions| {
        btree_set(1..100_u8, regions.len() - 1).prop_map(move |cuts| {
            let ends = cuts.iter().copied().chain([100]);
            let shares = ends.scan(0, |start, end| Some(Share(end - std::mem::replace(start, end))));
            Names(regions.iter().cloned().zip(shares).collect())
        })
    })
}

fn rescue() -> impl Strategy<Value = Rescue> {
    let methods = subsequence(METHODS, 1..=METHODS.len());
    (1..=10_u32, duration(), methods).prop_map(|(attempts, per_try_timeout, methods)| Rescue {
        attempts,
        per_try_timeout,
        methods: methods.into_iter().map(Method::from).collect(),
    })
}

/// Between a millisecond and a day, in any unit.
fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1..86_400_000_u32).prop_map(|count| format!("{count}ms")),
        (1..86_400_u32).prop_map(|count| format!("{count}s")),
        (1..86_400_000_u32).prop_map(|count| format!("{}.{:03}s", count / 1_000, count % 1_000)),
        (1..1_440_u32).prop_map(|count| format!("{count}m")),
        (1..24_u32).prop_map(|count| format!("{count}.25h")),
    ]
    .prop_filter("at most a day", |text| text != "24.25h")
    .prop_map(Duration)
}

fn outlier_detection() -> impl Strategy<Value = OutlierDetection> {
    let counts = (0..=1_000_u32, 0..=1_000_u32, 0..=100_u8);
    let limit = (0..=100_u8, 1..=1_000_000_u32);
    (counts, (duration(), duration(), duration()), limit).prop_map(
        |((gateway, all, percent), (interval, ejection, stall), (threshold, request_volume))| OutlierDetection {
            consecutive_gateway_errors: gateway,
            consecutive_5xx_errors: all,
            interval,
            base_ejection_time: ejection.clone(),
            max_ejection_time: if percent % 2 == 0 { ejection } else { "24h".into() },
            max_ejection_percent: percent,
            failure_percentage: FailurePercentage { threshold, request_volume },
            stall_timeout: stall,
        },
    )
}

fn active_health_check() -> impl Strategy<Value = ActiveHealthCheck> {
    let times = (1_000..=86_400_000_u32, 1..=1_000_u32);
    let thresholds = (1..=1_000_u16, 1..=1_000_u16);
    (times, thresholds, vec(200..=599_u16, 1..4)).prop_map(
        |((interval, timeout), (unhealthy_threshold, healthy_threshold), expected_statuses)| ActiveHealthCheck {
            interval: Duration(format!("{interval}ms")),
            timeout: Duration(format!("{timeout}ms")),
            unhealthy_threshold,
            healthy_threshold,
            expected_statuses,
        },
    )
}

fn warmup() -> impl Strategy<Value = Warmup> {
    (option::of(duration()), 0..=100_u8, 10..=1_000_u32, 1..=1_000_u16).prop_map(
        |(duration, minimum_percent, aggression, half_open_requests)| Warmup {
            duration: duration.unwrap_or_else(|| "0s".into()),
            minimum_percent,
            aggression: f64::from(aggression) / 100.0,
            half_open_requests,
        },
    )
}

fn drill(regions: &[RegionName], services: &[ServiceName]) -> impl Strategy<Value = Drill> + use<> {
    let services = subsequence(services.to_vec(), 0..=services.len());
    (select(regions.to_vec()), services, 1..=100_u8, any::<Index>()).prop_map(|(region, services, percent, hour)| {
        Drill {
            name: "unnamed".into(),
            region,
            services,
            percent,
            from: Time(format!("2026-11-20T{:02}:00:00Z", hour.index(23))),
            until: Time("2026-11-21T12:30:00+01:00".to_owned()),
        }
    })
}
