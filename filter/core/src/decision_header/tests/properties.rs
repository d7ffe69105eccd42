//! Whatever was decided, the header is read back by a parser of RFC 9651 that others wrote, and says what the decision was.

use super::*;
use crate::config::{LocalHints, UnknownKeys, compile};
use crate::decide::{Decision, decide};
use crate::health::{CellKey, Event, Health, Outcome};
use crate::ids::ServiceId;
use crate::policy::Timestamp;
use crate::request::RequestFacts;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use sfv::{BareItem, Dictionary, InnerList, ListEntry, Parser};

/// How a region is doing.
#[derive(Clone, Copy, Debug)]
enum Condition {
    Healthy,
    EjectedFor(u64),
    HalfOpen,
    Tried,
    Ramping,
}

fn conditions() -> impl Strategy<Value = Condition> {
    prop_oneof![
        2 => Just(Condition::Healthy),
        2 => (1_u64..400_000).prop_map(Condition::EjectedFor),
        1 => Just(Condition::HalfOpen),
        1 => Just(Condition::Tried),
        1 => Just(Condition::Ramping),
    ]
}

/// What is decided about, before it is a policy.
#[derive(Clone, Debug)]
struct World {
    policy: Policy,
    conditions: Vec<Condition>,
    health: Health,
    wish: Vec<String>,
    random: u32,
}

/// A name that can be one: it may begin with a digit, and hold what looks like part of a plan's.
fn names() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,12}[a-z0-9])?"
}

fn worlds() -> impl Strategy<Value = World> {
    let regions = btree_set(names(), 2..=12).prop_flat_map(|names| {
        let names: Vec<_> = names.into_iter().collect();
        let conditions = vec(conditions(), names.len());
        let inside = proptest::sample::subsequence(names.clone(), 1..=names.len());
        (Just(names).prop_shuffle(), conditions, inside.prop_shuffle())
    });
    let wish = vec(prop_oneof![3 => any::<prop::sample::Index>().prop_map(Ok), 1 => "[ -~]{0,20}".prop_map(Err)], 0..3);
    (regions, names(), wish, any::<[bool; 6]>(), any::<u32>()).prop_map(
        |((names, conditions, inside), rule, wish, [fenced, shared, reject, fail, plans, drilled], random)| {
            let mut rule = json!({
                "name": if rule == "default" { "rule" } else { &rule },
                "onUnknownRegion": if reject { "reject" } else { "ignore" },
                "whenExhausted": if fail { "fail" } else { "preferred" },
            });
            if fenced {
                rule["fence"] = json!("f");
            }
            let (first, drills) = (&inside[0], [json!({
                "name": "d", "region": inside[0], "percent": 50, "from": "1970-01-01T00:16:00Z", "until": "1970-01-01T00:17:00Z",
            })]);
            if shared && inside.len() > 1 {
                rule["distribute"] = json!({first: 60, &inside[1]: 40});
            }
            let region = |(index, name)| json!({"name": name, "clusters": [format!("c{index}")]});
            let document = json!({
                "apiVersion": "meridian/v1", "role": "gateway", "local": names[0],
                "regions": names.iter().enumerate().map(region).collect::<Vec<_>>(),
                "fences": {"f": inside}, "table": if plans { "plans" } else { "full" },
                "services": [{"name": "page", "hosts": ["page.example.com"], "destination": {"host": "page", "port": 80}}],
                "rules": [rule], "drills": &drills[..usize::from(drilled)],
            });
            let (policy, _) = compile(&document, UnknownKeys::Refuse, &LocalHints::default()).unwrap();
            let health = health(&policy, &names, &conditions);
            let spelling = |wish: Result<prop::sample::Index, String>| wish.map_or_else(|odd| odd, |at| at.get(&names).clone());
            World { health, wish: wish.into_iter().map(spelling).collect(), random, policy, conditions }
        },
    )
}

fn health(policy: &Policy, names: &[String], conditions: &[Condition]) -> Health {
    let (mut health, settings) = (Health::default(), policy.health());
    for (name, condition) in names.iter().zip(conditions) {
        let key = CellKey { service: ServiceId(0), region: policy.region_named(name).unwrap() };
        let before = Timestamp(NOW.0 - 20_000);
        match condition {
            Condition::Healthy => {}
            Condition::EjectedFor(millis) => health.eject(key, Timestamp(NOW.0 + millis)),
            Condition::HalfOpen => health.eject(key, before),
            Condition::Tried => {
                health.eject(key, before);
                assert!(health.take_token(key, NOW, settings));
            }
            Condition::Ramping => {
                health.eject(key, before);
                assert!(health.take_token(key, before, settings));
                let answered = Event { key, outcome: Outcome::Success, probe: true };
                health.record(answered, before, settings, names.len());
            }
        }
    }
    health
}

impl World {
    fn decide(&self) -> Decision {
        let mut lines = vec![(":method", "GET"), (":authority", "page.example.com"), (":path", "/")];
        lines.extend(self.wish.iter().map(|wish| ("region", wish.as_str())));
        decide(&self.policy, &self.health, &RequestFacts::new(&lines), NOW, self.random).unwrap()
    }

    fn header(&self, decision: &Decision) -> String {
        let record = DecisionRecord {
            asked: decision.asked,
            chosen: decision.chosen(),
            reason: decision.reason(),
            rule: &self.policy.rule(decision.rule).unwrap().name,
        };
        decision_header(&self.policy, &record, candidates(&self.policy, &self.health, decision, NOW))
    }
}

fn parse(text: &str) -> Dictionary {
    Parser::new(text).parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The text of a member, which is a token or a string and has no parameters.
fn text<'d>(header: &'d Dictionary, key: &str) -> Option<&'d str> {
    let ListEntry::Item(item) = header.get(key)? else { panic!("{key} is a list") };
    assert!(item.params.is_empty(), "{key}");
    match &item.bare_item {
        BareItem::Token(token) => Some(token.as_str()),
        BareItem::String(string) => Some(string.as_str()),
        other => panic!("{key} is {other:?}"),
    }
}

/// What is said about a region: a word, and a number where it has one.
type Reproach<'a> = Option<(&'a str, Option<i64>)>;

/// The skipped regions, each with what is said about it.
fn skipped(header: &Dictionary) -> Vec<(&str, Reproach<'_>)> {
    let Some(ListEntry::InnerList(InnerList { items, params })) = header.get("skipped") else {
        assert_eq!(header.get("skipped"), None);
        return Vec::new();
    };
    assert!(params.is_empty() && !items.is_empty());
    items
        .iter()
        .map(|item| {
            assert!(item.params.len() <= 1);
            let why = item.params.first().map(|(key, value)| match value {
                BareItem::Integer(number) => (key.as_str(), Some(i64::from(*number))),
                BareItem::Boolean(true) => (key.as_str(), None),
                other => panic!("{other:?}"),
            });
            (item.bare_item.as_string().unwrap().as_str(), why)
        })
        .collect()
}

/// What has to be said about a region that was not taken.
fn reproach(world: &World, decision: &Decision, region: RegionId) -> Reproach<'static> {
    if decision.drilled.takes(region, world.policy.drills()) {
        return Some(("drill", None));
    }
    match world.conditions[region.index()] {
        Condition::Healthy => None,
        Condition::EjectedFor(millis) => Some(("ejected", Some(i64::try_from(millis / 1_000).unwrap()))),
        Condition::HalfOpen | Condition::Tried => Some(("half_open", None)),
        // A third of a minute's straight ramp from a tenth on.
        Condition::Ramping => Some(("ramping", Some(33))),
    }
}

proptest! {
    #[test]
    fn a_header_says_what_the_decision_was(world in worlds()) {
        let decision = world.decide();
        let written = world.header(&decision);
        let header = parse(&written);
        let asked = match decision.asked {
            Asked::Region(region) => Some(world.policy.region_name(region)),
            Asked::Nothing | Asked::Unknown => None,
        };
        prop_assert_eq!(text(&header, "asked"), asked);
        prop_assert_eq!(text(&header, "chosen"), decision.chosen().map(|region| world.policy.region_name(region)));
        prop_assert_eq!(text(&header, "reason"), Some(decision.reason().as_str()));
        prop_assert_eq!(text(&header, "rule"), Some(world.policy.rules()[0].name.as_str()));
        prop_assert_eq!(u16::from_str_radix(text(&header, "rev").unwrap(), 16), Ok(world.policy.revision()));
        prop_assert!(header.len() <= 6, "{}", written);
    }

    #[test]
    fn a_header_lists_who_stood_before_the_chosen_one_and_why_not(world in worlds()) {
        let decision = world.decide();
        let header = parse(&world.header(&decision));
        let rule = world.policy.rule(decision.rule).unwrap();
        let order = world.policy.scope(rule.scope_for(decision.want)).unwrap().order_from(decision.want);
        let before: Vec<_> = match (decision.reason(), decision.chosen()) {
            (Reason::Exhausted, _) => order.take(8).collect(),
            (_, Some(chosen)) => order.take_while(|region| *region != chosen).take(8).collect(),
            (_, None) => Vec::new(),
        };
        let wanted: Vec<_> = before
            .into_iter()
            .map(|region| (world.policy.region_name(region), reproach(&world, &decision, region)))
            .collect();
        prop_assert_eq!(skipped(&header), wanted);
    }

    #[test]
    fn a_header_says_how_the_request_ended_last(world in worlds(), refused in any::<bool>()) {
        let delivery = if refused { Delivery::Refused } else { Delivery::Rescued };
        let mut written = world.header(&world.decide());
        add_delivery(&mut written, delivery);
        let header = parse(&written);
        prop_assert_eq!(header.last().map(|(key, _)| key.as_str()), Some("outcome"));
        prop_assert_eq!(text(&header, "outcome"), Some(delivery.as_str()));
    }

    #[test]
    fn a_rule_of_any_name_is_one_member(rule in ".{0,40}") {
        let policy = policy(&with_rules(json!([])));
        let record = DecisionRecord { asked: Asked::Nothing, chosen: None, reason: Reason::Local, rule: &rule };
        let header = parse(&decision_header(&policy, &record, std::iter::empty()));
        prop_assert_eq!(header.len(), 3);
        let kept = |byte: u8| if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) { char::from(byte) } else { '*' };
        let kept: String = rule.bytes().map(kept).collect();
        prop_assert_eq!(text(&header, "rule"), Some(kept.as_str()));
    }
}
