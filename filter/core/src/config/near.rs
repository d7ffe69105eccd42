//! The name that was meant, for people who write documents.
//!
//! The feature `suggestions` is for the command. The module that ships is without it: whoever reads an Envoy's log validates the
//! document next, and every byte of the module is compiled by every worker.

/// The known name nearest to `word`, if it is near enough to be a slip of the pen.
#[cfg(any(test, feature = "suggestions"))]
pub(super) fn closest<'a>(word: &str, known: impl IntoIterator<Item = impl AsRef<str> + 'a>) -> Option<String> {
    let near = known.into_iter().map(|name| (distance(word, name.as_ref()), name.as_ref().to_owned()));
    near.filter(|(distance, name)| *distance <= 1 + name.len() / 5).min().map(|(_, name)| name)
}

/// No name: the module tells what is wrong and where, and leaves the rest to the command.
#[cfg(not(any(test, feature = "suggestions")))]
pub(super) fn closest<'a>(_: &str, _: impl IntoIterator<Item = impl AsRef<str> + 'a>) -> Option<String> {
    None
}

/// Levenshtein's distance, without regard to ASCII case; two neighbours that changed places are one slip and not two.
#[cfg(any(test, feature = "suggestions"))]
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let (mut before, mut x_before) = (row.clone(), 0);
    for (i, x) in a.bytes().enumerate() {
        let mut next = vec![i + 1];
        let (mut left, mut y_before) = (i + 1, 0);
        // The places of the row above, and of the one above that, from the left.
        for (j, y) in b.iter().copied().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX);
            left = (at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(left + 1);
            if i > 0 && j > 0 && x == y_before && y == x_before {
                left = left.min(at(&before, j - 1) + 1);
            }
            y_before = y;
            next.push(left);
        }
        x_before = x;
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;

    #[test]
    fn one_slip_in_a_short_name_and_a_few_in_a_long_one_are_near() {
        let known = ["eu", "us-chicago-1", "us-sanjose-1"];
        assert_eq!(closest("ue", known).as_deref(), Some("eu"));
        assert_eq!(closest("us-chigaco-l", known).as_deref(), Some("us-chicago-1"));
        assert_eq!(closest("US-SanJose", known).as_deref(), Some("us-sanjose-1"));
        assert_eq!(closest("mars", known), None);
    }

    #[test]
    fn neighbours_that_changed_places_are_one_slip() {
        assert_eq!((distance("abcd", "abdc"), distance("abcd", "badc"), distance("ab", "ba")), (1, 2, 1));
        assert_eq!((distance("", "ab"), distance("kitten", "sitting"), distance("same", "SAME")), (2, 3, 0));
    }
}
