//! The listener: connections in, answers out.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::State;
use super::answer::answer;

/// The longest request head that is read: room for headers of 64 KiB.
const LONGEST_HEAD: usize = 512 * 1024;

/// Listens: from now on connections wait to be served.
///
/// # Errors
/// When the address cannot be had.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on."))
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, state: State) {
    let state = Arc::new(state);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, or a client gone already: the next one may do better.
            tokio::task::yield_now().await;
            continue;
        };
        // Without it small answers wait for an acknowledgement; that it cannot be set means the client is gone.
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| async { Ok::<_, Infallible>(answer(&state, request).await) });
            // A connection that fails is the client's to report.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .max_buf_size(LONGEST_HEAD)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
