//! What a decision costs, by how much there is to decide about: printed, never a gate.

use bench::{NOW, document, ejected, policy, request};
use meridian_core::decide::decide;
use meridian_core::health::Health;
use meridian_core::request::RequestFacts;
use std::hint::black_box;
use std::time::Instant;

const SIZES: [(usize, usize); 4] = [(2, 1), (50, 50), (1_000, 1), (1_000, 1_000)];
const ROUNDS: u32 = 9;
const DECISIONS: u32 = 20_000;

fn main() {
    println!(
        "Native code of the core on this machine; median of {ROUNDS} rounds. The ratio is to the first row of the same run.\n"
    );
    println!("regions  hosts  configure    healthy  ratio  region header  ratio  failover  ratio");
    let mut base = None;
    for (regions, hosts) in SIZES {
        let document = document(regions, hosts);
        let configure = median(|| {
            let start = Instant::now();
            let _ = black_box(policy(&document));
            start.elapsed().as_secs_f64() * 1e3
        });
        let Ok(policy) = policy(&document) else {
            eprintln!("the measured policy does not compile; this is a bug of the benchmark");
            std::process::exit(1);
        };
        let (plain, pinned) = (request(hosts, None), request(hosts, Some("ALIAS-1")));
        let calm = Health::default();
        let lost = ejected(&policy, hosts);
        let time = |headers: &Vec<(&'static str, String)>, health: &Health| {
            median(|| {
                let start = Instant::now();
                for _ in 0..DECISIONS {
                    black_box(decide(&policy, health, &RequestFacts::new(black_box(headers)), NOW, 0));
                }
                start.elapsed().as_secs_f64() * 1e9 / f64::from(DECISIONS)
            })
        };
        let row = [time(&plain, &calm), time(&pinned, &calm), time(&plain, &lost)];
        let first = *base.get_or_insert(row);
        let ratio = |index: usize| row.get(index).zip(first.get(index)).map_or(0.0, |(now, first)| now / first);
        let [healthy, header, failover] = row;
        println!(
            "{regions:>7}  {hosts:>5}  {configure:>6.2} ms  {healthy:>6.0} ns  {:>5.2}  {header:>10.0} ns  {:>5.2}  {failover:>5.0} ns  {:>5.2}",
            ratio(0),
            ratio(1),
            ratio(2)
        );
    }
}

fn median(mut measure: impl FnMut() -> f64) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| measure()).collect();
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}
