//! How long a request takes at a rate that does not wait for answers.
//!
//! Each request is due at its time, whatever became of those before it, and its latency counts from then: a stall is paid by everyone who
//! came in it, as users pay it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::arms::{Name, Situation};
use crate::stage::Stage;
use crate::statistics::{Spread, per_mille};
use crate::wire::Pace;

/// The arms that are asked.
pub const NAMES: [Name; 6] = [Name::Plain, Name::Empty, Name::Lua, Name::Minimal, Name::Everything, Name::Plans];

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds, each of which gives every cell one figure.
    pub rounds: u32,
    /// Requests of a round.
    pub requests: u32,
    /// Requests per second.
    pub rate: u32,
}

impl Effort {
    /// For figures that are published.
    pub const FULL: Self = Self { rounds: 21, requests: 1_000, rate: 4_000 };
    /// For a look.
    pub const QUICK: Self = Self { rounds: 2, requests: 1_000, rate: 4_000 };
}

/// Microseconds that half, 99 % and 99.9 % of a round's requests do not exceed.
pub type Shares = [f64; 3];

/// Latencies by cell, for each round.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    rounds: BTreeMap<(Name, Situation), Vec<Shares>>,
    undisturbed: bool,
}

impl Latencies {
    /// Measures; `tell` hears of each round that begins.
    ///
    /// # Errors
    /// When an arm answers wrongly.
    pub async fn measure(stage: &Stage, effort: Effort, mut tell: impl FnMut(u32)) -> Result<Self> {
        let (mut cells, mut latencies) = (stage.cells(), Self::default());
        cells.retain(|cell| NAMES.contains(&cell.name));
        latencies.undisturbed = stage.worker()?.goes_first(stage.wire().thread(), true);
        for round in 0..=effort.rounds {
            tell(round);
            for place in 0..cells.len() {
                let Some(cell) = cells.get((place + usize::try_from(round)? * 5) % cells.len()) else { continue };
                let pace = Pace::Open { rate: effort.rate };
                let tally = stage.wire().send(&cell.traffic, pace, u64::from(effort.requests)).await?;
                let mut sorted = tally.all_right()?.latencies;
                sorted.sort_unstable();
                let share = |mille| {
                    #[allow(clippy::cast_precision_loss)]
                    per_mille(&sorted, mille).map(|nanoseconds| nanoseconds as f64 / 1e3)
                };
                let shares = share(500).zip(share(990)).zip(share(999)).context("There was no answer.")?;
                let ((half, most), nearly_all) = shares;
                if round > 0 {
                    latencies.rounds.entry((cell.name, cell.situation)).or_default().push([half, most, nearly_all]);
                }
            }
        }
        let _ = stage.worker()?.goes_first(stage.wire().thread(), false);
        Ok(latencies)
    }

    /// Whether the kernel let both ends run before whatever else the machine did.
    #[must_use]
    pub fn undisturbed(&self) -> bool {
        self.undisturbed
    }

    /// The three shares of a cell, over the rounds.
    #[must_use]
    pub fn of(&self, name: Name, situation: Situation) -> Option<[Spread; 3]> {
        let rounds = self.rounds.get(&(name, situation))?;
        let [half, most, nearly_all] =
            [0, 1, 2].map(|place| Spread::of(rounds.iter().filter_map(|shares| shares.get(place).copied())));
        Some([half?, most?, nearly_all?])
    }
}
