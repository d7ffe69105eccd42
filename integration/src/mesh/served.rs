//! The count at the applications: what a fence is judged by.

use std::collections::BTreeMap;

use super::Cluster;
use crate::bookinfo::Service;

/// How many requests had reached each service of each cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    counts: BTreeMap<(String, Service), u64>,
}

impl Served {
    pub(super) fn of(clusters: &[Cluster]) -> Self {
        let counts = clusters.iter().flat_map(|cluster| {
            let name = &cluster.spec().name;
            let services = Service::ALL.into_iter();
            services.map(move |service| ((name.clone(), service), cluster.served(service)))
        });
        Self { counts: counts.collect() }
    }

    /// How many had reached one service of one cluster.
    #[must_use]
    pub fn at(&self, cluster: &str, service: Service) -> u64 {
        self.counts.get(&(cluster.to_owned(), service)).copied().unwrap_or_default()
    }

    /// How many had reached any service of one cluster.
    #[must_use]
    pub fn by(&self, cluster: &str) -> u64 {
        self.counts.iter().filter(|((name, _), _)| name == cluster).map(|(_, count)| count).sum()
    }

    /// How many had reached a cluster that is not in `fence`.
    #[must_use]
    pub fn outside(&self, fence: &[&str]) -> u64 {
        self.counts.iter().filter(|((name, _), _)| !fence.contains(&name.as_str())).map(|(_, count)| count).sum()
    }

    /// How many came after an earlier moment.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = self.counts.iter().map(|(key, count)| {
            let before = earlier.counts.get(key).copied().unwrap_or_default();
            (key.clone(), count.saturating_sub(before))
        });
        Self { counts: counts.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(primary: u64, secondary: u64) -> Served {
        let key = |cluster: &str| (cluster.to_owned(), Service::Productpage);
        Served { counts: BTreeMap::from([(key("primary"), primary), (key("secondary"), secondary)]) }
    }

    #[test]
    fn a_leak_is_what_came_since_and_outside() {
        let between = served(10, 5).since(&served(4, 3));
        assert_eq!(between, served(6, 2));
        assert_eq!((between.outside(&["primary"]), between.by("primary")), (2, 6));
        assert_eq!((between.at("secondary", Service::Productpage), between.at("secondary", Service::Ratings)), (2, 0));
    }
}
