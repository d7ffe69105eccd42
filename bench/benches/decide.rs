//! What a decision costs, for whoever changes the core and wants to know at once: `cargo bench -p meridian-bench --profile measure`
//! before the change and after it, which Criterion compares, telling differences from noise. What is published is `make bench`, which
//! measures the whole path through Envoy; this is the core alone, compiled for this machine and not for WebAssembly.

use bench::{NOW, document, ejected, policy, request};
use criterion::{BenchmarkId, Criterion};
use meridian_core::decide::decide;
use meridian_core::health::Health;
use meridian_core::request::RequestFacts;
use std::hint::black_box;

/// Regions, and hosts with a rule each: the least and the most, each alone and both.
const SIZES: [(usize, usize); 4] = [(2, 1), (1_000, 1), (2, 1_000), (1_000, 1_000)];

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for (regions, hosts) in SIZES {
        let size = format!("{regions} regions, {hosts} hosts");
        let policy = match policy(&document(regions, hosts)) {
            Ok(policy) => policy,
            Err(problems) => {
                eprintln!("{size}: the policy does not compile: {problems:?}");
                continue;
            }
        };
        let (calm, lost) = (Health::default(), ejected(&policy, hosts));
        for (what, region, health) in [
            ("no region header", None, &calm),
            ("region header", Some("ALIAS-1"), &calm),
            ("no region header, a region ejected", None, &lost),
            ("region header, a region ejected", Some("ALIAS-0"), &lost),
        ] {
            let headers = request(hosts, region);
            group.bench_function(BenchmarkId::new(what, &size), |bencher| {
                bencher.iter(|| black_box(decide(&policy, health, &RequestFacts::new(black_box(&headers)), NOW, 0)));
            });
        }
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decisions(&mut criterion);
    criterion.final_summary();
}
