//! A region: the unit of routing and health, one or more Istio clusters under one name.

/// A region of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// A DNS label, e.g. `us-sanjose-1`; also the locality region its endpoints carry.
    pub name: String,
    /// Istio cluster names (`CLUSTER_ID`) that make up the region.
    pub clusters: Vec<String>,
    /// What the serving side tags responses with, e.g. `PRIMARY (San Jose)`; visible ASCII and spaces.
    pub display_name: String,
    /// Other spellings a client may ask with.
    pub aliases: Vec<String>,
}

impl Region {
    /// Every spelling a client may ask with: the name, then the aliases. Compared without ASCII case.
    pub fn spellings(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}
