//! The east-west gateway of a cluster: how other clusters reach its services.
//!
//! Istio's passes connections through by SNI without looking inside. Without TLS there is no SNI, so each service has a
//! port of its own here; what matters is kept: the far side sees one address, at the level of TCP, and cannot choose or
//! even see the pods behind it.

use std::net::SocketAddr;

use meridian::envoy::{Admin, Bootstrap, Listener, StaticResources, TcpProxy};

use super::layout::{ClusterLayout, cluster};
use crate::net::port;

pub(super) fn admin(layout: &ClusterLayout) -> SocketAddr {
    SocketAddr::from((layout.east_west, port::ADMIN))
}

pub(super) fn bootstrap(layout: &ClusterLayout) -> Bootstrap {
    let listener = |service| {
        let proxy = TcpProxy { stat_prefix: format!("{service}"), cluster: format!("{service}") };
        Listener::new(format!("{service}"), layout.east_west_of(service), proxy.into())
    };
    Bootstrap {
        node: layout.node("router", "istio-eastwestgateway", layout.east_west),
        admin: Admin::at(admin(layout)),
        static_resources: StaticResources {
            listeners: layout.services().map(listener).collect(),
            clusters: layout
                .services()
                .map(|service| cluster(service.name(), vec![layout.endpoints(service, 0)], None))
                .collect(),
        },
        dynamic_resources: None,
        stats_config: None,
    }
}
