//! Our own module, of which one callback traps: everything else goes on as it does in production until then.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use integration::paths;
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

const UNREACHABLE: u8 = 0x00;
const NOP: u8 = 0x01;
const END: u8 = 0x0b;

/// The module that ships, whose export `callback` does nothing but trap.
pub(crate) fn module(callback: &str, folder: &Path) -> Result<PathBuf> {
    let mut bytes = std::fs::read(paths::module()?)?;
    let (from, to) = body(&bytes, callback)?;
    let code = bytes.get_mut(from..to).context("a body is in the module")?;
    code.fill(NOP);
    *code.first_mut().context("a body has code")? = UNREACHABLE;
    *code.last_mut().context("a body has an end")? = END;
    let path = folder.join("trapping.wasm");
    std::fs::write(&path, bytes)?;
    Ok(path)
}

/// Where the code of an exported function begins, behind its locals, and where it ends.
fn body(bytes: &[u8], callback: &str) -> Result<(usize, usize)> {
    let (mut imported, mut exported, mut seen) = (0, None, 0);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ExternalKind::Func && export.name == callback {
                        exported = Some(export.index);
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                if exported == Some(imported + seen) {
                    let (from, to) = (body.get_operators_reader()?.original_position(), body.range().end);
                    ensure!(to - from >= 2, "there is no room in {callback}");
                    return Ok((usize::try_from(from)?, usize::try_from(to)?));
                }
                seen += 1;
            }
            _ => {}
        }
    }
    anyhow::bail!("the module exports no {callback}")
}
