//! Commands that people wait for, on a policy of a thousand regions and a thousand hosts.
//!
//! The figures are printed (`cargo test --release -p meridian --test speed -- --nocapture`): the aim is 50 ms each in a release build.
//! What a test can hold on a busy machine is the shape: ten times the policy may cost no more than forty times the time, where a
//! quadratic step would cost a hundred; and a release build may take no more than twenty times the aim.

// What the tests share may fail them as they may themselves.
#![allow(clippy::expect_used)]

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const AIM: Duration = Duration::from_millis(50);

/// A policy of so many regions, hosts and half as many fences, within the native table's limits.
fn policy(size: usize) -> String {
    let mut text = "apiVersion: meridian/v1\nrole: gateway\ntable: plans\nregions:\n".to_owned();
    let each = |text: &mut String, line: &dyn Fn(usize) -> String, step: usize| {
        (0..size).step_by(step).for_each(|index| writeln!(text, "{}", line(index)).expect("a string takes it"));
    };
    each(
        &mut text,
        &|i| format!("- {{name: region-{i}, clusters: [c{i}], displayName: REGION {i}, aliases: [r{i}]}}"),
        1,
    );
    text += "fences:\n";
    each(&mut text, &|i| format!("  fence-{i}: [region-{i}, region-{}]", i + 1), 2);
    text += "services:\n";
    let destination = |i| format!("{{host: service-{i}.default.svc.cluster.local, port: 8080}}");
    each(
        &mut text,
        &|i| format!("- {{name: service-{i}, hosts: [service-{i}.example.com], destination: {}}}", destination(i)),
        1,
    );
    text += "rules:\n";
    let matching = |i| format!("{{services: [service-{i}, service-{}]}}", i + 1);
    each(&mut text, &|i| format!("- {{name: rule-{i}, match: {}, fence: fence-{i}, timeout: 10s}}", matching(i)), 2);
    text
}

/// The DestinationRule of one service.
fn destination_rule(index: usize) -> String {
    let first = index / 2 * 2;
    let subset = |region: usize| {
        format!(
            "  - name: prefer-region-{region}-in-fence-{first}\n    labels: {{fence.meridian/fence-{first}: \"true\"}}\n    \
             trafficPolicy: {{loadBalancer: {{localityLbSetting: {{failoverPriority: [topology.istio.io/cluster=c{region}]}}}}}}\n"
        )
    };
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: service-{index}, namespace: default}}\n\
         spec:\n  host: service-{index}.default.svc.cluster.local\n  trafficPolicy:\n    \
         outlierDetection: {{consecutiveGatewayErrors: 5, maxEjectionPercent: 100}}\n  subsets:\n{}{}",
        subset(first),
        subset(first + 1)
    )
}

/// The fastest of some runs, of a command that exits with one of these codes.
fn fastest(arguments: &[&str], codes: &[i32]) -> Duration {
    let run = || {
        let started = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_meridian")).args(arguments).output().expect("the command runs");
        let taken = started.elapsed();
        let code = output.status.code().expect("an exit code");
        assert!(codes.contains(&code), "{}", String::from_utf8_lossy(&output.stderr));
        taken
    };
    (0..5).map(|_| run()).min().expect("five runs")
}

/// How long validate, explain and lint take.
fn measured(folder: &Path, size: usize) -> [Duration; 3] {
    let file = folder.join(format!("{size}.yaml"));
    std::fs::write(&file, policy(size)).expect("the folder can be written to");
    let manifests = folder.join(size.to_string());
    std::fs::create_dir(&manifests).expect("the folder can be written to");
    for index in 0..size {
        let path = manifests.join(format!("{index}.yaml"));
        std::fs::write(path, destination_rule(index)).expect("the folder can be written to");
    }
    let (file, manifests) = (file.to_str().expect("a path"), manifests.to_str().expect("a path"));
    [
        fastest(&["validate", file], &[0]),
        fastest(&["explain", file, "--request", "GET https://service-9.example.com/ region: r8"], &[0]),
        // No EnvoyFilter is there, which is the one finding.
        fastest(&["lint", file, "--manifests", manifests], &[1]),
    ]
}

#[test]
fn ten_times_the_policy_costs_no_hundred_times_the_time() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let small = measured(folder.path(), 100);
    let large = measured(folder.path(), 1_000);
    for ((name, small), large) in ["validate", "explain", "lint"].iter().zip(small).zip(large) {
        let times = large.as_secs_f64() / small.as_secs_f64();
        println!("{name}: {small:.1?} at 100 regions and hosts, {large:.1?} at 1,000: {times:.1} times");
        assert!(times < 40.0, "{name} takes {times:.1} times as long");
        assert!(cfg!(debug_assertions) || large < AIM * 20, "{name} takes {large:?}");
    }
}
