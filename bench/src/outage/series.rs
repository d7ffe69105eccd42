//! Plays side by side, as many as the machine is for, those of the same outage together.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{Context, Result};
use integration::clock::Clock;
use integration::envoy::EnvoyVersion;
use tokio::task::{JoinSet, LocalSet};

use super::{Arm, Row, Times, Way, play};

/// Plays each of these, `at_once` at a time, and tells of every end. The rows are in the order of `plays`.
///
/// # Errors
/// That of the first play that could not be played; the others end with it.
pub async fn series(
    plays: &[(Way, Arm)],
    at_once: usize,
    times: Times,
    version: &EnvoyVersion,
    say: impl Fn(&str),
) -> Result<Vec<(Way, Arm, Row)>> {
    // A play need not move between threads: its requests are sent from elsewhere.
    LocalSet::new()
        .run_until(async {
            let (clock, version) = (Clock::start(), Arc::new(version.clone()));
            let mut waiting: VecDeque<_> = plays.iter().copied().enumerate().collect();
            let (mut running, mut rows) = (JoinSet::new(), Vec::new());
            loop {
                while running.len() < at_once.max(1)
                    && let Some((number, (way, arm))) = waiting.pop_front()
                {
                    let version = Arc::clone(&version);
                    running.spawn_local(async move {
                        let story = play(arm, way, times, &version).await;
                        story.map(|story| (number, way, arm, Row::of(&story))).with_context(|| name(way, arm))
                    });
                }
                let Some(ended) = running.join_next().await else { break };
                let (number, way, arm, row) = ended.context("A play broke off.")??;
                let (done, time) = (rows.len() + 1, clock.now().as_secs());
                say(&format!(
                    "{done:>2} of {}, after {time:>3} s: {}: {} of {} failed",
                    plays.len(),
                    name(way, arm),
                    row.failed,
                    row.sent
                ));
                rows.push((number, (way, arm, row)));
            }
            rows.sort_by_key(|(number, _)| *number);
            Ok(rows.into_iter().map(|(_, row)| row).collect())
        })
        .await
}

fn name(way: Way, arm: Arm) -> String {
    format!("{}, {}", way.name(), arm.name())
}
