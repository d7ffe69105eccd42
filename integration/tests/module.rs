//! The artifact as it ships: what target/meridian.wasm asks of its host, offers it, weighs and reveals.
//! Envoy refuses a module at load for any one of these, and says so only in its log.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use wasmparser::{Parser, Payload};

/// A ConfigMap holds 1 MiB, and every worker compiles the module.
const LIMIT_KIB: usize = 300;
const AIM_KIB: usize = 150;

/// What a host that speaks proxy-wasm 0.2.1 provides to a plugin. One name more, and the module does not load.
const HOST_CALLS: [&str; 39] = [
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_buffer_bytes",
    "proxy_get_buffer_status",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_size",
    "proxy_get_header_map_value",
    "proxy_get_log_level",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_register_shared_queue",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_resolve_shared_queue",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];

/// The module's bytes, and the names at its border.
struct Module {
    bytes: Vec<u8>,
    /// `(module, name)` of everything it imports.
    imports: Vec<(String, String)>,
    exports: BTreeSet<String>,
}

impl Module {
    fn load() -> Result<Self> {
        let bytes = std::fs::read(workspace().join("target/meridian.wasm")).context("run `make module` first")?;
        let (mut imports, mut exports) = (Vec::new(), BTreeSet::new());
        for payload in Parser::new(0).parse_all(&bytes) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        imports.push((import.module.to_owned(), import.name.to_owned()));
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        exports.insert(export?.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(Self { bytes, imports, exports })
    }

    fn mentions(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

fn workspace() -> PathBuf {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    member.parent().unwrap_or(member).to_owned()
}

#[test]
fn imports_only_what_a_proxy_wasm_host_provides() -> Result<()> {
    let module = Module::load()?;
    let foreign: Vec<_> =
        module.imports.iter().filter(|(from, name)| from != "env" || !HOST_CALLS.contains(&name.as_str())).collect();
    assert!(!module.imports.is_empty(), "it asks nothing of its host, so it cannot be the filter");
    assert!(foreign.is_empty(), "Envoy has no {foreign:?}");
    Ok(())
}

#[test]
fn says_which_abi_it_speaks() -> Result<()> {
    let module = Module::load()?;
    let versions: Vec<_> = module.exports.iter().filter(|name| name.starts_with("proxy_abi_version_")).collect();
    assert_eq!(versions, ["proxy_abi_version_0_2_1"]);
    Ok(())
}

/// Every callback is an entry into the VM for whatever it is about, so a new one here is a cost for every request or stream.
#[test]
fn is_called_for_what_it_needs_and_for_nothing_else() -> Result<()> {
    let module = Module::load()?;
    let callbacks: Vec<_> = module.exports.iter().filter(|name| name.starts_with("proxy_on_")).collect();
    let needed = [
        "proxy_on_configure",
        "proxy_on_http_call_response",
        "proxy_on_memory_allocate",
        "proxy_on_queue_ready",
        "proxy_on_request_headers",
        "proxy_on_response_headers",
        "proxy_on_response_trailers",
        "proxy_on_tick",
    ];
    assert_eq!(callbacks, needed);
    Ok(())
}

#[test]
fn fits_well_into_a_config_map() -> Result<()> {
    let size = Module::load()?.bytes.len();
    println!("{} KiB; the aim is {AIM_KIB} KiB, the limit {LIMIT_KIB} KiB", size.div_ceil(1024));
    assert!(size <= LIMIT_KIB * 1024, "{size} bytes");
    Ok(())
}

#[test]
fn reveals_no_path_of_the_machine_that_built_it() -> Result<()> {
    let module = Module::load()?;
    let mut paths = vec![workspace()];
    paths.extend(["HOME", "CARGO_HOME", "RUSTUP_HOME"].into_iter().filter_map(std::env::var_os).map(PathBuf::from));
    for path in paths.iter().filter(|path| path.parent().is_some()) {
        let inside = format!("{}/", path.display());
        assert!(!module.mentions(&inside), "{inside} is in the module");
    }
    Ok(())
}
