//! Unit tests of a policy: requests, and what is expected of each.
//!
//! ```yaml
//! policy: policy.yaml                    # beside this file
//! cluster: primary                       # optional: where the asked Envoy runs, if a test says nothing else
//! tests:
//! - name: Europe fails over inside Europe
//!   request: 'GET https://accounts.example.com/ region: eu'
//!   ejected: [eu-west-1]
//!   at: 2026-11-20T10:00:00Z             # optional: now
//!   expect: {chosen: eu-central-1, reason: failover}
//! ```
//! What is expected is compared with what `explain` answers, key by key, and only the keys that are given: a test says what it is about
//! and stays silent, and therefore true, about the rest. A host that no service answers for has `null` for every key.

mod file;

pub use file::TestFile;

use crate::clock;
use crate::explain::explain;
use crate::yaml::Position;
use file::Test;
use meridian_core::{Policy, RegionId};
use serde::Serialize;
use serde_json::{Map, Value};

/// What may be expected: the keys of an explanation. `skipped` is a list of regions.
pub const KEYS: [&str; 10] =
    ["asked", "want", "chosen", "plan", "native", "reason", "rule", "split", "status", "skipped"];

/// How one test went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The file it stands in.
    pub file: String,
    /// Where, from 1.
    pub line: usize,
    /// What it claims.
    pub name: String,
    /// Whether that holds.
    pub passed: bool,
    /// Where it does not.
    pub differences: Vec<Difference>,
    /// How to ask the same question by hand.
    pub replay: String,
}

/// A key of an explanation that is not what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The key.
    pub key: String,
    /// What the test says.
    pub expected: Value,
    /// What the policy does.
    pub seen: Value,
    /// Where the expectation stands, from 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl TestFile {
    /// Runs every test, in the order of the file.
    #[must_use]
    pub fn run(&self) -> Vec<Outcome> {
        self.tests.iter().map(|test| self.run_one(test)).collect()
    }

    fn run_one(&self, test: &Test) -> Outcome {
        let seen = self.policies.get(test.policy).map(|policy| seen(policy, test)).unwrap_or_default();
        let difference = |(key, expected, at): &(String, Value, Position)| {
            let seen = seen.get(key).cloned().unwrap_or_default();
            let Position { line, column } = *at;
            (seen != *expected).then(|| Difference { key: key.clone(), expected: expected.clone(), seen, line, column })
        };
        let differences: Vec<_> = test.expect.iter().filter_map(difference).collect();
        Outcome {
            file: self.name.clone(),
            line: test.at.line,
            name: test.name.clone(),
            passed: differences.is_empty(),
            differences,
            replay: test.replay.clone(),
        }
    }
}

/// The explanation as a tree, with `skipped` cut down to names; empty for a host nobody answers for.
fn seen(policy: &Policy, test: &Test) -> Map<String, Value> {
    let ejected: Vec<RegionId> = test.ejected.iter().filter_map(|name| policy.region_named(name)).collect();
    let now = test.time.unwrap_or_else(clock::now);
    let Some(explanation) = explain(policy, &test.request, &ejected, now) else { return Map::new() };
    let skipped = explanation.skipped.iter().map(|skipped| skipped.region.clone()).collect();
    let mut seen = match serde_json::to_value(&explanation) {
        Ok(Value::Object(seen)) => seen,
        Ok(_) | Err(_) => Map::new(),
    };
    seen.insert("skipped".to_owned(), skipped);
    seen
}
