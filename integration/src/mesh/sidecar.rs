//! The sidecar of a pod: what comes in goes to its application, what its application calls goes out.
//!
//! Inbound is where an answer is tagged with the cluster that gives it. Outbound is deliberately plain, the mesh as it is
//! without Meridian: Istio's default retries, its locality preference (own cluster first, the others at a lower priority)
//! and the outlier detection that this needs.

use std::path::Path;
use std::time::Duration as StdDuration;

use meridian::envoy::{
    Admin, Bootstrap, ClusterSpecifier, Duration, HeaderValueOption, HttpConnectionManager, HttpFilter, LbEndpoint,
    Listener, LocalityLbEndpoints, OutlierDetection, RetryHostPredicate, RetryPolicy, Route, RouteAction,
    RouteConfiguration, RouteMatch, StaticResources, VirtualHost,
};
use meridian::render;
use serde_json::{Value, json};

use super::blackhole;
use super::layout::{ClusterLayout, Layout, NAMESPACE, PodLayout, cluster};
use super::spec::Tag;
use crate::bookinfo::Service;
use crate::load::SERVED_BY;
use crate::net::port;

/// The sidecar of one pod.
pub(super) struct Sidecar<'a> {
    pub(super) mesh: &'a Layout,
    pub(super) cluster: &'a ClusterLayout,
    pub(super) pod: &'a PodLayout,
    pub(super) tag: Tag,
    pub(super) module: Option<&'a Path>,
}

impl Sidecar<'_> {
    pub(super) fn bootstrap(&self) -> Bootstrap {
        let called = || Service::ALL.into_iter().filter(|service| *service != Service::Productpage);
        let mut clusters: Vec<_> = called().map(|service| self.outbound_cluster(service)).collect();
        let application = LbEndpoint::new(self.pod.application(), self.cluster.workload_of(self.pod));
        let locality = self.cluster.locality();
        let local = LocalityLbEndpoints { locality, priority: 0, lb_endpoints: vec![application] };
        clusters.push(cluster(&inbound_name(), vec![local], None));
        let outbound = called().map(|service| VirtualHost {
            name: format!("{service}:{}", port::INBOUND),
            domains: vec![service.to_string(), format!("{service}:{}", port::INBOUND)],
            routes: vec![route(&outbound_name(service), Some(default_retries()))],
            include_attempt_count_in_response: false,
        });
        Bootstrap {
            node: self.cluster.node("sidecar", &self.pod.workload.to_string(), self.pod.ip),
            admin: Admin::at(self.pod.admin()),
            static_resources: StaticResources {
                listeners: vec![
                    Listener {
                        tcp_backlog_size: Some(blackhole::BACKLOG),
                        ..Listener::new("virtualInbound", self.pod.inbound(), self.inbound().into())
                    },
                    Listener::new(
                        "virtualOutbound",
                        self.pod.outbound(),
                        manager("outbound", outbound.collect(), Vec::new()).into(),
                    ),
                ],
                clusters,
            },
            dynamic_resources: None,
            stats_config: None,
        }
    }

    fn inbound(&self) -> HttpConnectionManager {
        let mut route = route(&inbound_name(), None);
        if self.tag == Tag::Native {
            let tag = HeaderValueOption::overwrite(SERVED_BY, self.cluster.spec.display_name.as_str());
            route.response_headers_to_add.push(tag);
        }
        let host = VirtualHost {
            name: inbound_name(),
            domains: vec!["*".to_owned()],
            routes: vec![route],
            include_attempt_count_in_response: false,
        };
        let filter = self
            .module
            .filter(|_| self.tag == Tag::Filter)
            .map(|module| HttpFilter::wasm(render::plugin("meridian", &module.display().to_string(), &self.policy())));
        manager("inbound", vec![host], filter.into_iter().collect())
    }

    /// What the filter is told at the serving side: which regions there are; its own it knows by `CLUSTER_ID`.
    fn policy(&self) -> Value {
        let region = |cluster: &ClusterLayout| {
            let spec = &cluster.spec;
            json!({"name": spec.region, "clusters": [spec.name], "displayName": spec.display_name})
        };
        let service = |service: Service| {
            let destination = json!({"host": host_name(service), "port": port::INBOUND});
            json!({"name": service, "hosts": [service], "destination": destination})
        };
        json!({
            "apiVersion": "meridian/v1",
            "role": "inbound",
            "regions": self.mesh.clusters.iter().map(region).collect::<Vec<_>>(),
            "services": self.cluster.services().map(service).collect::<Vec<_>>(),
        })
    }

    fn outbound_cluster(&self, service: Service) -> meridian::envoy::Cluster {
        let is_own = |cluster: &&ClusterLayout| cluster.spec.name == self.cluster.spec.name;
        let serves = |cluster: &&ClusterLayout| cluster.pods_of(service).next().is_some();
        let own = self.mesh.clusters.iter().filter(serves).filter(is_own).map(|cluster| cluster.endpoints(service, 0));
        let mut endpoints: Vec<_> = own.collect();
        // Priorities are numbered without a gap: a service that is not here at all is remote at 0.
        let remote = u32::from(!endpoints.is_empty());
        let others = self.mesh.clusters.iter().filter(serves).filter(|cluster| !is_own(cluster));
        endpoints.extend(others.map(|cluster| cluster.remote_endpoint(service, remote)));
        cluster(&outbound_name(service), endpoints, Some(outlier_detection()))
    }
}

fn inbound_name() -> String {
    format!("inbound|{}||", port::INBOUND)
}

fn outbound_name(service: Service) -> String {
    format!("outbound|{}||{}", port::INBOUND, host_name(service))
}

fn host_name(service: Service) -> String {
    format!("{service}.{NAMESPACE}.svc.cluster.local")
}

fn route(cluster: &str, retry_policy: Option<RetryPolicy>) -> Route {
    // Istio sets no timeout of its own here either: the caller at the edge decides how long is too long.
    let action = RouteAction {
        target: ClusterSpecifier::Cluster(cluster.to_owned()),
        timeout: Some(Duration(StdDuration::ZERO)),
        retry_policy,
    };
    Route {
        name: "default".to_owned(),
        matcher: RouteMatch { prefix: "/".to_owned(), headers: Vec::new(), dynamic_metadata: Vec::new() },
        route: action,
        response_headers_to_add: Vec::new(),
        response_headers_to_remove: Vec::new(),
        request_headers_to_remove: Vec::new(),
    }
}

fn manager(name: &str, virtual_hosts: Vec<VirtualHost>, filters: Vec<HttpFilter>) -> HttpConnectionManager {
    HttpConnectionManager {
        stat_prefix: name.to_owned(),
        route_config: RouteConfiguration {
            name: name.to_owned(),
            virtual_hosts,
            ignore_port_in_host_matching: false,
            request_headers_to_remove: Vec::new(),
        },
        http_filters: filters.into_iter().chain([HttpFilter::router()]).collect(),
        early_header_mutation_extensions: Vec::new(),
        use_remote_address: false,
        path_with_escaped_slashes_action: None,
        normalize_path: true,
        merge_slashes: false,
        strip_trailing_host_dot: false,
        upgrade_configs: Vec::new(),
        stream_idle_timeout: None,
    }
}

/// Istio's retries where nobody asked for others.
fn default_retries() -> RetryPolicy {
    RetryPolicy {
        retry_on: "connect-failure,refused-stream,unavailable,cancelled,reset".to_owned(),
        num_retries: 2,
        per_try_timeout: None,
        retry_priority: None,
        retry_host_predicate: vec![RetryHostPredicate::previous_hosts()],
        host_selection_retry_max_attempts: Some(5),
        retriable_request_headers: Vec::new(),
    }
}

fn outlier_detection() -> OutlierDetection {
    OutlierDetection {
        consecutive_gateway_failure: 1,
        enforcing_consecutive_gateway_failure: 100,
        enforcing_consecutive_5xx: 0,
        consecutive_5xx: None,
        enforcing_success_rate: 0,
        interval: Duration(StdDuration::from_secs(1)),
        base_ejection_time: Duration(StdDuration::from_secs(5)),
        max_ejection_time: Duration(StdDuration::from_secs(30)),
        max_ejection_percent: 100,
    }
}

#[cfg(test)]
mod tests {
    use meridian_core::{LocalHints, Role, UnknownKeys, compile};

    use super::*;
    use crate::mesh::{ClusterSpec, Workload};
    use crate::net::Subnet;

    #[test]
    fn the_filter_takes_the_policy_that_a_sidecar_gives_it() {
        let subnet = Subnet::claim().unwrap();
        let mesh = Layout::new(&ClusterSpec::pair(), &Workload::bookinfo(), &subnet).unwrap();
        for cluster in &mesh.clusters {
            let sidecar = Sidecar { mesh: &mesh, cluster, pod: &cluster.pods[0], tag: Tag::Filter, module: None };
            let hints = LocalHints { cluster_id: Some(&cluster.spec.name), ..LocalHints::default() };
            let (policy, warnings) = compile(&sidecar.policy(), UnknownKeys::Refuse, &hints).unwrap();
            assert_eq!((policy.role(), warnings.len()), (Role::Inbound, 0));
        }
    }
}
