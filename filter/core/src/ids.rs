//! Names are compared once, when the policy is compiled; from then on a region, a service or a rule is a small number that can only
//! come from that policy. A type for each keeps one from being taken for another.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u16);

        impl $name {
            /// The position in the policy, from 0.
            #[must_use]
            pub fn index(self) -> usize {
                usize::from(self.0)
            }

            /// The id for a position; `None` beyond 65,535, which the compiler of the policy refuses.
            #[must_use]
            pub(crate) fn at(index: usize) -> Option<Self> {
                u16::try_from(index).ok().map(Self)
            }
        }
    };
}

id!(
    /// A region of the policy: the unit of routing and health.
    RegionId
);
id!(
    /// A service of the policy: the scope of health, and what native routes are made for.
    ServiceId
);
id!(
    /// A rule of the policy. The implied last rule, which matches everything, has an id as well.
    RuleId
);
id!(
    /// An ordered set of regions a request may be served in: all of them, a fence, or less.
    ScopeId
);

impl ServiceId {
    /// Every service at once, where a region is meant as a whole. No policy has so many services that one has this number.
    pub(crate) const EVERY: Self = Self(u16::MAX);
}
