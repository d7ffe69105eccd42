//! Modules in the filter's place: what an Envoy makes of a filter that is not one.

use std::path::Path;

use anyhow::{Context, Result};

/// Writes a module that any host of proxy-wasm loads, and that does this when a request comes.
fn module(path: &Path, on_request: &str) -> Result<()> {
    let text = format!(
        r#"(module
  (memory (export "memory") 2)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {on_request} (i32.const 0)))"#
    );
    let bytes = wat::parse_str(text).context("The module is not one.")?;
    std::fs::write(path, bytes).with_context(|| format!("{} cannot be written.", path.display()))
}

/// One that does nothing.
pub(super) fn inert(path: &Path) -> Result<()> {
    module(path, "")
}

/// One whose VM dies of every request.
pub(super) fn dying(path: &Path) -> Result<()> {
    module(path, "unreachable")
}

/// Another build of the filter: the same with an empty custom section more, so other bytes and another file, as an upgrade has.
pub(super) fn another(of: &Path, path: &Path) -> Result<()> {
    let mut bytes = std::fs::read(of).with_context(|| format!("{} cannot be read.", of.display()))?;
    bytes.extend([0, 1, 0]);
    std::fs::write(path, bytes).with_context(|| format!("{} cannot be written.", path.display()))
}
