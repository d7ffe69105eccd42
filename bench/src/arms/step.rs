//! One thing that a filter does at its border with Envoy, and nothing else: what it costs in place.
//!
//! A module that is written out instruction by instruction has nothing of its own that could cost anything, so what an arm of these adds to
//! the one before it is Envoy's price for that one thing.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// What the module does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Nothing: it is never called, but Envoy has a context for each stream.
    Context,
    /// It is called for the request, and returns.
    Request,
    /// It is called for the request and for the response, and returns: the other steps do so as well.
    Both,
    /// It asks for the region header, which is there where a request asks for a region.
    Header,
    /// It asks for two headers.
    Headers,
    /// It asks for all headers of the response.
    Pairs,
    /// It asks for the time.
    Time,
    /// It adds one to a counter.
    Count,
    /// It reads a value of 64 bytes that all workers share.
    Shared,
    /// It asks for an attribute of the response.
    Property,
    /// It leaves a text for access logs.
    State,
    /// It writes a request header, after which Envoy looks for the route once more.
    Write,
    /// It is called for the request only, because Envoy compares three headers of the response and skips it
    /// (`ExtensionWithMatcher`).
    Skipped,
    /// It is never called, because Envoy compares the host of the request and skips both, as in Istio for hosts that the policy does not know.
    Foreign,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 14] = [
        Self::Context,
        Self::Request,
        Self::Both,
        Self::Header,
        Self::Headers,
        Self::Pairs,
        Self::Time,
        Self::Count,
        Self::Shared,
        Self::Property,
        Self::State,
        Self::Write,
        Self::Skipped,
        Self::Foreign,
    ];

    /// For people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Context => "a filter without callbacks",
            Self::Request => "a request callback that returns at once",
            Self::Both => "a request and a response callback that return at once",
            Self::Header => "both, and the request asks for `region`",
            Self::Headers => "both, and the request asks for `region` and for one that is not there",
            Self::Pairs => "both, and the response asks for all its headers",
            Self::Time => "both, and the request asks for the time",
            Self::Count => "both, and the request adds to a counter",
            Self::Shared => "both, and the request reads a shared value",
            Self::Property => "both, and the response asks for an attribute",
            Self::State => "both, and the request leaves a text for access logs",
            Self::Write => "both, and the request writes a header, so that its route is looked for again",
            Self::Skipped => "both, but Envoy skips the response by three of its headers",
            Self::Foreign => "both, but Envoy skips them by the host",
        }
    }

    /// The filter, whose module is written into the folder.
    ///
    /// # Errors
    /// The module cannot be written.
    pub(super) fn filter(self, id: &str, folder: &Path) -> Result<Value> {
        let path = folder.join(format!("{id}.wasm"));
        std::fs::write(&path, wat::parse_str(self.text())?)
            .with_context(|| format!("{} cannot be written.", path.display()))?;
        let wasm = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": {
            "name": id,
            "root_id": id,
            "vm_config": {"vm_id": id, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": path}}},
        }});
        let filter = match self {
            Self::Skipped => skipped(&wasm, &plain_response()),
            Self::Foreign => skipped(&wasm, &foreign_host()),
            _ => wasm,
        };
        Ok(json!({"name": id, "typed_config": filter}))
    }

    /// The module's text.
    fn text(self) -> String {
        const REGION: &str =
            "(drop (call $header (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 0) (i32.const 4)))";
        const OTHER: &str =
            "(drop (call $header (i32.const 0) (i32.const 32) (i32.const 8) (i32.const 0) (i32.const 4)))";
        let request = match self {
            Self::Header => REGION.to_owned(),
            Self::Headers => format!("{REGION}{OTHER}"),
            Self::Time => "(drop (call $time (i32.const 0)))".to_owned(),
            Self::Count => "(drop (call $count (i32.load (i32.const 8)) (i64.const 1)))".to_owned(),
            Self::Shared => {
                "(drop (call $shared (i32.const 32) (i32.const 8) (i32.const 0) (i32.const 4) (i32.const 12)))"
                    .to_owned()
            }
            Self::State => "(drop (call $state (i32.const 32) (i32.const 8) (i32.const 64) (i32.const 64)))".to_owned(),
            Self::Write => {
                "(drop (call $write (i32.const 0) (i32.const 32) (i32.const 8) (i32.const 64) (i32.const 16)))"
                    .to_owned()
            }
            _ => String::new(),
        };
        let response = match self {
            Self::Pairs => "(drop (call $headers (i32.const 2) (i32.const 0) (i32.const 4)))",
            Self::Property => "(drop (call $property (i32.const 128) (i32.const 16) (i32.const 0) (i32.const 4)))",
            _ => "",
        };
        let callback = |name: &str, body: &str| {
            format!("(func (export \"proxy_on_{name}_headers\") (param i32 i32 i32) (result i32) {body} (i32.const 0))")
        };
        let request = if self == Self::Context { String::new() } else { callback("request", &request) };
        let has_response = ![Self::Context, Self::Request].contains(&self);
        let response = if has_response { callback("response", response) } else { String::new() };
        format!("{HEAD}{request}{response})")
    }
}

/// What every module has: memory, of which the host is always given the same, the names that it asks for, and a beginning.
const HEAD: &str = r#"(module
  (import "env" "proxy_get_header_map_value" (func $header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $headers (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $count (param i32 i64) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_shared_data" (func $shared (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $share (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_property" (func $state (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $write (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (data (i32.const 16) "region")
  (data (i32.const 32) "x-absent")
  (data (i32.const 64) "asked=us-west-1, chosen=us-east-1, reason=failover, rule=everyone")
  (data (i32.const 128) "xds\00cluster_name")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $define (i32.const 0) (i32.const 32) (i32.const 8) (i32.const 8)))
    (drop (call $share (i32.const 32) (i32.const 8) (i32.const 64) (i32.const 64) (i32.const 0)))
    (i32.const 1))
"#;

/// What a header of the request or of the response must be.
fn is(of: &str, header: &str, how: &Value) -> Value {
    json!({"single_predicate": {"value_match": how, "input": {"name": "header", "typed_config": {
        "@type": format!("type.googleapis.com/envoy.type.matcher.v3.Http{of}HeaderMatchInput"),
        "header_name": header,
    }}}})
}

/// The least that says a response is as it should be.
fn plain_response() -> Value {
    json!({"and_matcher": {"predicate": [
        is("Response", ":status", &json!({"prefix": "2"})),
        is("Response", super::TAG, &json!({"exact": super::Region::West.tag()})),
        {"not_matcher": is("Response", "content-type", &json!({"prefix": "application/grpc"}))},
    ]}})
}

/// A host that is none of a policy with one.
fn foreign_host() -> Value {
    json!({"not_matcher": is("Request", ":authority", &json!({"prefix": "page.example.com", "ignore_case": true}))})
}

/// Natively skipped where the predicate holds.
fn skipped(wasm: &Value, predicate: &Value) -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher",
        "extension_config": {"name": "filter", "typed_config": wasm},
        "xds_matcher": {"matcher_list": {"matchers": [{
            "predicate": predicate,
            "on_match": {"action": {"name": "skip", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter",
            }}},
        }]}},
    })
}
