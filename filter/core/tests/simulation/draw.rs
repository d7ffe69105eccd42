//! Chance, all of it from one number: the same seed draws the same mesh, the same faults and the same requests.

/// A generator of random numbers (splitmix64: small, fast, good enough to share out and to choose).
#[derive(Clone, Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another one, so that a draw more here changes nothing there.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.number())
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// What the filter asks for.
    pub(crate) fn word(&mut self) -> u32 {
        (self.number() >> 32) as u32
    }

    /// From `low` to `high`, both possible.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        let span = u128::from(high - low) + 1;
        low + ((u128::from(self.number()) * span) >> 64) as u64
    }

    /// An index of something this long.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        self.between(0, length as u64 - 1) as usize
    }

    /// Whether one of so many in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.between(1, 100) <= percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    /// At least `least` of these, in any order.
    pub(crate) fn some(&mut self, from: &[usize], least: usize) -> Vec<usize> {
        let mut left = from.to_vec();
        let count = self.between(least.min(left.len()) as u64, left.len() as u64) as usize;
        (0..count).map(|_| left.swap_remove(self.index(left.len()))).collect()
    }

    /// The time to the next of events that know nothing of each other, in milliseconds.
    pub(crate) fn gap(&mut self, mean: u64) -> u64 {
        let share = (self.between(1, 1 << 20) as f64) / f64::from(1 << 20);
        (-share.ln() * mean as f64).round() as u64
    }
}
