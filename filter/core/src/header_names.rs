//! What the headers are called that Meridian itself reads and writes.
//!
//! A platform that tells its clients about its clusters in a header of its own, or whose gateways pass no `x-` header on, names them as
//! it needs. The names are part of the policy and of nothing else, so that the filter, the native table and what the edge strips cannot
//! disagree about them.

/// The names, lower-case and all different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderNames {
    /// On responses: the tag of the cluster that served it.
    pub served_by: String,
    /// On responses: the decision, for people.
    pub decision: String,
    /// On requests: a plan, written by the filter and read by the native table.
    pub route: String,
    /// On requests: the key of somebody who may ask why.
    pub explain: String,
}

impl Default for HeaderNames {
    fn default() -> Self {
        Self {
            served_by: "x-served-by-cluster".to_owned(),
            decision: "x-region-decision".to_owned(),
            route: "x-region-route".to_owned(),
            explain: "x-region-explain".to_owned(),
        }
    }
}

impl HeaderNames {
    /// Every one of them. No client may bring any; they are taken out before anything reads a request.
    #[must_use]
    pub fn all(&self) -> [&str; 4] {
        [&self.route, &self.decision, &self.explain, &self.served_by]
    }
}
