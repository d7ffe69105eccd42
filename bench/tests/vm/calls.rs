//! The calls of proxy-wasm 0.2.1 that the module makes, answered by a [`Host`]. Whatever else it imports answers that it is not there.

use super::host::{Host, encoded};
use anyhow::Result;
use wasmi::{Caller, Error, Extern, ExternType, Linker, Memory, Module, Val};

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const EMPTY: u32 = 7;
const CAS_MISMATCH: u32 = 8;
const UNIMPLEMENTED: i32 = 12;
/// Of `proxy_get_buffer_bytes`.
const PLUGIN_CONFIGURATION: u32 = 7;
/// What a module may call its allocator.
const ALLOCATORS: [&str; 2] = ["proxy_on_memory_allocate", "malloc"];

type Call<'a> = Caller<'a, Host>;
type Status = Result<u32, Error>;

/// Defines a call, and counts it whenever it is made.
macro_rules! answer {
    ($linker:expr, $name:literal, |$call:ident $(, $argument:ident: $kind:ty)* $(,)?| $answer:block) => {
        $linker.func_wrap("env", $name, |mut $call: Call<'_>, $($argument: $kind),*| -> Status {
            $call.data_mut().asks.count($name);
            $answer
        })?
    };
}

/// Defines everything the module imports.
pub(super) fn define(linker: &mut Linker<Host>, module: &Module) -> Result<()> {
    linker.allow_shadowing(true);
    for import in module.imports() {
        if let ExternType::Func(kind) = import.ty() {
            let name = import.name().to_owned();
            linker.func_new(import.module(), import.name(), kind.clone(), move |mut call, _, results| {
                call.data_mut().asks.count(&name);
                results.iter_mut().for_each(|result| *result = Val::I32(UNIMPLEMENTED));
                Ok(())
            })?;
        }
    }
    define_maps(linker)?;
    define_attributes(linker)?;
    define_sharing(linker)?;
    define_numbers(linker)
}

/// Header maps, and an answer of the module's own.
fn define_maps(linker: &mut Linker<Host>) -> Result<()> {
    answer!(linker, "proxy_get_header_map_value", |call, map: u32, name: u32, size: u32, data: u32, length: u32| {
        let name = text(&call, name, size)?;
        let line = call.data().lines(map).iter().find(|(line, _)| *line == name);
        let value = line.map(|(_, value)| value.clone().into_bytes());
        hand_over(&mut call, value, data, length)
    });
    answer!(linker, "proxy_get_header_map_pairs", |call, map: u32, data: u32, length: u32| {
        let lines = encoded(call.data().lines(map));
        hand_over(&mut call, Some(lines), data, length)
    });
    answer!(
        linker,
        "proxy_replace_header_map_value",
        |call, _map: u32, name: u32, size: u32, value: u32, length: u32| {
            let (name, value) = (text(&call, name, size)?, read(&call, value, length)?);
            call.data_mut().written.insert(name, value);
            Ok(OK)
        }
    );
    answer!(linker, "proxy_remove_header_map_value", |call, _map: u32, _name: u32, _size: u32| { Ok(OK) });
    answer! { linker, "proxy_send_local_response", |call, status: u32, _details: u32, _details_size: u32, _body: u32, _body_size: u32,
                                                    _headers: u32, _headers_size: u32, _grpc: i32| {
        call.data_mut().refused = Some(status);
        Ok(OK)
    }};
    Ok(())
}

/// Attributes, the configuration, the log and the clock.
fn define_attributes(linker: &mut Linker<Host>) -> Result<()> {
    answer!(linker, "proxy_get_property", |call, path: u32, size: u32, data: u32, length: u32| {
        let path = read(&call, path, size)?;
        let value = call.data().attributes.get(&path).cloned();
        hand_over(&mut call, value, data, length)
    });
    answer!(linker, "proxy_set_property", |call, _path: u32, _path_size: u32, _value: u32, _size: u32| { Ok(OK) });
    answer!(linker, "proxy_get_buffer_bytes", |call, kind: u32, _from: u32, _most: u32, data: u32, length: u32| {
        let bytes = (kind == PLUGIN_CONFIGURATION).then(|| call.data().configuration.clone());
        hand_over(&mut call, bytes, data, length)
    });
    answer!(linker, "proxy_log", |call, _level: u32, at: u32, size: u32| {
        let line = text(&call, at, size)?;
        call.data_mut().log.push(line);
        Ok(OK)
    });
    answer!(linker, "proxy_get_current_time_nanoseconds", |call, at: u32| {
        let now = call.data().now;
        write(&mut call, at, &now.to_le_bytes())
    });
    answer!(linker, "proxy_set_tick_period_milliseconds", |call, _period: u32| { Ok(OK) });
    answer!(linker, "proxy_set_effective_context", |call, _context: u32| { Ok(OK) });
    Ok(())
}

/// Shared values and queues.
fn define_sharing(linker: &mut Linker<Host>) -> Result<()> {
    answer!(linker, "proxy_get_shared_data", |call, key: u32, size: u32, data: u32, length: u32, version: u32| {
        let key = read(&call, key, size)?;
        let Some((value, cas)) = call.data().shared.get(&key).cloned() else { return Ok(NOT_FOUND) };
        write(&mut call, version, &cas.to_le_bytes())?;
        hand_over(&mut call, Some(value), data, length)
    });
    answer!(linker, "proxy_set_shared_data", |call, key: u32, size: u32, value: u32, length: u32, cas: u32| {
        let (key, value) = (read(&call, key, size)?, read(&call, value, length)?);
        let (at, version) = call.data_mut().shared.entry(key).or_insert((Vec::new(), 0));
        if cas != 0 && cas != *version {
            return Ok(CAS_MISMATCH);
        }
        (*at, *version) = (value, *version + 1);
        Ok(OK)
    });
    answer!(linker, "proxy_register_shared_queue", |call, name: u32, size: u32, number: u32| {
        let name = read(&call, name, size)?;
        let queue = call.data_mut().number(&name);
        write(&mut call, number, &queue.to_le_bytes())
    });
    answer!(linker, "proxy_enqueue_shared_queue", |call, _queue: u32, _value: u32, _size: u32| { Ok(OK) });
    answer!(linker, "proxy_dequeue_shared_queue", |call, _queue: u32, _data: u32, _length: u32| { Ok(EMPTY) });
    Ok(())
}

/// Metrics.
fn define_numbers(linker: &mut Linker<Host>) -> Result<()> {
    answer!(linker, "proxy_define_metric", |call, _kind: u32, name: u32, size: u32, number: u32| {
        let name = read(&call, name, size)?;
        let metric = call.data_mut().number(&name);
        write(&mut call, number, &metric.to_le_bytes())
    });
    answer!(linker, "proxy_increment_metric", |call, _number: u32, _by: i64| { Ok(OK) });
    answer!(linker, "proxy_record_metric", |call, _number: u32, _value: u64| { Ok(OK) });
    Ok(())
}

/// Gives the module a block in its own memory; it owns it from then on.
fn hand_over(call: &mut Call<'_>, bytes: Option<Vec<u8>>, data: u32, length: u32) -> Status {
    let Some(bytes) = bytes else { return Ok(NOT_FOUND) };
    let size = u32::try_from(bytes.len()).map_err(|_| Error::new("a block of more than 4 GiB"))?;
    let block = match size {
        0 => 0,
        _ => {
            let allocator = ALLOCATORS.iter().find_map(|name| call.get_export(name).and_then(Extern::into_func));
            let allocator = allocator.ok_or_else(|| Error::new("the module has no allocator"))?;
            call.data_mut().asks.blocks += 1;
            allocator.typed::<u32, u32>(&*call)?.call(&mut *call, size)?
        }
    };
    write(call, block, &bytes)?;
    write(call, data, &block.to_le_bytes())?;
    write(call, length, &size.to_le_bytes())
}

fn memory(call: &Call<'_>) -> Result<Memory, Error> {
    let memory = call.get_export("memory").and_then(Extern::into_memory);
    memory.ok_or_else(|| Error::new("the module has no memory"))
}

fn read(call: &Call<'_>, at: u32, size: u32) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; size as usize];
    memory(call)?.read(call, at as usize, &mut bytes)?;
    Ok(bytes)
}

fn text(call: &Call<'_>, at: u32, size: u32) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(&read(call, at, size)?).into_owned())
}

fn write(call: &mut Call<'_>, at: u32, bytes: &[u8]) -> Status {
    memory(call)?.write(call, at as usize, bytes)?;
    Ok(OK)
}
