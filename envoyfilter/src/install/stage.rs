//! Which resources belong together, and in which order they go in.

/// A group of resources, in the order of going in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// What routes can name, and what guards the labels they are made of. Changes no traffic.
    Subsets,
    /// What Envoy does by itself to what comes in and goes out: a header that routes are matched by, and a client may set, is taken out
    /// before there is a route that trusts it.
    Edge,
    /// Where requests go natively.
    Routes,
    /// The file of the filter.
    Module,
    /// The filter, and what counts it.
    Filter,
    /// What refuses requests: last, because it also refuses what still goes the old way.
    Locks,
}

impl Stage {
    /// All of them, in order.
    pub(super) const ALL: [Self; 6] =
        [Self::Subsets, Self::Edge, Self::Routes, Self::Module, Self::Filter, Self::Locks];

    /// Its name, in lines for people and in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Subsets => "subsets",
            Self::Edge => "edge",
            Self::Routes => "routes",
            Self::Module => "module",
            Self::Filter => "filter",
            Self::Locks => "locks",
        }
    }

    /// Where a kind belongs, by itself or with the module that it loads; none if it has no place in the order, and to guess one would be
    /// to risk an outage.
    pub(super) fn of(kind: &str, loads_module: bool) -> Option<Self> {
        Some(match kind {
            "EnvoyFilter" if !loads_module => Self::Edge,
            "Namespace" | "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding" => Self::Subsets,
            "DestinationRule" | "ServiceEntry" | "Service" | "Gateway" => Self::Subsets,
            "VirtualService" => Self::Routes,
            "ConfigMap" => Self::Module,
            "EnvoyFilter" | "WasmPlugin" | "Telemetry" => Self::Filter,
            "PodMonitor" | "ServiceMonitor" | "PrometheusRule" => Self::Filter,
            "AuthorizationPolicy" | "PeerAuthentication" => Self::Locks,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_before_its_subsets_and_what_it_trusts_no_filter_before_its_routes_and_module() {
        let order = [
            ("DestinationRule", false),
            ("EnvoyFilter", false),
            ("VirtualService", false),
            ("ConfigMap", false),
            ("EnvoyFilter", true),
            ("AuthorizationPolicy", false),
        ];
        let stages = order.map(|(kind, loads_module)| Stage::of(kind, loads_module).unwrap());
        assert!(stages.is_sorted_by(|one, next| one < next));
        assert_eq!(stages, Stage::ALL);
    }
}
