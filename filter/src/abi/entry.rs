//! Where the host calls Meridian: the exports, by the names of proxy-wasm 0.2.1, and nothing in them.
//!
//! A host calls what is exported and pays for each call, so this list is a budget. A healthy request is two entries, its headers and its
//! response's, and trailers are one more where there are any. Nobody is told that a stream begins (`proxy_on_context_create`) or ends
//! (`proxy_on_done`, `proxy_on_log`, `proxy_on_delete`): what a stream leaves behind is in a ring that the next ones overwrite.

use crate::vm;

/// Says which ABI this is.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Before anything else.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    crate::logger::start();
}

/// Memory for what the host returns; it is owned by whoever asked.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    let mut block = Vec::<u8>::with_capacity(size);
    let address = block.as_mut_ptr();
    std::mem::forget(block);
    address
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, size: usize) -> u32 {
    u32::from(vm::configure(root, size))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    vm::tick(root);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_queue_ready(_root: u32, queue: u32) {
    vm::queue_ready(queue);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(root: u32, call: u32, headers: usize, _body: usize, _trailers: usize) {
    vm::call_answered(root, call, headers > 0);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(stream: u32, _count: usize, _end: u32) -> u32 {
    vm::request_headers(stream) as u32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(stream: u32, _count: usize, end: u32) -> u32 {
    vm::response_headers(stream, end != 0) as u32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(stream: u32, _count: usize) -> u32 {
    vm::response_trailers(stream);
    vm::Action::Continue as u32
}
