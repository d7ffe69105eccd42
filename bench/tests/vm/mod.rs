//! The module that ships, in an interpreter that counts: what a request costs in instructions of the module itself.
//!
//! A time says little on a machine that others use, and the instructions of a processor cannot be counted on every machine. Those of the
//! module can: the same module does the same with the same requests, to the last one. The host is a simulation that answers each call at
//! once, so what Envoy does is not in the figures, and neither is what a compiler makes of an instruction; two figures are to be held
//! against each other, and one that grows is a regression wherever it is measured.

mod calls;
mod counted;
mod host;

use anyhow::{Context as _, Result, bail};
use counted::{COUNT, counted};
pub(crate) use host::{Asks, Host, Lines};
use std::path::{Path, PathBuf};
use wasmi::{Engine, Global, Instance, Linker, Module, Store, TypedFunc, Val};

const ROOT: u32 = 1;

/// Where `make module` puts it.
#[must_use]
pub(crate) fn shipped() -> PathBuf {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    member.parent().unwrap_or(member).join("target/meridian.wasm")
}

/// A virtual machine with one configuration, as one worker of an Envoy has it.
pub(crate) struct Vm {
    store: Store<Host>,
    instance: Instance,
    count: Global,
    streams: u32,
}

/// What one stream cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cost {
    /// From its start until the request goes on.
    pub(crate) request: u64,
    /// From the answer's headers until nothing is left of the stream.
    pub(crate) response: u64,
}

impl Vm {
    /// Starts the module with a policy.
    ///
    /// # Errors
    /// The module is not there, is none, or refuses the policy: with what it logged.
    pub(crate) fn start(module: &Path, policy: &serde_json::Value) -> Result<Self> {
        let bytes = std::fs::read(module).with_context(|| format!("{}: run `make module` first", module.display()))?;
        let engine = Engine::default();
        let module = Module::new(&engine, counted(&bytes)?)?;
        let mut store = Store::new(&engine, Host::new(policy.to_string().into_bytes()));
        let mut linker = Linker::new(&engine);
        calls::define(&mut linker, &module)?;
        let instance = linker.instantiate_and_start(&mut store, &module)?;
        let count = instance.get_global(&store, COUNT).context("the module does not count")?;
        let mut vm = Self { store, instance, count, streams: ROOT };
        vm.tell("_initialize", ())?;
        vm.tell("_start", ())?;
        vm.tell("proxy_on_context_create", (ROOT, 0))?;
        vm.ask("proxy_on_vm_start", (ROOT, 0))?;
        let size = u32::try_from(vm.store.data().configuration.len())?;
        if vm.ask("proxy_on_configure", (ROOT, size))? == Some(0) {
            bail!("the policy is refused: {}", vm.store.data().log.join("\n"));
        }
        Ok(vm)
    }

    /// What the module sees of the world, to change it between two streams.
    pub(crate) fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }

    /// The module's memory, in pages of 64 KiB.
    pub(crate) fn pages(&self) -> u64 {
        self.instance.get_memory(&self.store, "memory").map_or(0, |memory| memory.size(&self.store))
    }

    /// One stream from its start to its end.
    ///
    /// # Errors
    /// The module trapped.
    pub(crate) fn stream(&mut self, request: Lines, response: Lines) -> Result<Cost> {
        self.streams += 1;
        let id = self.streams;
        let counts = (u32::try_from(request.len())?, u32::try_from(response.len())?);
        self.host().begin(request, response);
        let start = self.count()?;
        self.tell("proxy_on_context_create", (id, ROOT))?;
        self.ask("proxy_on_request_headers", (id, counts.0, 1))?;
        let asked = self.count()?;
        self.ask("proxy_on_response_headers", (id, counts.1, 1))?;
        self.ask("proxy_on_done", id)?;
        self.tell("proxy_on_log", id)?;
        self.tell("proxy_on_delete", id)?;
        let answered = self.count()?;
        Ok(Cost { request: asked - start, response: answered - asked })
    }

    /// The instructions since the start.
    fn count(&self) -> Result<u64> {
        match self.count.get(&self.store) {
            Val::I64(count) => Ok(u64::try_from(count)?),
            other => bail!("the count is {other:?}"),
        }
    }

    /// Calls an entry point that answers; a module that has no use for it does not have it.
    fn ask<P: wasmi::WasmParams>(&mut self, name: &str, arguments: P) -> Result<Option<u32>> {
        let Some(function) = self.function::<P, u32>(name)? else { return Ok(None) };
        self.host().asks.entries += 1;
        Ok(Some(function.call(&mut self.store, arguments).with_context(|| name.to_owned())?))
    }

    fn tell<P: wasmi::WasmParams>(&mut self, name: &str, arguments: P) -> Result<()> {
        let Some(function) = self.function::<P, ()>(name)? else { return Ok(()) };
        self.host().asks.entries += 1;
        function.call(&mut self.store, arguments).with_context(|| name.to_owned())
    }

    fn function<P: wasmi::WasmParams, R: wasmi::WasmResults>(&self, name: &str) -> Result<Option<TypedFunc<P, R>>> {
        let function = self.instance.get_func(&self.store, name);
        Ok(function.map(|function| function.typed::<P, R>(&self.store)).transpose()?)
    }
}
