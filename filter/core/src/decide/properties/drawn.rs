//! Any policy and any request: what the properties are asked of. A policy is drawn together with what its document says, so that the
//! properties hold the core against the document and not against what the core made of it.

use crate::config::{LocalHints, UnknownKeys, compile};
use crate::decide::{Decision, decide};
use crate::health::Health;
use crate::policy::{Policy, Timestamp};
use crate::request::RequestFacts;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use serde_json::{Value, json};
use std::fmt;

pub(super) const REGIONS: usize = 5;
pub(super) const SERVICES: usize = 2;
/// A policy, with what its document says.
#[derive(Clone)]
pub(super) struct Drawn {
    pub(super) policy: Policy,
    pub(super) local: usize,
    /// The last one is the implied one.
    pub(super) rules: Vec<DrawnRule>,
    document: Value,
}

/// A compiled policy is pages long, and follows from the document.
impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.document)
    }
}

/// What a rule says. Regions are numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct DrawnRule {
    pub(super) fence: Option<Vec<usize>>,
    failover: Option<(usize, Vec<usize>)>,
    pub(super) distribute: Vec<(usize, u8)>,
    pub(super) fails: bool,
    pub(super) rejects: bool,
}

impl DrawnRule {
    /// The regions it may never leave, in order.
    pub(super) fn inside(&self) -> Vec<usize> {
        self.fence.clone().unwrap_or_else(|| (0..REGIONS).collect())
    }

    /// Where a request that wants a region may go, in order.
    pub(super) fn order(&self, want: usize) -> Vec<usize> {
        let others = match &self.failover {
            Some((from, to)) if *from == want => to.clone(),
            _ => self.inside(),
        };
        std::iter::once(want).chain(others.into_iter().filter(|region| *region != want)).collect()
    }

    fn document(&self, number: usize) -> Value {
        let names = |regions: &[usize]| regions.iter().map(|region| name(*region)).collect::<Vec<_>>();
        let mut rule = json!({
            "name": format!("rule-{number}"),
            "match": {"pathPrefix": path(number)},
            "whenExhausted": if self.fails { "fail" } else { "preferred" },
            "onUnknownRegion": if self.rejects { "reject" } else { "ignore" },
        });
        if self.fence.is_some() {
            rule["fence"] = json!(format!("f{number}"));
        }
        if let Some((from, to)) = &self.failover {
            rule["failover"] = json!([{"from": name(*from), "to": names(to)}]);
        }
        if !self.distribute.is_empty() {
            rule["distribute"] = self.distribute.iter().map(|(region, share)| (name(*region), json!(share))).collect();
        }
        rule
    }
}

fn name(region: usize) -> String {
    format!("r{region}")
}

fn path(rule: usize) -> String {
    format!("/{rule}/")
}

fn rules() -> impl Strategy<Value = DrawnRule> {
    let members = subsequence((0..REGIONS).collect::<Vec<_>>(), 1..=REGIONS).prop_shuffle();
    let failover = option::of((any::<Index>(), vec(any::<Index>(), 0..4)));
    let distribute = vec((any::<Index>(), 1_u8..=33), 0..4);
    (option::of(members), failover, distribute, any::<bool>(), any::<bool>()).prop_map(
        |(fence, failover, distribute, fails, rejects)| {
            let mut rule = DrawnRule { fence, fails, rejects, ..DrawnRule::default() };
            let inside = rule.inside();
            rule.failover = failover.map(|(from, to)| {
                let from = *from.get(&inside);
                let mut order: Vec<usize> = Vec::new();
                for region in to.iter().map(|index| *index.get(&inside)) {
                    if region != from && !order.contains(&region) {
                        order.push(region);
                    }
                }
                (from, order)
            });
            for (region, share) in distribute {
                let region = *region.get(&inside);
                if rule.distribute.iter().all(|(other, _)| *other != region) {
                    rule.distribute.push((region, share));
                }
            }
            let whole: u8 = rule.distribute.iter().map(|(_, share)| share).sum();
            if let Some((_, share)) = rule.distribute.first_mut() {
                *share += 100 - whole;
            }
            rule
        },
    )
}

fn drills() -> impl Strategy<Value = Value> {
    let time = |second: u64| format!("1970-01-01T00:{:02}:{:02}Z", second / 60, second % 60);
    let drill = (0..REGIONS, option::of(0..SERVICES), 1_u8..=100, 950_u64..1_050, 1_u64..100);
    vec(drill, 0..3).prop_map(move |drills| {
        let one = |(number, (region, service, percent, from, length)): (
            usize,
            (usize, Option<usize>, u8, u64, u64),
        )| {
            let services: Vec<String> = service.map(|service| format!("s{service}")).into_iter().collect();
            json!({"name": format!("drill-{number}"), "region": name(region), "services": services, "percent": percent,
                   "from": time(from), "until": time(from + length)})
        };
        drills.into_iter().enumerate().map(one).collect()
    })
}

fn settings() -> impl Strategy<Value = [Value; 2]> {
    (0_u8..4, 1_u64..20, 1_u64..30, 1_u64..5, 0_u8..=100, option::of(1_u8..=100), 0_u64..60, 0_u8..=100, 1_u16..4)
        .prop_map(|(errors, interval, base, times, most, share, ramp, minimum, tokens)| {
            let time = |seconds: u64| format!("{seconds}s");
            [
                json!({"consecutiveGatewayErrors": errors, "interval": time(interval), "baseEjectionTime": time(base),
                       "maxEjectionTime": time(base * times), "maxEjectionPercent": most,
                       "failurePercentage": {"threshold": share.unwrap_or(0), "requestVolume": 5}}),
                json!({"duration": time(ramp), "minimumPercent": minimum, "halfOpenRequests": tokens}),
            ]
        })
}

/// Any policy: up to three rules and the implied one, with any fence, failover, shares, drills, health settings and table.
pub(super) fn policies() -> impl Strategy<Value = Drawn> {
    (vec(rules(), 0..4), drills(), settings(), any::<bool>(), 0..REGIONS).prop_map(
        |(mut rules, drills, settings, plans, local)| {
            let document = document(&rules, &drills, settings, plans, local);
            rules.push(DrawnRule::default());
            let policy = match compile(&document, UnknownKeys::Refuse, &LocalHints::default()) {
                Ok((policy, _)) => policy,
                Err(problems) => panic!("{problems:#?}\n{document:#}"),
            };
            Drawn { policy, local, rules, document }
        },
    )
}

fn document(rules: &[DrawnRule], drills: &Value, settings: [Value; 2], plans: bool, local: usize) -> Value {
    let regions: Vec<Value> = (0..REGIONS)
        .map(|r| json!({"name": name(r), "clusters": [format!("c{r}")], "aliases": [format!("alias-{r}")]}))
        .collect();
    let services: Vec<Value> = (0..SERVICES)
        .map(|s| {
            let destination = json!({"host": format!("s{s}.local"), "port": 80});
            json!({"name": format!("s{s}"), "hosts": [format!("s{s}.example.com")], "destination": destination})
        })
        .collect();
    let fence = |(number, rule): (usize, &DrawnRule)| {
        let members: Vec<String> = rule.fence.as_ref()?.iter().map(|region| name(*region)).collect();
        Some((format!("f{number}"), json!(members)))
    };
    let [outliers, warmup] = settings;
    json!({
        "apiVersion": "meridian/v1", "role": "gateway", "local": name(local), "regions": regions, "services": services,
        "fences": rules.iter().enumerate().filter_map(fence).collect::<serde_json::Map<_, _>>(),
        "rules": rules.iter().enumerate().map(|(number, rule)| rule.document(number)).collect::<Vec<_>>(),
        "drills": drills, "outlierDetection": outliers, "warmup": warmup, "table": if plans { "plans" } else { "full" },
    })
}

/// A request: its service, the number of the rule whose path it has, what it asks for, and anything else.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) service: usize,
    pub(super) rule: usize,
    pub(super) wish: Wish,
    noise: Vec<u8>,
}

/// The lines of the region header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Region(usize, String),
    Anything(Vec<Vec<u8>>),
}

fn wishes() -> impl Strategy<Value = Wish> {
    let spelling = (0..REGIONS, 0_u8..3).prop_map(|(region, how)| {
        let spelling = match how {
            0 => name(region),
            1 => name(region).to_uppercase(),
            _ => format!("Alias-{region}"),
        };
        Wish::Region(region, spelling)
    });
    let line = prop_oneof![vec(any::<u8>(), 0..40), (0..REGIONS).prop_map(|region| name(region).into_bytes())];
    prop_oneof![Just(Wish::Nothing), spelling, vec(line, 2..4).prop_map(Wish::Anything)]
}

pub(super) fn asks() -> impl Strategy<Value = Ask> {
    (0..SERVICES, 0_usize..4, wishes(), vec(any::<u8>(), 0..20)).prop_map(|(service, rule, wish, noise)| Ask {
        service,
        rule,
        wish,
        noise,
    })
}

impl Drawn {
    pub(super) fn decide(&self, health: &Health, ask: &Ask, now: Timestamp, random: u32) -> Decision {
        let (host, path) = (format!("s{}.example.com", ask.service), path(ask.rule));
        let mut lines: Vec<(&[u8], &[u8])> = vec![
            (b":method", b"GET"),
            (b":authority", host.as_bytes()),
            (b":path", path.as_bytes()),
            (b"x-region-route", &ask.noise),
            (&ask.noise, b"noise"),
        ];
        match &ask.wish {
            Wish::Nothing => {}
            Wish::Region(_, spelling) => lines.push((b"region", spelling.as_bytes())),
            Wish::Anything(values) => lines.extend(values.iter().map(|value| (b"region".as_slice(), value.as_slice()))),
        }
        decide(&self.policy, health, &RequestFacts::new(&lines), now, random).unwrap()
    }

    /// The rule that a request is under: each has a path of its own, and the implied one has the rest.
    pub(super) fn rule(&self, ask: &Ask) -> &DrawnRule {
        &self.rules[ask.rule.min(self.rules.len() - 1)]
    }
}
