//! What the filter tells of regions in the log of its Envoy, and when.

use std::time::{Duration, SystemTime};

use integration::mesh::Ingress;

/// The clocks of all time zones agree within a quarter of an hour, which is longer than any test.
const QUARTER: Duration = Duration::from_secs(15 * 60);

/// The log's clock, from the start of a test on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogClock {
    zero: Duration,
}

/// An ejection as the filter tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ejection {
    /// When, since the start, to the millisecond.
    pub(crate) at: Duration,
    /// By which setting.
    pub(crate) cause: String,
    /// The how-manieth in a row.
    pub(crate) times: u64,
    /// For how long, in whole seconds.
    pub(crate) seconds: u64,
}

impl LogClock {
    /// The test starts now.
    pub(crate) fn start() -> Self {
        Self { zero: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() }
    }

    /// Every ejection of productpage in `region`, in order.
    pub(crate) fn ejections(self, ingress: &Ingress, region: &str) -> Vec<Ejection> {
        let about = format!(": ejected service=productpage region={region} ");
        ingress.envoy().log().lines().filter_map(|line| self.ejection(line, &about)).collect()
    }

    /// Reads `[2026-11-20 23:58:07.343]... ejected service=... region=... cause=halfOpen times=2 for=2s`.
    fn ejection(self, line: &str, about: &str) -> Option<Ejection> {
        let (_, told) = line.split_once(about)?;
        let value = |name: &str| told.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        Some(Ejection {
            at: self.since_start(line.get(15..24)?)?,
            cause: value("cause")?.to_owned(),
            times: value("times")?.parse().ok()?,
            seconds: value("for")?.strip_suffix('s')?.parse().ok()?,
        })
    }

    /// Of `58:07.343`, minutes and seconds. Where the start was in the same millisecond, or is no more than rounded away, it is zero.
    fn since_start(self, time: &str) -> Option<Duration> {
        let (minutes, seconds) = time.split_once(':')?;
        let seconds = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
        let time = Duration::from_secs(minutes.parse::<u64>().ok()? * 60) + seconds;
        let since = (time.as_micros() + QUARTER.as_micros() - self.zero.as_micros() % QUARTER.as_micros())
            % QUARTER.as_micros();
        Some(Duration::from_micros(u64::try_from(since).ok()?))
    }
}
