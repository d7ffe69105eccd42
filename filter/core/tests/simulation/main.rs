//! Meridian in a whole mesh that does not exist: gateways with many workers, regions, services, a clock, and everything that goes wrong.
//!
//! The core has no clock, no randomness and no I/O, so thousands of meshes can live and fail in seconds, each one drawn from a seed and
//! the same whenever it is drawn again. What decides here is the core itself ([`Worker`](meridian_core::worker::Worker), `decide`,
//! `judge`); what is simulated is what surrounds it: clients, Envoy's route table, retries and outlier detection, the services, the store
//! that workers share, the queues by which they tell each other of it, and a schedule of outages, brown-outs, latency, partitions, new VMs and clocks that jump. The [`checks`] say what must
//! hold in every story. A seed that breaks one prints the end of its story and how to see all of it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what cannot go on has failed, in helpers as well"
)]

mod bell;
mod checks;
mod draw;
mod envoy;
mod fault;
mod gateway;
mod ledger;
mod mesh;
mod request;
mod sabotage;
mod site;
mod sketch;
mod soak;
mod store;
mod story;
mod vm;

use mesh::Mesh;
use sabotage::Sabotage;
use story::Telling;

/// So many stories in every run of the tests.
const SEEDS: u64 = 2_000;

/// Lets a story happen; what broke, with the end of the story.
fn story(seed: u64) -> Result<Mesh, String> {
    let mut mesh = Mesh::new(seed, None, Telling::Nothing);
    if mesh.run().is_ok() {
        return Ok(mesh);
    }
    let mut again = Mesh::new(seed, None, Telling::Last);
    match again.run() {
        Ok(()) => Err(format!("seed {seed} broke a check and then did not: something here is not drawn from the seed")),
        Err(broken) => Err(format!(
            "seed {seed} broke the check `{}`: {}\n\n{}\nall of it: SEED={seed} cargo test -p meridian-core --test simulation replay -- --nocapture\n",
            broken.check, broken.why, again.story
        )),
    }
}

#[test]
fn every_story_keeps_every_promise() {
    let held = soak::run(0..SEEDS, None).unwrap_or_else(|report| panic!("{report}"));
    let idle: Vec<_> = held.judged.iter().filter(|(_, times)| **times < SEEDS).collect();
    assert!(idle.is_empty(), "checks that had next to nothing to judge: {idle:?}");
}

#[test]
fn the_same_seed_is_the_same_story() {
    let end = |seed| {
        let mut mesh = Mesh::new(seed, None, Telling::Last);
        let _ = mesh.run();
        (mesh.requests.len(), mesh.story.to_string())
    };
    for seed in 0..10 {
        assert_eq!(end(seed), end(seed));
    }
}

#[test]
fn every_mistake_breaks_the_check_that_is_there_for_it() {
    for (sabotage, expected) in Sabotage::ALL {
        let first = |seed| {
            let mut mesh = Mesh::new(seed, Some(sabotage), Telling::Nothing);
            mesh.run().err().map(|broken| (seed, broken))
        };
        match expected {
            Some(check) => {
                let mut others = Vec::new();
                let found = (0..150).filter_map(first).any(|(seed, broken)| {
                    let is_it = broken.check == check;
                    others.push((seed, broken));
                    is_it
                });
                assert!(found, "{sabotage:?} never broke `{check}`: {others:#?}");
            }
            None => {
                let broken: Vec<_> = (0..50).filter_map(first).filter(|(_, broken)| broken.check == "fence").collect();
                assert!(broken.is_empty(), "{sabotage:?} broke {broken:#?}");
            }
        }
    }
}

/// Prints the story of `SEED`.
#[test]
fn replay() {
    let Some(seed) = soak::number("SEED") else { return };
    let mut mesh = Mesh::new(seed, None, Telling::Aloud);
    println!("{:#}\n{:#?}\n{:#?}", mesh.sketch.document(), mesh.sketch.gateways, mesh.faults);
    if let Err(broken) = mesh.run() {
        panic!("seed {seed} broke the check `{}`: {}", broken.check, broken.why);
    }
}

/// `make soak`.
#[test]
#[ignore = "as long as it is asked to be: make soak"]
fn soak() {
    soak::long();
}
