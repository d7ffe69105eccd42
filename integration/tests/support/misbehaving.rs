//! Modules that do in the place of the filter what no filter should.

use std::path::{Path, PathBuf};

/// What a module does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misbehaviour {
    /// Writes a plan that leads out into every request.
    Forges,
    /// Its VM dies of the first request.
    DiesOfARequest,
    /// Forges as well, and its VM dies of the first response.
    DiesOfAResponse,
}

impl Misbehaviour {
    /// The code in the request's callback and in the response's.
    fn code(self) -> (&'static str, &'static str) {
        const FORGE: &str =
            "(drop (call $set (i32.const 0) (i32.const 0) (i32.const 14) (i32.const 32) (i32.const 16)))";
        match self {
            Self::Forges => (FORGE, ""),
            Self::DiesOfARequest => ("unreachable", ""),
            Self::DiesOfAResponse => (FORGE, "unreachable"),
        }
    }

    /// A module that any host of proxy-wasm loads, and that does this.
    pub(crate) fn module(self, folder: &Path) -> PathBuf {
        let (request, response) = self.code();
        let text = format!(
            r#"(module
  (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "x-region-route")
  (data (i32.const 32) "prefer-us-east-1")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {request} (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) {response} (i32.const 0)))"#
        );
        let path = folder.join("filter.wasm");
        std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        path
    }
}
