//! Many seeds, on all cores, with progress: some in the tests, as many as there is time for in `make soak`.

use crate::story;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What held: how many stories, and how often each check had something to judge.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) stories: u64,
    pub(crate) judged: BTreeMap<&'static str, u64>,
}

impl Held {
    fn count(&mut self, stories: u64, judged: impl IntoIterator<Item = (&'static str, u64)>) {
        self.stories += stories;
        judged.into_iter().for_each(|(check, times)| *self.judged.entry(check).or_default() += times);
    }
}

/// Runs these seeds, or as many as fit until then. The first that breaks a check ends it.
///
/// # Errors
/// What broke.
pub(crate) fn run(seeds: Range<u64>, until: Option<Instant>) -> Result<Held, String> {
    let (next, broken) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let results = Mutex::new((Held::default(), None));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !broken.load(Ordering::Relaxed) && until.is_none_or(|until| Instant::now() < until) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let told = story(seed);
                    let mut results = results.lock().unwrap();
                    match told {
                        Ok(mesh) => {
                            results.0.count(1, mesh.checks.iter().map(|(check, judged)| (check.name(), *judged)));
                        }
                        Err(report) => {
                            broken.store(true, Ordering::Relaxed);
                            results.1.get_or_insert(report);
                        }
                    }
                }
            });
        }
    });
    let (held, report) = results.into_inner().unwrap();
    report.map_or(Ok(held), Err)
}

/// A number from the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, and should be a whole number")))
}

/// So many seeds between two lines of progress.
const BATCH: u64 = 1_000;

/// Runs `SEEDS` seeds from `FROM` on, or for `MINUTES`; ten minutes if nobody says.
pub(crate) fn long() {
    let (seeds, minutes) = (number("SEEDS"), number("MINUTES"));
    let from = number("FROM").unwrap_or(1_000_000);
    let minutes = minutes.or_else(|| seeds.is_none().then_some(10));
    let begun = Instant::now();
    let until = minutes.map(|minutes| begun + Duration::from_secs(minutes * 60));
    let end = from.saturating_add(seeds.unwrap_or(u64::MAX));
    let mut held = Held::default();
    let mut at = from;
    while at < end && until.is_none_or(|until| Instant::now() < until) {
        let batch = at..end.min(at + BATCH);
        at = batch.end;
        let more = run(batch, until).unwrap_or_else(|report| panic!("{report}"));
        held.count(more.stories, more.judged);
        println!("{:>6} s  {} stories from seed {from} on: every check held", begun.elapsed().as_secs(), held.stories);
    }
    println!("\nhow often each check had something to judge:");
    held.judged.iter().for_each(|(check, times)| println!("{times:>14}  {check}"));
}
