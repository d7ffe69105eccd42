//! Proof 1: refresh the page and the stars change, because three versions of reviews take turns.

use std::net::SocketAddr;

use anyhow::Result;

use super::narrator::Narrator;
use crate::client::get;
use crate::timeline::Check;

/// How often the page is refreshed.
const PAGES: usize = 30;

/// Refreshes the page at the ingress and counts the stars.
///
/// # Errors
/// When no page comes at all; a page without reviews is a finding, not an error.
pub(super) async fn prove(ingress: SocketAddr, narrator: Narrator) -> Result<Vec<Check>> {
    narrator.part("Proof 1 · The stars change: reviews v1, v2 and v3 take turns");
    narrator.step(&format!("refreshing http://{ingress}/productpage {PAGES} times"));
    let (mut none, mut black, mut red, mut other) = (0, 0, 0, 0);
    for _ in 0..PAGES {
        let page = get(ingress, "/productpage", &[]).await?;
        match (page.status, stars(&page.text())) {
            (200, Some(Stars::None)) => none += 1,
            (200, Some(Stars::Black)) => black += 1,
            (200, Some(Stars::Red)) => red += 1,
            _ => other += 1,
        }
    }
    let rest = if other == 0 { String::new() } else { format!(", {other} without reviews") };
    let check = Check {
        name: "Stars".to_owned(),
        asked: format!("productpage, {PAGES} times"),
        seen: format!("{none} without stars, {black} black, {red} red{rest}"),
        expected: "all three kinds and nothing else".to_owned(),
        passed: none > 0 && black > 0 && red > 0 && other == 0,
    };
    narrator.check(&check);
    Ok(vec![check])
}

/// What the reviews of a page show.
#[derive(Debug, PartialEq, Eq)]
enum Stars {
    None,
    Black,
    Red,
}

/// The stars, as a person would see them, agreeing with the version that signed them; none if there are no reviews.
fn stars(page: &str) -> Option<Stars> {
    let stars = page.contains('★');
    match () {
        () if page.contains("reviews-v1") && !stars => Some(Stars::None),
        () if page.contains("reviews-v2") && stars && page.contains("color:black") => Some(Stars::Black),
        () if page.contains("reviews-v3") && stars && page.contains("color:red") => Some(Stars::Red),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_count_only_in_the_colour_of_the_version_that_made_them() {
        assert_eq!(stars("fine <small>(reviews-v1 in primary)"), Some(Stars::None));
        assert_eq!(stars("<span style=\"color:black\">★★</span> (reviews-v2 in primary)"), Some(Stars::Black));
        assert_eq!(stars("<span style=\"color:red\">★★</span> (reviews-v3 in primary)"), Some(Stars::Red));
        assert_eq!(stars("<span style=\"color:red\">★★</span> (reviews-v2 in primary)"), None);
        assert_eq!(stars("The reviews of this book are not available."), None);
    }
}
