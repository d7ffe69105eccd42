//! Requests, in two ways: exactly as asked, and many on few connections.
//!
//! A [`Request`] is for one answer and may be as odd as a test likes; a [`Pool`] keeps connections open as browsers and
//! sidecars do, for the load and for the applications' own calls. Neither follows, retries or hides anything: a
//! connection that is cut is an error, since "no failed request" is worth nothing from a client that retries.

mod pool;
mod request;
mod response;

use std::net::SocketAddr;

use anyhow::Result;

pub use pool::Pool;
pub use request::Request;
pub use response::Response;

/// A GET with plain headers, for the usual case.
///
/// # Errors
/// When no complete response comes in time.
pub async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let plain = Request::get(path);
    headers.iter().fold(plain, |request, (name, value)| request.header(name, value)).send(address).await
}
