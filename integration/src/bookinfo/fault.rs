//! How an instance fails when it is told to.
//!
//! An application that answers 503 while its health check is content, and one whose health check fails as well, are two
//! different outages: only the second is seen by a probe. So the probe's path fails only when asked for by name.

use serde::{Deserialize, Serialize};

/// What an instance does to every request until it is told otherwise; the default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Fault {
    /// Answer with this status instead of the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Wait this long before answering.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Do so on `/healthz` too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub health: bool,
    /// Add these header lines to every answer, whoever else may own them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
}

impl Fault {
    /// No fault.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every request gets this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// Every request waits.
    #[must_use]
    pub fn delay(delay: std::time::Duration) -> Self {
        Self { delay_ms: Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)), ..Self::default() }
    }

    /// The same, with one header line more.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, seen by health checks as well.
    #[must_use]
    pub fn with_health(self) -> Self {
        Self { health: true, ..self }
    }
}
