//! What a request costs Envoy's worker, arm beside arm.
//!
//! A shared machine is never twice the same, so no figure here stands alone: a round asks every cell in small slices that take turns, in an
//! order that each turn rotates, and a ratio is made of figures of the same round. The rounds then say how far the ratio can be trusted.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::arms::{Cell, Name, Situation};
use crate::stage::{CONNECTIONS, Stage};
use crate::statistics::Spread;
use crate::wire::Pace;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds, each of which gives every cell one figure.
    pub rounds: u32,
    /// Slices of a round.
    pub slices: u32,
    /// Requests of a slice.
    pub requests: u32,
}

impl Effort {
    /// For figures that are published.
    pub const FULL: Self = Self { rounds: 9, slices: 6, requests: 600 };
    /// For figures of parts, which are held against each other and are small.
    pub const PARTS: Self = Self { rounds: 9, slices: 12, requests: 600 };
    /// For figures of policies of many sizes.
    pub const SIZES: Self = Self { rounds: 9, slices: 4, requests: 600 };
    /// For a look.
    pub const QUICK: Self = Self { rounds: 3, slices: 4, requests: 500 };
}

/// Microseconds a request, by cell, one for each round: the median of its slices.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    rounds: BTreeMap<(Name, Situation), Vec<f64>>,
}

impl Figures {
    /// Measures; `tell` hears of each round that begins.
    ///
    /// # Errors
    /// When an arm answers wrongly.
    pub async fn measure(stage: &Stage, effort: Effort, mut tell: impl FnMut(u32)) -> Result<Self> {
        let (cells, mut figures) = (stage.cells(), Self::default());
        let deck = deck(&cells);
        // What is compiled or connected at the first use is paid before the first round.
        for round in 0..=effort.rounds {
            tell(round);
            let mut slices = vec![Vec::new(); cells.len()];
            for slice in 0..effort.slices {
                let first = usize::try_from(round * effort.slices + slice)?;
                for place in 0..deck.len() {
                    let Some(number) = deck.get((place + first * 7) % deck.len()).copied() else { continue };
                    let (Some(cell), Some(figures)) = (cells.get(number), slices.get_mut(number)) else { continue };
                    figures.push(Self::slice(stage, cell, effort.requests).await?);
                }
            }
            if round > 0 {
                for (cell, slices) in cells.iter().zip(slices) {
                    // What else the machine does hurts single slices.
                    let median = Spread::of(slices).context("A round has no slice.")?.median;
                    figures.rounds.entry((cell.name, cell.situation)).or_default().push(median);
                }
            }
        }
        Ok(figures)
    }

    /// Microseconds a request.
    async fn slice(stage: &Stage, cell: &Cell, requests: u32) -> Result<f64> {
        let before = stage.worker()?.ran()?;
        let pace = Pace::Closed { connections: CONNECTIONS };
        let tally = stage.wire().send(&cell.traffic, pace, u64::from(requests)).await?;
        tally.all_right().with_context(|| format!("`{}`, {}", cell.name.title(), cell.situation.title()))?;
        // The kernel books a thread's time when it goes to sleep.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let ran = stage.worker()?.ran()?.saturating_sub(before);
        Ok(ran.as_secs_f64() * 1e6 / f64::from(requests))
    }

    /// What a request costs.
    #[must_use]
    pub fn cost(&self, name: Name, situation: Situation) -> Option<Spread> {
        Spread::of(self.rounds.get(&(name, situation))?.iter().copied())
    }

    /// What the arm adds to the plain listener's cost of the same request.
    #[must_use]
    pub fn addition(&self, name: Name, situation: Situation) -> Option<Spread> {
        Spread::of(self.additions(name, situation)?)
    }

    /// What the arm costs more than another does for the same request.
    #[must_use]
    pub fn difference(&self, name: Name, situation: Situation, other: Name) -> Option<Spread> {
        let (mine, others) = (self.rounds.get(&(name, situation))?, self.rounds.get(&(other, situation))?);
        Spread::of(mine.iter().zip(others).map(|(mine, other)| mine - other))
    }

    /// What the arm adds, in what `other` adds to the same request in peace.
    #[must_use]
    pub fn ratio(&self, name: Name, situation: Situation, other: Name) -> Option<Spread> {
        let (mine, others) = (self.additions(name, situation)?, self.additions(other, situation.in_peace())?);
        Spread::of(mine.into_iter().zip(others).map(|(mine, other)| mine / other))
    }

    fn additions(&self, name: Name, situation: Situation) -> Option<Vec<f64>> {
        let (mine, plain) =
            (self.rounds.get(&(name, situation))?, self.rounds.get(&(Name::Plain, situation.in_peace()))?);
        Some(mine.iter().zip(plain).map(|(mine, plain)| mine - plain).collect())
    }
}

/// The order of a turn. Every ratio depends on the plain listener, the empty filter and Lua, so they are asked three times, evenly spread.
fn deck(cells: &[Cell]) -> Vec<usize> {
    let is_reference = |number: &usize| {
        cells.get(*number).is_some_and(|cell| matches!(cell.name, Name::Plain | Name::Empty | Name::Lua))
    };
    let (references, others): (Vec<usize>, Vec<usize>) = (0..cells.len()).partition(is_reference);
    let third = others.len().div_ceil(3).max(1);
    others.chunks(third).flat_map(|part| references.iter().chain(part)).copied().collect()
}
