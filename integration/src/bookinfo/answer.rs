//! What an instance answers to which path.
//!
//! `/_control` and `/_seen` are the harness's own and are never counted nor failed; `/healthz` is not counted. Everything
//! else counts and fails as told: the service's page, `/echo` (what arrived, as the application saw it) and
//! `/status/CODE` (one answer with that status, for mixing good and bad in one stream).

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::{Fault, Service, State, page};

type Answer = Response<Full<Bytes>>;

pub(super) async fn answer(state: &State, request: Request<Incoming>) -> Answer {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/_control") => return control(state, request).await,
        (_, "/_seen") => return object(StatusCode::OK, &seen(state)),
        (_, "/healthz") if !state.fault().health => return text(StatusCode::OK, "ok"),
        (_, "/healthz") => {}
        _ => {
            if let Err(error) = state.count() {
                return text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}"));
            }
        }
    }
    let fault = state.fault();
    if let Some(delay) = fault.delay_ms {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let mut answer = match fault.status.map(StatusCode::from_u16) {
        Some(Ok(status)) => text(status, "told to fail"),
        Some(Err(_)) => text(StatusCode::INTERNAL_SERVER_ERROR, "told to fail with a status that is none"),
        None => normal(state, request).await,
    };
    for (name, value) in &fault.headers {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                answer.headers_mut().append(name, value);
            }
            _ => return text(StatusCode::INTERNAL_SERVER_ERROR, "told to send a header that is none"),
        }
    }
    answer
}

async fn normal(state: &State, request: Request<Incoming>) -> Answer {
    let service = state.identity.service;
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok"),
        "/echo" => object(StatusCode::OK, &echo(state, request).await),
        "/" if service == Service::Productpage => html(page::productpage(state).await),
        path if path == service.path() => match service {
            Service::Productpage => html(page::productpage(state).await),
            _ => object(StatusCode::OK, &page::resource(state).await),
        },
        path => match path.strip_prefix("/status/").and_then(|code| StatusCode::from_bytes(code.as_bytes()).ok()) {
            Some(status) => text(status, status.as_str()),
            None => text(StatusCode::NOT_FOUND, "no such page"),
        },
    }
}

async fn control(state: &State, request: Request<Incoming>) -> Answer {
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    match serde_json::from_slice::<Fault>(&body) {
        Ok(fault) => {
            state.set_fault(fault.clone());
            object(StatusCode::OK, &json!(fault))
        }
        Err(error) => text(StatusCode::BAD_REQUEST, &format!("not a fault: {error}")),
    }
}

fn seen(state: &State) -> Value {
    let identity = &state.identity;
    json!({
        "seen": state.seen(),
        "cluster": identity.cluster,
        "service": identity.service,
        "version": identity.version,
    })
}

async fn echo(state: &State, request: Request<Incoming>) -> Value {
    let (head, body) = request.into_parts();
    let headers: Vec<Value> = head
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let length = body.collect().await.map(|body| body.to_bytes().len()).unwrap_or_default();
    let mut echo = seen(state);
    if let Some(members) = echo.as_object_mut() {
        members.insert("method".to_owned(), json!(head.method.as_str()));
        members.insert("path".to_owned(), json!(head.uri.to_string()));
        members.insert("headers".to_owned(), json!(headers));
        members.insert("bodyLength".to_owned(), json!(length));
    }
    echo
}

fn text(status: StatusCode, body: &str) -> Answer {
    typed(status, "text/plain; charset=utf-8", body.to_owned())
}

fn html(body: String) -> Answer {
    typed(StatusCode::OK, "text/html; charset=utf-8", body)
}

fn object(status: StatusCode, body: &Value) -> Answer {
    typed(status, "application/json", body.to_string())
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
