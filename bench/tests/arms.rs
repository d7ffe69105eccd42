//! The benchmark compares what answers alike: every arm is asked everything that it is measured with. And what can be counted can gate:
//! what a request does at the border between Envoy and the module is the same on any machine.

use bench::arms::{Name, SIZES, Situation, parts};
use bench::calls::Calls;
use bench::cpu::{Effort, Figures};
use bench::stage::Stage;
use integration::envoy::EnvoyVersion;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn every_arm_answers_with_the_right_status_region_and_tag_and_is_measured() {
    let names: BTreeSet<Name> = Name::ALL.into_iter().chain(parts()).chain(SIZES).collect();
    let names: Vec<Name> = names.into_iter().collect();
    let stage = Stage::start(&EnvoyVersion::newest().unwrap(), &names).await.unwrap();
    for cell in stage.cells() {
        stage.check(&cell).await.unwrap();
    }
    let effort = Effort { rounds: 1, slices: 1, requests: 20 };
    let figures = Figures::measure(&stage, effort, |_| ()).await.unwrap();
    for cell in stage.cells() {
        let cost = figures.cost(cell.name, cell.situation).unwrap();
        assert!(cost.least > 0.0, "{:?} {:?}", cell.name, cell.situation);
    }
}

/// The host calls that change something about a request or its response.
const WRITES: [&str; 5] = ["add_header", "replace_header", "remove_header", "set_header_map_pairs", "set_property"];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_to_a_healthy_request_and_one_without_a_region_header_and_shadow_rules_is_read_once_in_each_direction()
 {
    let names = [Name::Minimal, Name::Everything, Name::Unshadowed];
    let stage = Stage::start(&EnvoyVersion::newest().unwrap(), &names).await.unwrap();
    for cell in stage.cells().iter().filter(|cell| !cell.situation.is_lost()) {
        let calls = Calls::count(&stage, cell).await.unwrap();
        let written = calls.host.keys().find(|name| WRITES.iter().any(|write| name.contains(write)));
        assert_eq!(written, None, "{:?} {:?}", cell.name, cell.situation);
        // For whatever the host hands over it asks for memory; one response in 32 is looked at in full.
        let memory = |name: &&str| calls.entries.get(*name).copied();
        let handed_over: f64 = ["malloc", "proxy_on_memory_allocate"].iter().filter_map(memory).sum();
        let reads_more = cell.situation != Situation::Default || cell.name == Name::Everything;
        assert!(reads_more || handed_over < 2.5, "{:?}: {calls:?}", cell.name);
    }
}
