//! The host calls Meridian makes, with every status handled.
//!
//! The only `unsafe` of the project, with [`entry`], where the host calls Meridian. Two rules make it small: the host writes only through
//! pointers to locals that outlive the call, and a block the host returns was allocated by this module's own exported allocator (a
//! `Vec<u8>` with capacity equal to its length), so it is owned by taking it back as a `Vec`. Statuses are numbers here and no enum: a
//! host may return one that nobody has a name for.
//!
//! There is no SDK in between. The Rust SDK makes a context for each stream, whose creation and end are two entries into the VM more,
//! dispatches by hash maps, and traps on any status that it does not expect; a trap takes the whole worker's VM with it.

#![allow(unsafe_code)]

pub(crate) mod entry;

use meridian_core::{HeaderMap, Timestamp};
use std::ptr::{null, null_mut};
use std::time::Duration;

/// A call that did not do what was asked. The number is proxy-wasm's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed(u32);

impl Failed {
    /// Somebody else wrote in between.
    pub(crate) const CAS_MISMATCH: Self = Self(8);
    /// Nobody could be asked: there was no host to send it to.
    pub(crate) const INTERNAL_FAILURE: Self = Self(10);
    const NOT_FOUND: Self = Self(1);
    const EMPTY: Self = Self(7);
}

/// Which header map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Map {
    Request = 0,
    Response = 2,
    ResponseTrailers = 3,
    CallResponse = 6,
}

/// Which kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, pairs: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(map: u32, key: *const u8, key_size: usize, value: *const u8, size: usize) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, value: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_get_buffer_bytes(kind: u32, start: usize, max: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, size: usize, cas: u32) -> u32;
    fn proxy_register_shared_queue(name: *const u8, name_size: usize, queue: *mut u32) -> u32;
    fn proxy_enqueue_shared_queue(queue: u32, value: *const u8, size: usize) -> u32;
    fn proxy_dequeue_shared_queue(queue: u32, value: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

fn checked(status: u32) -> Result<(), Failed> {
    if status == 0 { Ok(()) } else { Err(Failed(status)) }
}

/// Runs a call that returns a block, and takes the block over. Not found is `None`.
fn block(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Option<Vec<u8>>, Failed> {
    let (mut data, mut size) = (null_mut(), 0);
    match checked(call(&raw mut data, &raw mut size)) {
        Err(Failed::NOT_FOUND) => Ok(None),
        Err(failed) => Err(failed),
        Ok(()) if data.is_null() => Ok(Some(Vec::new())),
        // SAFETY: the host allocated the block through this module's exported allocator with exactly this size, and hands it over.
        Ok(()) => Ok(Some(unsafe { Vec::from_raw_parts(data, size, size) })),
    }
}

/// The first line of a header.
pub(crate) fn header(map: Map, name: &str) -> Result<Option<Vec<u8>>, Failed> {
    // SAFETY: `name` outlives the call; the out-pointers are `block`'s locals.
    block(|data, size| unsafe { proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size) })
}

/// Every header line, in one call.
pub(crate) fn headers(map: Map) -> Result<HeaderMap, Failed> {
    // SAFETY: the out-pointers are `block`'s locals.
    let block = block(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) })?;
    Ok(HeaderMap::new(block.unwrap_or_default()))
}

/// Sets a header in place of every line it had.
pub(crate) fn set_header(map: Map, name: &str, value: &[u8]) -> Result<(), Failed> {
    // SAFETY: both slices outlive the call.
    checked(unsafe {
        proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Removes every line of a header.
pub(crate) fn remove_header(map: Map, name: &str) -> Result<(), Failed> {
    // SAFETY: `name` outlives the call.
    checked(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// An attribute, by its path with a zero byte between the parts, e.g. `b"xds\0cluster_name"`.
pub(crate) fn property(path: &[u8]) -> Result<Option<Vec<u8>>, Failed> {
    // SAFETY: `path` outlives the call; the out-pointers are `block`'s locals.
    block(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// Puts a value into the stream's filter state, where access logs read it: `%FILTER_STATE(wasm.<name>:PLAIN)%`.
pub(crate) fn set_state(name: &str, value: &[u8]) -> Result<(), Failed> {
    // SAFETY: both slices outlive the call.
    checked(unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// The wall clock.
pub(crate) fn now() -> Result<Timestamp, Failed> {
    Ok(Timestamp(microseconds()? / 1_000))
}

/// The wall clock, in microseconds since the epoch.
pub(crate) fn microseconds() -> Result<u64, Failed> {
    let mut nanoseconds = 0;
    // SAFETY: the out-pointer is a local that outlives the call.
    checked(unsafe { proxy_get_current_time_nanoseconds(&raw mut nanoseconds) })?;
    Ok(nanoseconds / 1_000)
}

/// Asks for `on_tick` every so many milliseconds; 0 is never.
pub(crate) fn set_tick_period(milliseconds: u32) -> Result<(), Failed> {
    // SAFETY: no pointer is passed.
    checked(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Lets the calls that follow act for a stream (or for a root context) other than the one of this callback.
pub(crate) fn act_for(context: u32) -> Result<(), Failed> {
    // SAFETY: no pointer is passed.
    checked(unsafe { proxy_set_effective_context(context) })
}

/// The plugin configuration, whole.
pub(crate) fn configuration(size: usize) -> Result<Vec<u8>, Failed> {
    const PLUGIN_CONFIGURATION: u32 = 7;
    // SAFETY: the out-pointers are `block`'s locals.
    let bytes = block(|data, length| unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, data, length) })?;
    Ok(bytes.unwrap_or_default())
}

/// A value all VMs of this `vm_id` share, with the number of its last change; `None` before the first.
pub(crate) fn shared(key: &str) -> Result<Option<(Vec<u8>, u32)>, Failed> {
    let mut cas = 0;
    // SAFETY: `key` outlives the call; the out-pointers are locals that outlive it.
    let found =
        block(|data, size| unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas) })?;
    Ok(found.map(|bytes| (bytes, cas)))
}

/// Changes a shared value if nobody else did since `cas`; [`Failed::CAS_MISMATCH`] if somebody did.
pub(crate) fn set_shared(key: &str, value: &[u8], cas: u32) -> Result<(), Failed> {
    // SAFETY: both slices outlive the call.
    checked(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) })
}

/// The queue of this name, which all VMs of this `vm_id` share; from now on, its messages are told to the root context that is asking.
pub(crate) fn register_queue(name: &str) -> Result<u32, Failed> {
    let mut queue = 0;
    // SAFETY: `name` outlives the call; the out-pointer is a local that does, too.
    checked(unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), &raw mut queue) })?;
    Ok(queue)
}

/// Puts a message into a queue.
pub(crate) fn enqueue(queue: u32, message: &[u8]) -> Result<(), Failed> {
    // SAFETY: `message` outlives the call.
    checked(unsafe { proxy_enqueue_shared_queue(queue, message.as_ptr(), message.len()) })
}

/// Takes the oldest message out of a queue; `None`: there is none, or no such queue.
pub(crate) fn dequeue(queue: u32) -> Result<Option<Vec<u8>>, Failed> {
    // SAFETY: the out-pointers are `block`'s locals.
    match block(|data, size| unsafe { proxy_dequeue_shared_queue(queue, data, size) }) {
        Err(Failed::EMPTY) => Ok(None),
        taken => taken,
    }
}

/// The id of the metric with this name, made if it is not there.
pub(crate) fn define_metric(kind: Metric, name: &str) -> Result<u32, Failed> {
    let mut id = 0;
    // SAFETY: `name` outlives the call; the out-pointer is a local that does, too.
    checked(unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

/// Adds to a counter; the offset is above zero.
pub(crate) fn increment(id: u32, offset: i64) -> Result<(), Failed> {
    // SAFETY: no pointer is passed.
    checked(unsafe { proxy_increment_metric(id, offset) })
}

/// Sets a gauge, or adds an observation to a histogram.
pub(crate) fn record(id: u32, value: u64) -> Result<(), Failed> {
    // SAFETY: no pointer is passed.
    checked(unsafe { proxy_record_metric(id, value) })
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
    Critical = 5,
}

/// Writes a line into Envoy's log. A host that refuses it is not told of, or it would be by the same way.
pub(crate) fn log(level: Level, message: &str) {
    // SAFETY: `message` outlives the call.
    unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) };
}

/// Answers the request here, with a header or none and a plain-text body.
pub(crate) fn respond(status: u16, header: Option<(&str, &str)>, body: &str) -> Result<(), Failed> {
    let map = pairs(header.as_slice());
    // SAFETY: all slices outlive the call; no details are passed, and -1 leaves the gRPC status to the host.
    checked(unsafe {
        proxy_send_local_response(u32::from(status), null(), 0, body.as_ptr(), body.len(), map.as_ptr(), map.len(), -1)
    })
}

/// Sends a request without a body to an Envoy cluster. The answer comes under the number that is returned, at most `timeout` later.
///
/// [`Failed::INTERNAL_FAILURE`]: the cluster has nobody to send it to. Anything else: there is no such cluster
/// (`source/extensions/common/wasm/context.cc`, `Context::httpCall`).
pub(crate) fn call(cluster: &str, headers: &[(&str, &str)], timeout: Duration) -> Result<u32, Failed> {
    let (headers, trailers, mut token) = (pairs(headers), pairs(&[]), 0);
    let timeout = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: all slices outlive the call, and there is no body; the out-pointer is a local that does, too.
    checked(unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            null(),
            0,
            trailers.as_ptr(),
            trailers.len(),
            timeout,
            &raw mut token,
        )
    })?;
    Ok(token)
}

/// A header map as the host reads it: how many pairs, the lengths of all, then all of them, each part with a zero byte behind it.
fn pairs(headers: &[(&str, &str)]) -> Vec<u8> {
    let length = |part: usize| u32::try_from(part).unwrap_or(u32::MAX).to_le_bytes();
    let mut map = length(headers.len()).to_vec();
    for (name, value) in headers {
        map.extend(length(name.len()));
        map.extend(length(value.len()));
    }
    for part in headers.iter().flat_map(|(name, value)| [name, value]) {
        map.extend_from_slice(part.as_bytes());
        map.push(0);
    }
    map
}
