//! How workers hear of each other's news at once, and how everybody hears that a worker is alive.
//!
//! Each VM, that is each worker, has a queue of its own and a slot in the list of them. It takes the slot at its first tick, not before:
//! Envoy tries every configuration on a VM that it throws away, and that one never ticks. All configurations of a VM share its slot,
//! because two plugins may be in one VM; whoever is rung looks for all of them. A message says when it was sent and nothing else: what is
//! new is in the store. When a worker renews its slot it also says so in a gauge, because a VM that trapped moves no metric of Envoy's own:
//! a slot's time that stays behind the others' is a worker that died.

use crate::abi;
use crate::metrics::Metrics;
use crate::shared_data::SharedData;
use meridian_core::Timestamp;
use meridian_core::worker::Member;

/// A histogram, in microseconds: from the change of the store to the view of another worker.
pub(crate) const NEWS_AGE: &str = "meridian_news_age_microseconds";
/// A gauge, in seconds since the epoch: when the worker of this slot was last alive; 0 when others took its place.
const HEARTBEAT: &str = "meridian_heartbeat_seconds";
/// The list, and the number of its format. A queue goes by the number of its slot.
const ROSTER: &str = "meridian/roster/2";
const QUEUES: &str = "meridian/doorbell/";
/// A host that has a message for every question must not make this a loop.
const MESSAGES: usize = 10_000;

thread_local! {
    /// What a VM has once, however many configurations.
    // Leaked, because a VM ends without destructors, and registering them is a KiB.
    static MEMBER: &'static Member = Box::leak(Box::default());
}

/// Says that this worker is alive, if it is time to.
pub(crate) fn tick(metrics: &Metrics, now: Timestamp) {
    MEMBER.with(|member| {
        if !member.is_due(now) {
            return;
        }
        let queue = |slot: usize| {
            let name = format!("{QUEUES}{slot}");
            metrics.checked("register_shared_queue", abi::register_queue(&name))
        };
        if let Some(renewed) = member.renew(&roster(metrics), now, queue) {
            heartbeat(metrics, renewed.number, now);
            renewed.ended.iter().for_each(|slot| heartbeat(metrics, *slot, Timestamp::NEVER));
        }
    });
}

/// Tells all other workers that there is news.
pub(crate) fn ring(metrics: &Metrics) {
    let sent = metrics.checked("get_current_time", abi::microseconds()).unwrap_or_default();
    MEMBER.with(|member| {
        for queue in member.others(&roster(metrics), Timestamp(sent / 1_000)) {
            metrics.checked("enqueue_shared_queue", abi::enqueue(queue, &sent.to_le_bytes()));
        }
    });
}

/// Takes what is in the queue, however much it is, and then has `look` look at the store once.
pub(crate) fn answer(queue: u32, metrics: &Metrics, look: impl FnOnce()) {
    let mut last = Vec::new();
    for _ in 0..MESSAGES {
        match metrics.checked("dequeue_shared_queue", abi::dequeue(queue)).flatten() {
            Some(message) => last = message,
            None => break,
        }
    }
    look();
    if let (Ok(sent), Ok(now)) = (last.try_into(), abi::microseconds()) {
        metrics.observe(NEWS_AGE, now.saturating_sub(u64::from_le_bytes(sent)));
    }
}

fn roster(metrics: &Metrics) -> SharedData<'_> {
    SharedData { key: ROSTER, metrics }
}

fn heartbeat(metrics: &Metrics, slot: usize, at: Timestamp) {
    metrics.set(HEARTBEAT, &[("worker", &slot.to_string())], at.0 / 1_000);
}
