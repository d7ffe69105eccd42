//! One worker's VM: the core's [`Worker`], with around it what the filter's shell does for each request, response and tick.
//!
//! The shell is short because it decides nothing: it asks when all is calm and a region is named, or when it is not calm; it looks at an
//! answer in full when that is not plain, and at one of so many that are.

use crate::request::Request;
use meridian_core::decide::{Decision, Verdict};
use meridian_core::health::{CellKey, Change, Event, Outcome};
use meridian_core::judge::{Expected, ResponseFacts, UpstreamFacts, is_plain, judge};
use meridian_core::probe::{Prober, result};
use meridian_core::request::RequestFacts;
use meridian_core::worker::{Member, Store, Worker};
use meridian_core::{Policy, ServiceId, Timestamp};

/// From one tick to the next.
pub(crate) const TICK: u64 = 250;
/// One plain answer in so many is looked at in full.
const SAMPLE: u32 = 32;

/// What a request left behind for its response.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trail {
    /// Nothing was decided.
    Native,
    Decided(Decision),
    /// The filter answered by itself.
    Refused(Decision),
}

/// What a worker is surrounded by.
pub(crate) struct Host<'a, S> {
    pub(crate) policy: &'a Policy,
    pub(crate) store: &'a S,
    pub(crate) now: Timestamp,
}

/// The end of a request, as Envoy tells it.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) attempts: u32,
    pub(crate) tag: Option<&'a [u8]>,
    pub(crate) upstream: UpstreamFacts,
}

pub(crate) struct Vm {
    pub(crate) worker: Worker,
    /// Which one it is of its worker's.
    pub(crate) number: u32,
    member: Member,
    /// When it told the others last where to ring it, in the story's time.
    pub(crate) listed: Option<u64>,
    prober: Prober,
    answers: u32,
}

impl Vm {
    pub(crate) fn new<S: Store>(number: u32, host: &Host<'_, S>) -> Self {
        Self {
            worker: Worker::new(host.policy, host.store, host.now),
            number,
            member: Member::default(),
            listed: None,
            prober: Prober::new(host.policy, host.now),
            answers: 0,
        }
    }

    pub(crate) fn request<S: Store>(
        &self,
        host: &Host<'_, S>,
        lines: &Vec<(&'static str, String)>,
        random: impl FnMut() -> u32,
    ) -> Trail {
        let asks = lines.iter().any(|(name, _)| *name == host.policy.region_header());
        if self.worker.is_calm(host.policy) && !asks {
            return Trail::Native;
        }
        match self.worker.decide(host.policy, host.store, &RequestFacts::new(lines), host.now, random) {
            None => Trail::Native,
            Some(decision) if matches!(decision.verdict, Verdict::Refuse { .. }) => Trail::Refused(decision),
            Some(decision) => Trail::Decided(decision),
        }
    }

    pub(crate) fn response<S: Store>(&mut self, host: &Host<'_, S>, trail: &Trail, answer: &Answer<'_>) -> Vec<Change> {
        let expected = match trail {
            Trail::Decided(decision) => Expected::by(decision),
            Trail::Native => None,
            Trail::Refused(_) => return Vec::new(),
        };
        let Answer { status, attempts, tag, upstream } = *answer;
        let tagged = tag.and_then(|tag| host.policy.region_tagged(tag));
        let response = ResponseFacts { status, grpc_status: None, attempts, tagged };
        let plain = is_plain(&response, expected);
        self.answers += 1;
        let sampled = self.answers.is_multiple_of(SAMPLE);
        if plain && !sampled && self.worker.health().is_quiet() {
            return Vec::new();
        }
        let facts = match (plain && !sampled, expected) {
            (false, _) => Some(upstream),
            (true, None) => {
                Some(UpstreamFacts { tried: true, answered: true, region: None, planned: upstream.planned })
            }
            (true, Some(_)) => None,
        };
        let judgement = judge(host.policy, &response, facts, expected);
        let changes = judgement.events.iter().flatten().flat_map(|event| self.record(host, *event)).collect();
        if let Some(key) = judgement.returned_token {
            self.worker.return_token(host.policy, host.store, key, host.now);
        }
        changes
    }

    /// The client went away.
    pub(crate) fn gone<S: Store>(&self, host: &Host<'_, S>, trail: &Trail) {
        if let Trail::Decided(decision) = trail
            && let Some(key) = decision.token()
        {
            self.worker.return_token(host.policy, host.store, key, host.now);
        }
    }

    /// The probes that it sends at this tick, if it is the one that asks; `lease` says who is.
    pub(crate) fn probes<S: Store>(&mut self, host: &Host<'_, S>, lease: &impl Store) -> Vec<usize> {
        let due = self.prober.tick(host.policy, lease, host.now);
        // One at a time of each, so that the index is its number as well.
        due.iter().for_each(|index| self.prober.sent(*index, *index as u32, host.now));
        due
    }

    /// What came of a probe; `None`: nothing.
    pub(crate) fn probed<S: Store>(
        &mut self,
        host: &Host<'_, S>,
        number: usize,
        answer: Option<(u16, Option<&[u8]>)>,
    ) -> Vec<Change> {
        let probe = self.prober.answered(number as u32).and_then(|index| host.policy.probes().get(index));
        let Some(probe) = probe else { return Vec::new() };
        let facts = |(status, tag): (u16, Option<&[u8]>)| {
            let tagged = tag.and_then(|tag| host.policy.region_tagged(tag));
            ResponseFacts { status, grpc_status: None, attempts: 1, tagged }
        };
        let result = result(host.policy, probe, answer.map(facts).as_ref());
        let changes = self.worker.record_probe(host.policy, host.store, probe.key, result, host.now);
        changes.into_iter().flatten().collect()
    }

    /// Whom it rings.
    pub(crate) fn others(&self, roster: &impl Store, now: Timestamp) -> Vec<u32> {
        self.member.others(roster, now)
    }

    /// Says that it is alive, if it is time to; `queue` registers its queue.
    pub(crate) fn renew(
        &mut self,
        roster: &impl Store,
        now: (u64, Timestamp),
        queue: impl FnMut(usize) -> Option<u32>,
    ) {
        if self.member.is_due(now.1) {
            self.listed = self.member.renew(roster, now.1, queue).map(|_| now.0);
        }
    }

    /// The tick, with those of the worker's requests that nobody has answered and the time they began.
    pub(crate) fn tick<S: Store>(&self, host: &Host<'_, S>, now: u64, waiting: &[&Request]) -> Vec<Change> {
        let mut changes = self.worker.tick(host.policy, host.store, host.now);
        let settings = host.policy.outlier_detection();
        let patience = (settings.stall_timeout.as_millis() as u64 / 2).div_ceil(TICK) * TICK;
        let enough = settings.consecutive_gateway_errors.max(1) as usize;
        let mut late: Vec<(CellKey, usize)> = Vec::new();
        // What has waited for longer has been told: where a region is in use again, that was another time.
        let is_late = |request: &&&Request| (patience + 1..=3 * patience).contains(&now.saturating_sub(request.begun));
        for request in waiting.iter().filter(is_late) {
            let Some(key) = planned(host.policy, request) else { continue };
            match late.iter_mut().find(|(at, _)| *at == key) {
                Some((_, count)) => *count += 1,
                None => late.push((key, 1)),
            }
        }
        for (key, _) in late.into_iter().filter(|(_, count)| *count >= enough) {
            changes.extend(self.record(host, Event { key, outcome: Outcome::Stalled, probe: false }));
        }
        changes
    }

    fn record<S: Store>(&self, host: &Host<'_, S>, event: Event) -> Vec<Change> {
        self.worker.record(host.policy, host.store, event, host.now).into_iter().flatten().collect()
    }
}

/// The service and the first region of a request's plan.
fn planned(policy: &Policy, request: &Request) -> Option<CellKey> {
    let service: ServiceId = policy.service_named(&format!("s{}", request.ask.service))?;
    let region = policy.region_named(&format!("r{}", request.route.first()?))?;
    Some(CellKey { service, region })
}
