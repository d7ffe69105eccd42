//! A configuration arriving and going, the tick, and the doorbell.

use crate::abi;
use crate::doorbell;
use crate::engine::Engine;
use crate::stream::Stream;
use crate::waiting::TICK;
use meridian_core::{LocalHints, Policy, Problem, Role, Severity, UnknownKeys, compile};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use std::rc::Rc;

/// The root context of one filter configuration on one worker.
pub(crate) struct Root {
    id: u32,
    engine: Option<Rc<Engine>>,
}

impl Root {
    pub(crate) fn new(id: u32) -> Self {
        Self { id, engine: None }
    }
}

impl Context for Root {
    /// The last stream is gone, and no request comes any more.
    fn on_done(&mut self) -> bool {
        if let Some(engine) = &self.engine {
            doorbell::leave(engine);
        }
        true
    }

    fn on_http_call_response(&mut self, token: u32, headers: usize, _body: usize, _trailers: usize) {
        if let Some(engine) = &self.engine {
            engine.probe_answered(token, headers > 0);
        }
    }
}

impl RootContext for Root {
    /// `false` makes Envoy refuse the configuration: at the first load the listener does not start, later the last good one stays.
    fn on_configure(&mut self, size: usize) -> bool {
        match policy(size) {
            Ok((policy, warnings)) => {
                for warning in &warnings {
                    log::warn!("configuration: {warning}");
                }
                let local = policy.local().map_or("none", |region| policy.region_name(region));
                if policy.role() == Role::Inbound && policy.local().is_none() {
                    log::warn!("configuration: this node is in no region of the policy, so its answers go untagged");
                }
                log::info!(
                    "revision {:04x}: {} regions, {} services, {} hosts, local region {local}",
                    policy.revision(),
                    policy.regions().len(),
                    policy.services().len(),
                    policy.virtual_hosts().len(),
                );
                let engine = Rc::new(Engine::new(policy));
                for _ in &warnings {
                    engine.metrics.count("meridian_unknown_keys_total", &[]);
                }
                engine.metrics.checked("set_tick_period", abi::set_tick_period(TICK.subsec_millis()));
                doorbell::join(&engine);
                self.engine = Some(engine);
                true
            }
            Err(problems) => {
                let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
                log::error!("configuration refused, {} errors", errors.clone().count());
                for problem in errors {
                    log::error!("configuration: {problem}");
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(engine) = &self.engine {
            engine.tick(self.id);
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        if let Some(engine) = &self.engine {
            doorbell::answer(queue, &engine.metrics);
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        self.engine.as_ref().map(|engine| Box::new(Stream::new(id, Rc::clone(engine))) as Box<dyn HttpContext>)
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// Reads and compiles the plugin configuration.
fn policy(size: usize) -> Result<(Policy, Vec<Problem>), Vec<Problem>> {
    let whole =
        |message: String| vec![Problem { path: String::new(), message, suggestion: None, severity: Severity::Error }];
    let bytes = abi::configuration(size)
        .map_err(|failed| whole(format!("the host did not hand over the plugin configuration ({failed:?})")))?;
    let document = serde_json::from_slice(&bytes)
        .map_err(|error| whole(format!("the plugin configuration is not JSON: {error}")))?;
    let cluster_id = node(b"xds\0node\0metadata\0CLUSTER_ID");
    let locality_region = node(b"xds\0node\0locality\0region");
    let namespace = node(b"xds\0node\0metadata\0NAMESPACE");
    let hints = LocalHints {
        cluster_id: cluster_id.as_deref(),
        locality_region: locality_region.as_deref(),
        namespace: namespace.as_deref(),
    };
    compile(&document, UnknownKeys::Warn, &hints)
}

/// A property of this node, as text.
fn node(path: &[u8]) -> Option<String> {
    let bytes = abi::property(path).ok().flatten()?;
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}
