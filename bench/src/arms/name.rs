//! The arms by name: what each is, and what can be asked of it.

use super::{Part, Region, Situation, Step};

/// Which arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// One route, no filter.
    Plain,
    /// A route that matches the region header, and `response_headers_to_add`.
    Native,
    /// So many native routes, of which the last but one is taken when a region is asked for.
    Routes(u16),
    /// The filter of the SDK that does nothing.
    Empty,
    /// Tag, route and count in Lua.
    Lua,
    /// Meridian's routes for the policy that has everything, without its filter.
    Table,
    /// The same table without a part of it.
    Without(Part),
    /// Meridian's routes for the least policy, without its filter.
    MinimalTable,
    /// One thing that a filter does, in front of one route.
    Step(Step),
    /// Meridian with the least policy.
    Minimal,
    /// Meridian with everything switched on.
    Everything,
    /// The same without shadow rules.
    Unshadowed,
    /// The same with `verify: {onMismatch: block}`, which holds every answer against the control plane's data.
    Blocking,
    /// The same with `table: plans`.
    Plans,
    /// Meridian with so many regions and so many hosts with a rule each, and `table: plans`, so that it decides about every request.
    Size(u16, u16),
}

impl Name {
    /// Every arm, in the order of the table.
    pub const ALL: [Self; 13] = [
        Self::Plain,
        Self::Native,
        Self::Routes(5),
        Self::Routes(50),
        Self::Routes(500),
        Self::Empty,
        Self::Lua,
        Self::Table,
        Self::Minimal,
        Self::Everything,
        Self::Unshadowed,
        Self::Blocking,
        Self::Plans,
    ];

    /// For people.
    #[must_use]
    pub fn title(self) -> String {
        match self {
            Self::Plain => "plain: one route, no filter".to_owned(),
            Self::Native => "native match and `response_headers_to_add`".to_owned(),
            Self::Routes(count) => format!("native table of {count} routes"),
            Self::Empty => "empty SDK filter".to_owned(),
            Self::Lua => "Lua: tag, route, count".to_owned(),
            Self::Table => "Meridian's table, everything on, no filter".to_owned(),
            Self::Without(part) => part.title().to_owned(),
            Self::MinimalTable => "Meridian's table, minimal, no filter".to_owned(),
            Self::Step(step) => step.title().to_owned(),
            Self::Minimal => "Meridian, minimal".to_owned(),
            Self::Everything => "Meridian, everything on".to_owned(),
            Self::Unshadowed => "Meridian, everything on but shadow rules".to_owned(),
            Self::Blocking => "Meridian, everything on, `verify: block`".to_owned(),
            Self::Plans => "Meridian, everything on, `table: plans`".to_owned(),
            Self::Size(regions, hosts) => format!("Meridian, {regions} regions, {hosts} hosts with rules"),
        }
    }

    /// Whether it has Meridian's filter.
    #[must_use]
    pub fn is_meridian(self) -> bool {
        matches!(
            self,
            Self::Minimal | Self::Everything | Self::Unshadowed | Self::Blocking | Self::Plans | Self::Size(..)
        )
    }

    /// For configurations.
    pub(super) fn id(self) -> String {
        match self {
            Self::Routes(count) => format!("routes-{count}"),
            Self::Size(regions, hosts) => format!("size-{regions}-{hosts}"),
            Self::Without(part) => format!("without-{part:?}").to_ascii_lowercase(),
            Self::Step(step) => format!("step-{step:?}").to_ascii_lowercase(),
            other => format!("{other:?}").to_ascii_lowercase(),
        }
    }

    /// Which requests it can answer as it should.
    pub(super) fn situations(self) -> &'static [Situation] {
        match self {
            Self::Minimal | Self::Everything | Self::Plans => &Situation::ALL,
            _ => &[Situation::Default, Situation::Pinned],
        }
    }

    /// Whether its routes are those that Meridian renders.
    pub(super) fn is_rendered(self) -> bool {
        matches!(self, Self::Table | Self::MinimalTable | Self::Without(_))
            || self.is_meridian() && !matches!(self, Self::Size(..))
    }

    /// Who answers: an arm that routes sends a request where it asks, and away from what is lost.
    pub(super) fn answered_by(self, situation: Situation) -> Region {
        match (situation, self) {
            (Situation::Default, _) | (Situation::Pinned, Self::Plain | Self::Empty | Self::Step(_)) => Region::West,
            (Situation::Pinned | Situation::LostDefault | Situation::LostPinned, _) => Region::East,
        }
    }
}

/// What the parts of an arm cost: those of the native table, and those of a filter.
#[must_use]
pub fn parts() -> Vec<Name> {
    let tables = [Name::MinimalTable, Name::Table].into_iter().chain(Part::ALL.map(Name::Without));
    tables.chain(Step::ALL.map(Name::Step)).collect()
}

/// Policies from small to large, as arms.
pub const SIZES: [Name; 7] = [
    Name::Size(2, 1),
    Name::Size(10, 1),
    Name::Size(100, 1),
    Name::Size(1_000, 1),
    Name::Size(2, 100),
    Name::Size(2, 1_000),
    Name::Size(1_000, 1_000),
];
