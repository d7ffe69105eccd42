//! A mesh as it was drawn, before anything of Meridian has seen it: the policy, the gateways and the drills in plain numbers.
//!
//! It writes the policy document, and it answers on its own what that document means (which regions are inside, where a request
//! wants to go, in which order it may move), so that the checks hold the core against the design and not against the core.

mod document;
mod parts;

use crate::draw::Draw;

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
    /// The services that have a probe.
    pub(crate) probed: Vec<usize>,
    pub(crate) probes: Probes,
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

/// How regions are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probes {
    pub(crate) interval: u64,
    pub(crate) timeout: u64,
    pub(crate) unhealthy: u64,
    pub(crate) healthy: u64,
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
        let mut rules: Vec<Rule> = (0..draw.between(0, 3)).map(|_| parts::rule(draw, &all)).collect();
        let implied = rules.is_empty() || draw.chance(30);
        rules.push(Rule { timeout: 15_000, ..Rule::default() });
        let health = parts::health(draw);
        let length = draw.between(20_000, 60_000);
        let drills = if draw.chance(25) {
            (0..draw.between(1, 2)).map(|_| parts::drill(draw, regions, services)).collect()
        } else {
            Vec::new()
        };
        let gateways = (0..draw.between(1, 3)).map(|_| parts::gateway(draw, regions)).collect();
        let probed = if draw.chance(30) { draw.some(&(0..services).collect::<Vec<_>>(), 1) } else { Vec::new() };
        let interval = draw.between(1_000, 2_000);
        let timeout = draw.between(100, interval);
        let probes = Probes { interval, timeout, unhealthy: draw.between(1, 3), healthy: draw.between(1, 2) };
        let full_table = draw.chance(80);
        Self { regions, services, rules, implied, health, drills, probed, probes, full_table, gateways, length }
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
