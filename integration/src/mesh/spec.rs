//! What a mesh is made of, before it has addresses.

use std::fmt::{Display, Formatter, Result};

use crate::bookinfo::Service;

/// One Istio cluster of the mesh; in the harness a region has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSpec {
    /// Its `CLUSTER_ID`, e.g. `primary`.
    pub name: String,
    /// The region it is in, e.g. `us-sanjose-1`.
    pub region: String,
    /// What its answers are tagged with, e.g. `PRIMARY (San Jose)`.
    pub display_name: String,
}

impl ClusterSpec {
    /// A cluster.
    #[must_use]
    pub fn new(name: &str, region: &str, display_name: &str) -> Self {
        Self { name: name.to_owned(), region: region.to_owned(), display_name: display_name.to_owned() }
    }

    /// The two of the demo: `primary` in San Jose and `secondary` in Chicago.
    #[must_use]
    pub fn pair() -> Vec<Self> {
        vec![
            Self::new("primary", "us-sanjose-1", "PRIMARY (San Jose)"),
            Self::new("secondary", "us-chicago-1", "SECONDARY (Chicago)"),
        ]
    }
}

/// One deployment: a service in a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The service it belongs to.
    pub service: Service,
    /// Its version, e.g. `v1`.
    pub version: String,
}

impl Workload {
    /// A workload.
    #[must_use]
    pub fn new(service: Service, version: &str) -> Self {
        Self { service, version: version.to_owned() }
    }

    /// Only productpage: enough where one hop is all that is asked.
    #[must_use]
    pub fn productpage() -> Vec<Self> {
        vec![Self::new(Service::Productpage, "v1")]
    }

    /// All of Bookinfo: productpage, details, three versions of reviews, ratings.
    #[must_use]
    pub fn bookinfo() -> Vec<Self> {
        let v1 = |service| Self::new(service, "v1");
        let reviews = |version| Self::new(Service::Reviews, version);
        let (front, back) = ([v1(Service::Productpage), v1(Service::Details)], [v1(Service::Ratings)]);
        front.into_iter().chain(["v1", "v2", "v3"].map(reviews)).chain(back).collect()
    }
}

impl Display for Workload {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        write!(out, "{}-{}", self.service, self.version)
    }
}

/// Who writes `x-served-by-cluster` at the serving side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Tag {
    /// The filter, in the role `inbound`.
    #[default]
    Filter,
    /// Envoy itself, from its route configuration.
    Native,
    /// Nobody: sidecars that Meridian was not applied to.
    Nobody,
}
