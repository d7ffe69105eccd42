//! gRPC, as far as statuses go: answers whose status is in the headers or in the trailers, and a client that reads either.
//!
//! What the messages say does not matter to anybody between the two ends, so there is no code generator and no `tonic` here, only the
//! HTTP/2 that gRPC is made of.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::Server;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const STATUS: &str = "grpc-status";

/// How a call is answered, always with HTTP's 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcAnswer {
    /// With no message, and the status among the headers.
    TrailersOnly(u32),
    /// With so many messages, and the status after them.
    Messages(usize, u32),
}

/// A gRPC server over HTTP/2 whose answers are signed with `tag`; `answer` says how the call of a path is answered.
///
/// # Errors
/// When there is no port for it.
pub async fn grpc(tag: &str, answer: impl Fn(&str) -> GrpcAnswer + Send + Sync + 'static) -> Result<Server> {
    let (tag, answer) = (HeaderValue::from_str(tag)?, Arc::new(answer));
    Server::start(move |stream, seen| {
        let (tag, answer) = (tag.clone(), Arc::clone(&answer));
        async move {
            let service = service_fn(move |request: Request<Incoming>| {
                seen.fetch_add(1, Ordering::Relaxed);
                let response = response(&tag, answer(request.uri().path()));
                async { Ok::<_, Infallible>(response) }
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // A connection that breaks is the client's to report.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

fn response(tag: &HeaderValue, answer: GrpcAnswer) -> Response<Body> {
    let (messages, status) = match answer {
        GrpcAnswer::TrailersOnly(status) => (0, status),
        GrpcAnswer::Messages(messages, status) => (messages, status),
    };
    let status = HeaderValue::from(status);
    let body = match answer {
        GrpcAnswer::TrailersOnly(_) => Full::default().boxed(),
        GrpcAnswer::Messages(..) => {
            // Each is a flag, the length and as many bytes: here none.
            let trailers = HeaderMap::from_iter([(hyper::header::HeaderName::from_static(STATUS), status.clone())]);
            let trailers = async { Some(Ok(trailers)) };
            Full::from([0_u8; 5].repeat(messages)).with_trailers(trailers).boxed()
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response.headers_mut().insert(crate::load::SERVED_BY, tag.clone());
    if matches!(answer, GrpcAnswer::TrailersOnly(_)) {
        response.headers_mut().insert(STATUS, status);
    }
    response
}

/// A client with one connection.
#[derive(Debug)]
pub struct GrpcClient {
    sender: hyper::client::conn::http2::SendRequest<Full<Bytes>>,
}

impl GrpcClient {
    /// Connects.
    ///
    /// # Errors
    /// When nobody takes the connection.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // Its errors reach whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Calls a method of a host; the status and the serving region's tag.
    ///
    /// # Errors
    /// When the answer is not complete, or has no status.
    pub async fn call(&mut self, host: &str, path: &str) -> Result<(u32, Option<String>)> {
        let request = Request::post(format!("http://{host}{path}")).header(CONTENT_TYPE, GRPC).header("te", "trailers");
        let response = self.sender.send_request(request.body(Full::from(Bytes::from_static(&[0; 5])))?).await?;
        let text = |headers: &HeaderMap, name: &str| {
            headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (early, tag) = (text(response.headers(), STATUS), text(response.headers(), crate::load::SERVED_BY));
        let body = response.into_body().collect().await?;
        let late = body.trailers().and_then(|trailers| text(trailers, STATUS));
        let status = early.or(late).context("The answer has no status.")?;
        Ok((status.parse().context("The status is no number.")?, tag))
    }
}
