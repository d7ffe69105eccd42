//! The benchmark compares what answers alike: every arm is asked everything that it is measured with.

use bench::cpu::{Effort, Figures};
use bench::stage::Stage;
use integration::envoy::EnvoyVersion;

#[tokio::test(flavor = "multi_thread")]
async fn every_arm_answers_with_the_right_status_region_and_tag_and_is_measured() {
    let stage = Stage::start(&EnvoyVersion::newest().unwrap()).await.unwrap();
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
