//! Plans as clusters: priorities are the order, endpoints are the fence.
//!
//! A plan that only probes are sent by has no outlier detection: Envoy would take the hosts out that a probe has found dead, and answer
//! the next ones by itself long after the region is back.

use super::table;
use crate::envoy::{
    CircuitBreakers, Cluster, ClusterLoadAssignment, CommonLbConfig, DiscoveryType, Duration, LbEndpoint, Locality,
    LocalityLbEndpoints, OutlierDetection,
};
use crate::site::Site;
use meridian_core::{Plan, Policy, Service};
use std::collections::BTreeMap;
use std::time::Duration as StdDuration;

/// A connection that takes longer counts as failed; Istio's default of 10 s is long to wait for a region that is gone.
const CONNECT_TIMEOUT: StdDuration = StdDuration::from_secs(1);

/// Every plan of every service, each once, in a stable order.
pub(super) fn clusters(policy: &Policy, site: &Site) -> Vec<Cluster> {
    let mut clusters = BTreeMap::new();
    for host in policy.virtual_hosts() {
        let Some(service) = policy.service(host.service) else { continue };
        for plan in table::plans(policy, host) {
            if let Some(name) = policy.plan_name(plan) {
                let name = service.destination.cluster(name);
                clusters.entry(name.clone()).or_insert_with(|| cluster(policy, site, service, plan, name));
            }
        }
    }
    for probe in policy.probes() {
        if let (Some(service), Some(name)) = (policy.service(probe.key.service), policy.probe_cluster(probe)) {
            clusters.entry(name.clone()).or_insert_with(|| {
                let cluster = cluster(policy, site, service, probe.plan, name);
                Cluster { outlier_detection: None, ..cluster }
            });
        }
    }
    clusters.into_values().collect()
}

fn cluster(policy: &Policy, site: &Site, service: &Service, plan: Plan, name: String) -> Cluster {
    let order = policy.scope(plan.scope).into_iter().flat_map(|scope| scope.order_from(plan.first));
    let mut endpoints = Vec::new();
    for region in order.map(|id| policy.region_name(id)) {
        let here = site.endpoints.iter().filter(|at| at.service == service.name && at.region == region);
        let lb_endpoints: Vec<_> = here.map(|at| LbEndpoint::new(at.address, &at.workload)).collect();
        // Envoy numbers priorities without a gap, so a region without endpoints takes none.
        if let (false, Ok(priority)) = (lb_endpoints.is_empty(), u32::try_from(endpoints.len())) {
            let locality = Locality { region: region.to_owned(), zone: String::new() };
            endpoints.push(LocalityLbEndpoints { locality, priority, lb_endpoints });
        }
    }
    Cluster {
        discovery: DiscoveryType::Static,
        connect_timeout: Duration(CONNECT_TIMEOUT),
        load_assignment: ClusterLoadAssignment { cluster_name: name.clone(), endpoints },
        outlier_detection: Some(outlier_detection(policy)),
        circuit_breakers: Some(CircuitBreakers::unlimited()),
        common_lb_config: Some(CommonLbConfig::without_panic()),
        name,
    }
}

/// Envoy's own ejection of hosts, with the policy's numbers: what moves traffic inside a plan when the filter is not there.
fn outlier_detection(policy: &Policy) -> OutlierDetection {
    let settings = policy.outlier_detection();
    let enforcing = |count: u32| if count > 0 { 100 } else { 0 };
    OutlierDetection {
        consecutive_gateway_failure: settings.consecutive_gateway_errors.max(1),
        enforcing_consecutive_gateway_failure: enforcing(settings.consecutive_gateway_errors),
        consecutive_5xx: Some(settings.consecutive_5xx_errors.max(1)),
        enforcing_consecutive_5xx: enforcing(settings.consecutive_5xx_errors),
        enforcing_success_rate: 0,
        interval: Duration(settings.interval),
        base_ejection_time: Duration(settings.base_ejection_time),
        max_ejection_time: Duration(settings.max_ejection_time),
        // Hosts of a lost region are all bad at once.
        max_ejection_percent: 100,
    }
}
