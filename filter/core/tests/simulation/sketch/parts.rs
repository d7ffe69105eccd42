//! The parts of a mesh, each drawn for itself.

use super::{Drill, Gateway, Health, Rescue, Rule};
use crate::draw::Draw;

pub(super) fn rule(draw: &mut Draw, all: &[usize]) -> Rule {
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

pub(super) fn health(draw: &mut Draw) -> Health {
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

pub(super) fn drill(draw: &mut Draw, regions: usize, services: usize) -> Drill {
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

pub(super) fn gateway(draw: &mut Draw, regions: usize) -> Gateway {
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
