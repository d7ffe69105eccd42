//! The comparison of outages still compares: a short one, with the arm that cannot move and the one that must.

#![allow(clippy::unwrap_used, reason = "what cannot go on has failed, in helpers as well")]

use std::time::Duration;

use bench::outage::{Arm, Row, Times, Way, series};
use integration::envoy::EnvoyVersion;

fn brief() -> Times {
    let [before, outage, after] = [1, 3, 2].map(Duration::from_secs);
    Times { before, outage, after }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_answers_503_costs_subsets_half_of_the_requests_and_meridian_none() {
    let plays = [Arm::Subsets, Arm::Meridian].map(|arm| (Way::Answering503, arm));
    let rows = series(&plays, 2, brief(), &EnvoyVersion::newest().unwrap(), |_| ()).await.unwrap();
    let row = |wanted| rows.iter().find(|(_, arm, _)| *arm == wanted).map(|(.., row)| row.clone()).unwrap();
    let (subsets, meridian): (Row, Row) = (row(Arm::Subsets), row(Arm::Meridian));
    assert!(subsets.failed > 200 && subsets.to_move.is_none(), "{subsets:?}");
    assert_eq!((meridian.failed, meridian.outside), (0, 0), "{meridian:?}");
    assert!(meridian.sent > 500 && meridian.survivor_load > 0.8, "{meridian:?}");
}

/// The others have to be real: each serves while all is well, and the one that has no fence is seen to have none.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_compared_with_serves_and_a_fence_that_is_none_leaks() {
    let plays = [Arm::Locality, Arm::Lua, Arm::Native].map(|arm| (Way::Answering503, arm));
    let rows = series(&plays, 3, brief(), &EnvoyVersion::newest().unwrap(), |_| ()).await.unwrap();
    for (_, arm, row) in rows {
        let all = if arm == Arm::Locality { 0.5 } else { 1.0 };
        assert!(row.as_asked > all - 0.2 && row.survivor_load > 0.8, "{arm:?}: {row:?}");
        assert_eq!(row.outside > 0, arm == Arm::Locality, "{arm:?}: {row:?}");
    }
}
