//! The pages, and the calls that they are made from.
//!
//! A part that cannot be had is said to be missing and the page comes all the same, as in the original: then a broken
//! reviews service shows in the page and not as a broken productpage.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HOST;
use serde_json::{Value, json};

use super::{Service, State};
use crate::net::port;

const PATIENCE: Duration = Duration::from_secs(5);

/// Productpage's HTML.
pub(super) async fn productpage(state: &State) -> String {
    let (details, reviews) = tokio::join!(call(state, Service::Details), call(state, Service::Reviews));
    let details = match details {
        Ok(details) => {
            let (author, pages) = (word(&details, "author"), number(&details, "pages").unwrap_or_default());
            format!("<p>by {author}, {pages} pages{}</p>", made_by(&details))
        }
        Err(_) => "<p>The details of this book are not available.</p>".to_owned(),
    };
    let reviews = match reviews {
        Ok(reviews) => {
            let stars = match number(&reviews, "stars") {
                Some(stars) => format!(
                    " <span style=\"color:{}\">{}</span>",
                    word(&reviews, "color"),
                    "★".repeat(usize::try_from(stars.min(5)).unwrap_or_default())
                ),
                None => String::new(),
            };
            format!("<p>{}{stars}{}</p>", word(&reviews, "text"), made_by(&reviews))
        }
        Err(_) => "<p>The reviews of this book are not available.</p>".to_owned(),
    };
    let identity = &state.identity;
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Simple Bookstore App</title></head>\n\
         <body><h1>The Comedy of Errors</h1>\n<h2>Details</h2>\n{details}\n<h2>Reviews</h2>\n{reviews}\n\
         <footer>Served by <b>{}-{}</b> in cluster <b>{}</b></footer></body></html>\n",
        identity.service, identity.version, identity.cluster
    )
}

/// The JSON of the other services.
pub(super) async fn resource(state: &State) -> Value {
    let identity = &state.identity;
    let mut resource = match identity.service {
        Service::Productpage => json!({}),
        Service::Details => json!({"author": "William Shakespeare", "pages": 200}),
        Service::Ratings => json!({"stars": 5}),
        Service::Reviews => reviews(state).await,
    };
    if let Some(members) = resource.as_object_mut() {
        members.insert("by".to_owned(), json!(format!("{}-{}", identity.service, identity.version)));
        members.insert("cluster".to_owned(), json!(identity.cluster));
    }
    resource
}

async fn reviews(state: &State) -> Value {
    let mut reviews = json!({"text": "An extremely entertaining play by Shakespeare."});
    let color = match state.identity.version.as_str() {
        "v2" => "black",
        "v3" => "red",
        _ => return reviews,
    };
    match (call(state, Service::Ratings).await, reviews.as_object_mut()) {
        (Ok(ratings), Some(members)) => {
            members.insert("stars".to_owned(), json!(number(&ratings, "stars")));
            members.insert("color".to_owned(), json!(color));
        }
        (Err(_), Some(members)) => {
            members.insert("text".to_owned(), json!("Ratings are not available."));
        }
        (_, None) => {}
    }
    reviews
}

fn made_by(part: &Value) -> String {
    format!(" <small>({} in {})</small>", word(part, "by"), word(part, "cluster"))
}

fn word<'a>(part: &'a Value, name: &str) -> &'a str {
    part.get(name).and_then(Value::as_str).unwrap_or("unknown")
}

fn number(part: &Value, name: &str) -> Option<u64> {
    part.get(name).and_then(Value::as_u64)
}

async fn call(state: &State, service: Service) -> Result<Value> {
    let request = hyper::Request::get(service.path())
        .header(HOST, format!("{}:{}", service.name(), port::INBOUND))
        .body(Full::new(Bytes::new()))?;
    let answer = tokio::time::timeout(PATIENCE, state.outbound.send(request)).await;
    let answer = answer.with_context(|| format!("{service} did not answer."))??;
    if !answer.status().is_success() {
        bail!("{service} answered {}.", answer.status());
    }
    Ok(serde_json::from_slice(answer.body())?)
}
