//! The module, and what it has to be allowed to do.
//!
//! Envoy can restrict a module to a list of capabilities: host functions it may call and callbacks it gets. A list kept by hand would
//! be wrong one release later, so it is read from the module itself, which is small and simple to read: a WebAssembly file is a row of
//! sections, two of which are names.

use anyhow::{Context, Result, bail, ensure};
use hmac_sha256::Hash;
use std::path::Path;

/// Where proxies get the module from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file in their own file system.
    File(Module),
    /// A registry, without `oci://`.
    Oci(String),
}

/// A module as a file of the proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    bytes: Vec<u8>,
    folder: String,
    digest: String,
    capabilities: Vec<String>,
}

impl Module {
    /// Reads the module at `path`, which the proxies will have in `folder`.
    ///
    /// # Errors
    /// A file that cannot be read or is no WebAssembly module.
    pub fn load(path: &Path, folder: &str) -> Result<Self> {
        let shown = path.display();
        let bytes =
            std::fs::read(path).with_context(|| format!("{shown} cannot be read; `make module` builds the module"))?;
        let capabilities = capabilities(&bytes).with_context(|| format!("{shown} is no module of the filter"))?;
        let digest = Hash::hash(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { bytes, folder: folder.trim_end_matches('/').to_owned(), digest, capabilities })
    }

    /// Its name: a changed module is a changed configuration, or proxies would keep what they have.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("meridian-{}.wasm", self.digest)
    }

    /// Its path in the proxies.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.folder, self.file_name())
    }

    /// The folder in the proxies.
    #[must_use]
    pub fn folder(&self) -> &str {
        &self.folder
    }

    pub(in crate::istio) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn capabilities(&self) -> &[String] {
        &self.capabilities
    }
}

/// The host functions a module imports and the callbacks it exports, sorted.
fn capabilities(module: &[u8]) -> Result<Vec<String>> {
    let mut reader = Reader { left: module };
    ensure!(reader.take(8)? == b"\0asm\x01\0\0\0", "it does not begin as WebAssembly does");
    let mut names = Vec::new();
    while !reader.left.is_empty() {
        let kind = reader.byte()?;
        let length = reader.number()?;
        let mut section = Reader { left: reader.take(length)? };
        match kind {
            2 => names.extend(section.imports()?),
            7 => names.extend(section.exports()?),
            _ => {}
        }
    }
    names.sort();
    names.dedup();
    ensure!(!names.is_empty(), "it has no callbacks of a filter");
    Ok(names)
}

struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(length).context("it ends too early")?;
        self.left = left;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        self.take(1)?.first().copied().context("it ends too early")
    }

    /// An unsigned LEB128 number.
    fn number(&mut self) -> Result<usize> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        bail!("a number in it does not end")
    }

    fn name(&mut self) -> Result<String> {
        let length = self.number()?;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    /// The imported functions, whoever's: Envoy lists WASI's among the capabilities as well.
    fn imports(&mut self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for _ in 0..self.number()? {
            let (_, name, kind) = (self.name()?, self.name()?, self.byte()?);
            ensure!(kind == 0, "it imports `{name}`, which is no function");
            self.number()?;
            names.push(name);
        }
        Ok(names)
    }

    fn exports(&mut self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for _ in 0..self.number()? {
            let (name, _) = (self.name()?, self.byte()?);
            self.number()?;
            // Memory, `malloc`, `_initialize` and the version of the interface are no callbacks.
            if name.starts_with("proxy_on_") {
                names.push(name);
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A section of a module: its kind, and a list of entries.
    fn section(kind: u8, entries: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![u8::try_from(entries.len()).unwrap()];
        body.extend(entries.concat());
        [vec![kind, u8::try_from(body.len()).unwrap()], body].concat()
    }

    fn name(text: &str) -> Vec<u8> {
        [vec![u8::try_from(text.len()).unwrap()], text.as_bytes().to_vec()].concat()
    }

    fn module() -> Vec<u8> {
        let import = |function: &str| [name("env"), name(function), vec![0, 3]].concat();
        let export = |function: &str| [name(function), vec![0, 5]].concat();
        let memory = [name("memory"), vec![2, 0]].concat();
        let imports = section(2, &[import("proxy_log"), import("proxy_get_property")]);
        let exports =
            section(7, &[memory, export("proxy_abi_version_0_2_1"), export("proxy_on_tick"), export("malloc")]);
        [b"\0asm\x01\0\0\0".to_vec(), imports, exports].concat()
    }

    #[test]
    fn a_module_may_do_what_it_imports_and_hear_what_it_exports() {
        assert_eq!(capabilities(&module()).unwrap(), ["proxy_get_property", "proxy_log", "proxy_on_tick"]);
    }

    #[test]
    fn whatever_is_cut_off_is_an_error_and_never_a_panic() {
        let module = module();
        for length in 0..module.len() {
            let _ = capabilities(&module[..length]);
        }
        assert!(capabilities(b"#!/bin/sh").is_err());
    }
}
