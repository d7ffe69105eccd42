//! A mesh as it was drawn, before anything of Meridian has seen it: the policy, the gateways and the drills in plain numbers.
//!
//! It writes the policy document, and it answers on its own what that document means (which regions are inside, where a request
//! wants to go, in which order it may move), so that the checks hold the core against the design and not against the core.

use crate::draw::Draw;
use serde_json::{Value, json};

/// The wall clock when the story begins, in milliseconds: 1970-01-12.
pub(crate) const BEGIN: u64 = 1_000_000_000;

/// All that is drawn at the beginning. Times are milliseconds, regions and services are numbers.
#[derive(Clone, Debug)]
pub(crate) struct Sketch {
    pub(crate) regions: usize,
    pub(crate) services: usize,
    /// The last one is the implied one.
    pub(crate) rules: Vec<Rule>,
    /// Whether anybody asks under the implied one, whose long timeout makes everything longer.
    pub(crate) implied: bool,
    pub(crate) health: Health,
    pub(crate) drills: Vec<Drill>,
    pub(crate) full_table: bool,
    pub(crate) gateways: Vec<Gateway>,
    /// How long the story is.
    pub(crate) length: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    pub(crate) fence: Option<Vec<usize>>,
    pub(crate) failover: Vec<(usize, Vec<usize>)>,
    pub(crate) distribute: Vec<(usize, u64)>,
    pub(crate) rescue: Option<Rescue>,
    pub(crate) timeout: u64,
    pub(crate) fails: bool,
    pub(crate) rejects: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rescue {
    pub(crate) attempts: u32,
    pub(crate) per_try: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) gateway_errors: u64,
    pub(crate) server_errors: u64,
    pub(crate) interval: u64,
    pub(crate) base: u64,
    pub(crate) longest: u64,
    pub(crate) most: u64,
    pub(crate) threshold: u64,
    pub(crate) volume: u64,
    pub(crate) stall: u64,
    pub(crate) ramp: u64,
    pub(crate) minimum: u64,
    /// In hundredths.
    pub(crate) aggression: u64,
    pub(crate) tokens: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Drill {
    pub(crate) region: usize,
    pub(crate) services: Vec<usize>,
    pub(crate) percent: u64,
    /// Seconds from the beginning.
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// One Envoy, and who asks it.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    pub(crate) local: Option<usize>,
    pub(crate) workers: usize,
    /// Milliseconds from one request to the next, on average.
    pub(crate) gap: u64,
    /// Requests come one by one, as a load generator sends them.
    pub(crate) steady: bool,
    /// A retry leaves its region at every one or, as Istio has it, at every second try.
    pub(crate) moves_every: u32,
    /// Retries of the user's own, where the rule rescues nothing.
    pub(crate) own_retries: u32,
    /// Envoy's own outlier detection is on.
    pub(crate) detects: bool,
    /// Header lines are matched as one joined value, as up to Envoy 1.38.
    pub(crate) joins: bool,
    /// The native table removes a client's plan before any filter; where it does not, the fence must hold all the same.
    pub(crate) strips: bool,
    /// Every worker hears of the others' news at once; otherwise perhaps, and at any time.
    pub(crate) rings: bool,
}

impl Sketch {
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        let (regions, services) = (draw.between(2, 8) as usize, draw.between(1, 4) as usize);
        let all: Vec<usize> = (0..regions).collect();
        let mut rules: Vec<Rule> = (0..draw.between(0, 3)).map(|_| rule(draw, &all)).collect();
        let implied = rules.is_empty() || draw.chance(30);
        rules.push(Rule { timeout: 15_000, ..Rule::default() });
        let health = health(draw);
        let length = draw.between(20_000, 60_000);
        let drills = if draw.chance(25) {
            (0..draw.between(1, 2)).map(|_| drill(draw, regions, services)).collect()
        } else {
            Vec::new()
        };
        let gateways = (0..draw.between(1, 3)).map(|_| gateway(draw, regions)).collect();
        Self { regions, services, rules, implied, health, drills, full_table: draw.chance(80), gateways, length }
    }

    /// How many rules anybody asks under.
    pub(crate) fn asked_rules(&self) -> usize {
        self.rules.len() - usize::from(!self.implied)
    }

    /// No request lasts longer.
    pub(crate) fn longest_timeout(&self) -> u64 {
        self.rules[..self.asked_rules()].iter().map(|rule| rule.timeout).max().unwrap_or(0)
    }

    /// The regions a rule may never leave, in order.
    pub(crate) fn inside(&self, rule: usize) -> Vec<usize> {
        self.rules[rule].fence.clone().unwrap_or_else(|| (0..self.regions).collect())
    }

    /// Where a request of a gateway goes that asks for no region, where that is one place.
    pub(crate) fn home(&self, rule: usize, gateway: usize) -> Option<usize> {
        let inside = self.inside(rule);
        let local = self.gateways[gateway].local.filter(|local| inside.contains(local));
        self.rules[rule].distribute.is_empty().then(|| local.unwrap_or(inside[0]))
    }

    /// Where a request that wants a region may go, in order.
    pub(crate) fn order(&self, rule: usize, want: usize) -> Vec<usize> {
        let listed = self.rules[rule].failover.iter().find(|(from, _)| *from == want);
        let others = listed.map_or_else(|| self.inside(rule), |(_, to)| to.clone());
        std::iter::once(want).chain(others.into_iter().filter(|region| *region != want)).collect()
    }

    /// The document for the filter.
    pub(crate) fn document(&self) -> Value {
        let name = |region: &usize| format!("r{region}");
        let names = |regions: &[usize]| regions.iter().map(name).collect::<Vec<_>>();
        let regions: Vec<Value> = (0..self.regions)
            .map(|r| json!({"name": name(&r), "clusters": [format!("c{r}")], "displayName": tag(r), "aliases": [format!("alias-{r}")]}))
            .collect();
        let services: Vec<Value> = (0..self.services)
            .map(|s| {
                let destination = json!({"host": format!("s{s}.local"), "port": 80});
                json!({"name": format!("s{s}"), "hosts": [host(s)], "destination": destination})
            })
            .collect();
        let mut fences = json!({});
        let mut rules = Vec::new();
        for (number, rule) in self.rules[..self.rules.len() - 1].iter().enumerate() {
            let mut written = json!({
                "name": format!("rule-{number}"),
                "match": {"pathPrefix": path(number)},
                "timeout": time(rule.timeout),
                "whenExhausted": if rule.fails { "fail" } else { "preferred" },
                "onUnknownRegion": if rule.rejects { "reject" } else { "ignore" },
            });
            if let Some(fence) = &rule.fence {
                fences[format!("f{number}")] = json!(names(fence));
                written["fence"] = json!(format!("f{number}"));
            }
            if !rule.failover.is_empty() {
                let entry = |(from, to): &(usize, Vec<usize>)| json!({"from": name(from), "to": names(to)});
                written["failover"] = rule.failover.iter().map(entry).collect();
            }
            if !rule.distribute.is_empty() {
                written["distribute"] =
                    rule.distribute.iter().map(|(region, percent)| (name(region), json!(percent))).collect();
            }
            if let Some(rescue) = rule.rescue {
                written["rescue"] = json!({"attempts": rescue.attempts, "perTryTimeout": time(rescue.per_try)});
            }
            rules.push(written);
        }
        let drills: Vec<Value> = self
            .drills
            .iter()
            .enumerate()
            .map(|(number, drill)| {
                let services: Vec<String> = drill.services.iter().map(|service| format!("s{service}")).collect();
                json!({"name": format!("drill-{number}"), "region": name(&drill.region), "services": services,
                       "percent": drill.percent, "from": date(drill.from), "until": date(drill.until)})
            })
            .collect();
        json!({
            "apiVersion": "meridian/v1", "role": "gateway", "regions": regions, "services": services, "fences": fences,
            "rules": rules, "drills": drills, "table": if self.full_table { "full" } else { "plans" },
            "outlierDetection": {
                "consecutiveGatewayErrors": self.health.gateway_errors, "consecutive5xxErrors": self.health.server_errors,
                "interval": time(self.health.interval), "baseEjectionTime": time(self.health.base),
                "maxEjectionTime": time(self.health.longest), "maxEjectionPercent": self.health.most,
                "failurePercentage": {"threshold": self.health.threshold, "requestVolume": self.health.volume},
                "stallTimeout": time(self.health.stall),
            },
            "warmup": {
                "duration": if self.health.ramp == 0 { "0s".to_owned() } else { time(self.health.ramp) },
                "minimumPercent": self.health.minimum, "aggression": self.health.aggression as f64 / 100.0,
                "halfOpenRequests": self.health.tokens,
            },
        })
    }
}

/// How the serving side of a region signs.
pub(crate) fn tag(region: usize) -> String {
    format!("R{region}")
}

/// The host of a service.
pub(crate) fn host(service: usize) -> String {
    format!("s{service}.example.com")
}

/// The path of the requests of a rule.
pub(crate) fn path(rule: usize) -> String {
    format!("/rule-{rule}/")
}

fn time(millis: u64) -> String {
    format!("{millis}ms")
}

/// So many seconds after the beginning, as drills are written.
fn date(seconds: u64) -> String {
    let seconds = BEGIN / 1_000 + seconds;
    let (day, rest) = (seconds / 86_400 + 1, seconds % 86_400);
    format!("1970-01-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

fn rule(draw: &mut Draw, all: &[usize]) -> Rule {
    let fence = draw.chance(60).then(|| draw.some(all, 1));
    let inside = fence.clone().unwrap_or_else(|| all.to_vec());
    let mut failover = Vec::new();
    if draw.chance(40) {
        for from in draw.some(&inside, 1).into_iter().take(2) {
            let others: Vec<usize> = inside.iter().copied().filter(|region| *region != from).collect();
            failover.push((from, draw.some(&others, 0)));
        }
    }
    let mut distribute = Vec::new();
    if draw.chance(30) {
        let mut left = 100;
        let shared = draw.some(&inside, 1);
        let shared = &shared[..shared.len().min(3)];
        for (place, region) in shared.iter().enumerate() {
            let share = if place + 1 == shared.len() {
                left
            } else {
                draw.between(1, left - (shared.len() - 1 - place) as u64)
            };
            left -= share;
            distribute.push((*region, share));
        }
    }
    let rescue =
        draw.chance(60).then(|| Rescue { attempts: draw.between(1, 4) as u32, per_try: draw.between(100, 400) });
    Rule {
        fence,
        failover,
        distribute,
        rescue,
        timeout: draw.between(500, 3_000),
        fails: draw.chance(50),
        rejects: draw.chance(20),
    }
}

fn health(draw: &mut Draw) -> Health {
    let base = draw.between(500, 4_000);
    Health {
        gateway_errors: if draw.chance(5) { 0 } else { draw.between(1, 6) },
        server_errors: if draw.chance(70) { 0 } else { draw.between(2, 8) },
        interval: draw.between(500, 3_000),
        base,
        longest: base * draw.between(1, 4),
        most: if draw.chance(80) { 100 } else { draw.between(20, 80) },
        threshold: if draw.chance(20) { 0 } else { draw.between(30, 90) },
        volume: draw.between(5, 50),
        // What waits when a region is ejected is forgotten when it is back.
        stall: draw.between(500, base.max(1_000)),
        ramp: if draw.chance(15) { 0 } else { draw.between(500, 6_000) },
        minimum: draw.between(0, 30),
        aggression: draw.between(50, 200),
        tokens: draw.between(1, 3),
    }
}

fn drill(draw: &mut Draw, regions: usize, services: usize) -> Drill {
    let from = draw.between(0, 20);
    let services = if draw.chance(50) { Vec::new() } else { vec![draw.index(services)] };
    Drill {
        region: draw.index(regions),
        services,
        percent: draw.between(1, 100),
        from,
        until: from + draw.between(1, 10),
    }
}

fn gateway(draw: &mut Draw, regions: usize) -> Gateway {
    Gateway {
        local: draw.chance(80).then(|| draw.index(regions)),
        workers: draw.between(1, 8) as usize,
        gap: draw.between(12, 80),
        steady: draw.chance(30),
        moves_every: if draw.chance(70) { 1 } else { 2 },
        own_retries: if draw.chance(60) { 0 } else { 2 },
        detects: draw.chance(60),
        joins: draw.chance(50),
        strips: draw.chance(80),
        rings: draw.chance(50),
    }
}
