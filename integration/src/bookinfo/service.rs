//! The four services of Bookinfo, and who calls whom.

use std::fmt::{Display, Formatter, Result};

use clap::ValueEnum;
use serde::Serialize;

/// One of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// The page itself; calls details and reviews.
    Productpage,
    /// What is known of the book.
    Details,
    /// What readers say: v1 without stars, v2 and v3 with stars from ratings.
    Reviews,
    /// The stars.
    Ratings,
}

impl Service {
    /// All of them, callers first.
    pub const ALL: [Self; 4] = [Self::Productpage, Self::Details, Self::Reviews, Self::Ratings];

    /// Its name: the host that callers use and the first part of a workload's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Productpage => "productpage",
            Self::Details => "details",
            Self::Reviews => "reviews",
            Self::Ratings => "ratings",
        }
    }

    /// Its one resource.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Productpage => "/productpage",
            Self::Details => "/details/0",
            Self::Reviews => "/reviews/0",
            Self::Ratings => "/ratings/0",
        }
    }
}

impl Display for Service {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(self.name())
    }
}
