//! Many measurements as one figure and its spread.

/// The middle of some measurements, and the outermost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub least: f64,
    /// The middle one.
    pub median: f64,
    /// The greatest.
    pub most: f64,
}

impl Spread {
    /// Of these; nothing of nothing.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let median =
            if values.len().is_multiple_of(2) { f64::midpoint(*values.get(middle - 1)?, upper) } else { upper };
        Some(Self { least: *values.first()?, median, most: *values.last()? })
    }
}

/// The value that so many of a thousand do not exceed, of sorted values.
#[must_use]
pub fn per_mille(sorted: &[u64], mille: usize) -> Option<u64> {
    let rank = (sorted.len() * mille).div_ceil(1_000);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { least: 1.0, median: 2.5, most: 4.0 });
        assert_eq!(Spread::of([7.0]).unwrap().median, 7.0);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn what_is_no_number_counts_for_nothing() {
        assert_eq!(Spread::of([f64::NAN, 2.0, f64::INFINITY]).unwrap().most, 2.0);
    }

    #[test]
    fn a_share_is_the_value_that_so_many_do_not_exceed() {
        let sorted: Vec<u64> = (1..=1_000).collect();
        assert_eq!([500, 990, 999, 1_000].map(|mille| per_mille(&sorted, mille).unwrap()), [500, 990, 999, 1_000]);
        assert_eq!((per_mille(&[5], 1), per_mille(&[], 500)), (Some(5), None));
    }
}
