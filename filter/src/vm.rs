//! One VM: the configurations that are in force in it, and which of them a callback is for.
//!
//! A worker has one VM for all plugins that name this module alike, and a host that is not asked for stream contexts does not say which
//! plugin a stream belongs to. With one configuration there is nothing to say. With several, the stream's `plugin_root_id` is asked for,
//! so each plugin needs a `rootId` of its own, and what is rendered has one. A new configuration of a plugin replaces the old one at
//! once, for streams as well that come by a listener that drains; a request that was decided by the old one is answered by it, because
//! ids mean what they meant there.

use crate::abi;
use crate::configuration;
use crate::doorbell;
use crate::engine::Engine;
use crate::stream::{self, Trail};
use crate::trails::Trails;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Ticks of others after which a plugin that does not tick is gone: some minutes.
const GONE: u32 = 2_000;
const ROOT_ID: &[u8] = b"plugin_root_id";

/// What becomes of a stream after a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Continue = 0,
    Pause = 1,
}

/// A configuration in force.
struct Root {
    /// The host's number of it.
    id: u32,
    /// The plugin it is of.
    plugin: Vec<u8>,
    engine: Rc<Engine>,
    /// How often others ticked since it did.
    silent: Cell<u32>,
}

#[derive(Default)]
struct Vm {
    /// The newest last, one of each plugin.
    roots: RefCell<Vec<Root>>,
    trails: Trails,
}

thread_local! {
    // Leaked, because a VM ends without destructors, and registering them is a KiB.
    static VM: &'static Vm = Box::leak(Box::default());
}

impl Vm {
    /// The configuration a stream is under.
    fn engine(&self) -> Option<Rc<Engine>> {
        let roots = self.roots.borrow();
        let newest = roots.last()?;
        let root = if roots.len() == 1 {
            newest
        } else {
            let plugin = newest.engine.metrics.checked("get_property", abi::property(ROOT_ID)).flatten();
            plugin.and_then(|plugin| roots.iter().find(|root| root.plugin == plugin)).unwrap_or(newest)
        };
        Some(Rc::clone(&root.engine))
    }

    /// The configuration of a root context, unless a newer one took its place.
    fn engine_of(&self, root: u32) -> Option<Rc<Engine>> {
        self.roots.borrow().iter().find(|known| known.id == root).map(|known| Rc::clone(&known.engine))
    }

    fn trail(&self, stream: u32) -> Option<Trail> {
        self.trails.take(stream).or_else(|| self.engine().map(Trail::nothing))
    }
}

/// A configuration arrives. `false` makes Envoy refuse it: at the first load the listener does not start, later the last good one stays.
pub(crate) fn configure(root: u32, size: usize) -> bool {
    let Some(policy) = configuration::read(size) else { return false };
    let engine = Rc::new(Engine::new(policy.policy));
    for _ in 0..policy.warnings {
        engine.metrics.count("meridian_unknown_keys_total", &[]);
    }
    engine.start();
    let plugin = engine.metrics.checked("get_property", abi::property(ROOT_ID)).flatten().unwrap_or_default();
    VM.with(|vm| {
        let mut roots = vm.roots.borrow_mut();
        roots.retain(|other| other.plugin != plugin);
        roots.push(Root { id: root, plugin, engine, silent: Cell::new(0) });
    });
    true
}

/// Time passes for a configuration.
pub(crate) fn tick(root: u32) {
    VM.with(|vm| {
        let Some(engine) = vm.engine_of(root) else { return };
        engine.tick(root);
        vm.roots.borrow_mut().retain(|other| {
            other.silent.set(if other.id == root { 0 } else { other.silent.get() + 1 });
            other.silent.get() < GONE
        });
    });
}

/// Another worker has news.
pub(crate) fn queue_ready(queue: u32) {
    VM.with(|vm| {
        let roots = vm.roots.borrow();
        if let Some(newest) = roots.last() {
            doorbell::answer(queue, &newest.engine.metrics, || roots.iter().for_each(|root| root.engine.heard()));
        }
    });
}

/// A request of the filter's own was answered, or ended without an answer.
pub(crate) fn call_answered(root: u32, call: u32, answered: bool) {
    VM.with(|vm| {
        if let Some(engine) = vm.engine_of(root) {
            engine.probe_answered(call, answered);
        }
    });
}

/// A request's headers are there.
pub(crate) fn request_headers(stream: u32) -> Action {
    VM.with(|vm| {
        let Some(engine) = vm.engine() else { return Action::Continue };
        let (action, trail) = stream::request(&engine, stream);
        if let Some(trail) = trail {
            vm.trails.leave(stream, trail);
        }
        action
    })
}

/// A response's headers are there, and the whole response if `end`.
pub(crate) fn response_headers(stream: u32, end: bool) -> Action {
    VM.with(|vm| {
        let Some(trail) = vm.trail(stream) else { return Action::Continue };
        let (action, trail) = stream::response(trail, stream, end);
        if let Some(trail) = trail {
            vm.trails.leave(stream, trail);
        }
        action
    })
}

/// A response's trailers are there.
pub(crate) fn response_trailers(stream: u32) {
    VM.with(|vm| {
        if let Some(trail) = vm.trails.take(stream) {
            stream::trailers(&trail, stream);
        }
    });
}
