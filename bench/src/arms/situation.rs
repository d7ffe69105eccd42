//! What is asked, and how the regions are.

/// What a request is, and what has become of its region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Situation {
    /// No region is asked for, and all is well.
    Default,
    /// A region that is not the default is asked for, and all is well.
    Pinned,
    /// No region is asked for, and the default one is lost.
    LostDefault,
    /// The region that is asked for is lost.
    LostPinned,
}

impl Situation {
    /// Every situation.
    pub const ALL: [Self; 4] = [Self::Default, Self::Pinned, Self::LostDefault, Self::LostPinned];

    /// For people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Default => "no region header",
            Self::Pinned => "region header",
            Self::LostDefault => "failover, no region header",
            Self::LostPinned => "failover, region header",
        }
    }

    /// The same request while all is well: who has no health of regions has no failover, and is compared by this.
    #[must_use]
    pub fn in_peace(self) -> Self {
        match self {
            Self::Default | Self::LostDefault => Self::Default,
            Self::Pinned | Self::LostPinned => Self::Pinned,
        }
    }

    /// Whether a region is lost.
    #[must_use]
    pub fn is_lost(self) -> bool {
        self != self.in_peace()
    }
}
