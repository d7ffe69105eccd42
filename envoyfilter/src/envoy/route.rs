//! `envoy.config.route.v3`: the native table.

use super::{Any, Duration};
use serde::Serialize;

/// `RouteConfiguration`.
#[derive(Clone, Debug, Serialize)]
pub struct RouteConfiguration {
    /// The table's name.
    pub name: String,
    /// One per set of hosts; Envoy finds it by hash, so more of them cost nothing.
    pub virtual_hosts: Vec<VirtualHost>,
    /// A request's host is matched without its port.
    pub ignore_port_in_host_matching: bool,
    /// Headers taken out of every request on its way to an upstream.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_headers_to_remove: Vec<String>,
}

/// `VirtualHost`.
#[derive(Clone, Debug, Serialize)]
pub struct VirtualHost {
    /// The virtual host's name.
    pub name: String,
    /// Hosts, exact or with one wildcard at an end.
    pub domains: Vec<String>,
    /// Routes, scanned in order, first match wins.
    pub routes: Vec<Route>,
    /// Adds `x-envoy-attempt-count` to responses: the router's own count, one for a request that was not retried.
    pub include_attempt_count_in_response: bool,
}

/// `Route`.
#[derive(Clone, Debug, Serialize)]
pub struct Route {
    /// Readable by filters as `xds.route_name`.
    pub name: String,
    /// When the route is taken.
    #[serde(rename = "match")]
    pub matcher: RouteMatch,
    /// Where the request goes.
    pub route: RouteAction,
    /// Headers set on the response.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_headers_to_add: Vec<HeaderValueOption>,
    /// Headers taken out of the upstream's response, before any filter sees it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_headers_to_remove: Vec<String>,
    /// Headers taken out of the request on its way to the upstream.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_headers_to_remove: Vec<String>,
}

/// `RouteMatch`, by path prefix.
#[derive(Clone, Debug, Serialize)]
pub struct RouteMatch {
    /// The path begins with this, byte for byte.
    pub prefix: String,
    /// All of these hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderMatcher>,
    /// And all of these, of what filters have left behind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dynamic_metadata: Vec<MetadataMatcher>,
}

/// `HeaderMatcher`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeaderMatcher {
    /// The header.
    pub name: String,
    /// What must hold of it.
    #[serde(flatten)]
    pub specifier: HeaderMatch,
    /// Take the opposite.
    #[serde(skip_serializing_if = "is_false")]
    pub invert_match: bool,
}

/// The `header_match_specifier` of a [`HeaderMatcher`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderMatch {
    /// The header is there.
    PresentMatch(bool),
    /// Its value matches.
    StringMatch(StringMatcher),
}

impl HeaderMatcher {
    /// The request does not have the header.
    pub fn absent(name: impl Into<String>) -> Self {
        Self { name: name.into(), specifier: HeaderMatch::PresentMatch(true), invert_match: true }
    }

    /// The header's value is `value`, byte for byte.
    pub fn exact(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::string(name, StringMatch::Exact(value.into()), false)
    }

    /// The header's value is `value` in any ASCII case.
    pub fn exact_ignoring_case(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::string(name, StringMatch::Exact(value.into()), true)
    }

    /// The header's whole value matches the RE2 expression `regex`.
    pub fn regex(name: impl Into<String>, regex: impl Into<String>) -> Self {
        Self::string(name, StringMatch::SafeRegex { regex: regex.into() }, false)
    }

    fn string(name: impl Into<String>, pattern: StringMatch, ignore_case: bool) -> Self {
        let specifier = HeaderMatch::StringMatch(StringMatcher { pattern, ignore_case });
        Self { name: name.into(), specifier, invert_match: false }
    }
}

/// `envoy.type.matcher.v3.StringMatcher`; `xds.type.matcher.v3` has the same message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StringMatcher {
    /// The pattern.
    #[serde(flatten)]
    pub pattern: StringMatch,
    /// ASCII case does not count; not for an expression.
    #[serde(skip_serializing_if = "is_false")]
    pub ignore_case: bool,
}

/// The `match_pattern` of a [`StringMatcher`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StringMatch {
    /// Equal.
    Exact(String),
    /// At the beginning.
    Prefix(String),
    /// Anywhere.
    Contains(String),
    /// A full match of an RE2 expression.
    SafeRegex {
        /// The expression.
        regex: String,
    },
}

/// `envoy.type.matcher.v3.MetadataMatcher`, for a text or one in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MetadataMatcher {
    /// The filter that left it.
    pub filter: String,
    path: Vec<PathSegment>,
    value: OrMatch,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct PathSegment {
    key: String,
}

/// `ValueMatcher`, of kind `or_match`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct OrMatch {
    or_match: ValueMatchers,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ValueMatchers {
    value_matchers: [ValueMatcher; 2],
}

/// `ValueMatcher`, of the kinds that are used here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum ValueMatcher {
    StringMatch(StringMatcher),
    ListMatch { one_of: Box<ValueMatcher> },
}

impl MetadataMatcher {
    /// At `path` in what `filter` left behind there is `value`, or a list that holds it.
    pub fn holds<'a>(
        filter: impl Into<String>,
        path: impl IntoIterator<Item = &'a str>,
        value: impl Into<String>,
    ) -> Self {
        let path = path.into_iter().map(|key| PathSegment { key: key.to_owned() }).collect();
        let text = StringMatcher { pattern: StringMatch::Exact(value.into()), ignore_case: false };
        let text = ValueMatcher::StringMatch(text);
        let list = ValueMatcher::ListMatch { one_of: Box::new(text.clone()) };
        let value = OrMatch { or_match: ValueMatchers { value_matchers: [text, list] } };
        Self { filter: filter.into(), path, value }
    }
}

/// `RouteAction`.
#[derive(Clone, Debug, Serialize)]
pub struct RouteAction {
    /// Where the request goes.
    #[serde(flatten)]
    pub target: ClusterSpecifier,
    /// The whole request, retries included, ends by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What is tried again, and how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
}

/// The `cluster_specifier` of a [`RouteAction`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterSpecifier {
    /// One cluster.
    Cluster(String),
    /// Several, by weight.
    WeightedClusters {
        /// The clusters with their weights.
        clusters: Vec<ClusterWeight>,
    },
}

/// `WeightedCluster.ClusterWeight`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterWeight {
    /// The cluster.
    pub name: String,
    /// Its share of the sum of all weights.
    pub weight: u32,
}

/// `RetryPolicy`.
#[derive(Clone, Debug, Serialize)]
pub struct RetryPolicy {
    /// Conditions, separated by commas.
    pub retry_on: String,
    /// How often, after the first try.
    pub num_retries: u32,
    /// One try ends by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_try_timeout: Option<Duration>,
    /// Which priority the next try may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_priority: Option<RetryPriority>,
    /// Which hosts the next try may not use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retry_host_predicate: Vec<RetryHostPredicate>,
    /// How many hosts the predicate may refuse before it is overruled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_selection_retry_max_attempts: Option<u32>,
    /// The request is retried only if one of these matches it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retriable_request_headers: Vec<HeaderMatcher>,
}

/// `RetryPolicy.RetryPriority`, of kind `previous_priorities`.
#[derive(Clone, Debug, Serialize)]
pub struct RetryPriority {
    name: &'static str,
    typed_config: Any<PreviousPriorities>,
}

/// `envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig`.
#[derive(Clone, Debug, Serialize)]
pub struct PreviousPriorities {
    /// The choice of priority is made anew after this many tries; 1 leaves a failing priority at the first retry.
    pub update_frequency: u32,
}

impl RetryPriority {
    /// Each retry goes to a priority that has not been tried yet.
    pub fn previous_priorities() -> Self {
        Self {
            name: "envoy.retry_priorities.previous_priorities",
            typed_config: Any::new(
                "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                PreviousPriorities { update_frequency: 1 },
            ),
        }
    }
}

/// `RetryPolicy.RetryHostPredicate`, of kind `previous_hosts`.
#[derive(Clone, Debug, Serialize)]
pub struct RetryHostPredicate {
    name: &'static str,
    typed_config: Any<PreviousHosts>,
}

#[derive(Clone, Debug, Serialize)]
struct PreviousHosts {}

impl RetryHostPredicate {
    /// Each retry goes to a host that has not been tried yet.
    pub fn previous_hosts() -> Self {
        Self {
            name: "envoy.retry_host_predicates.previous_hosts",
            typed_config: Any::new(
                "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
                PreviousHosts {},
            ),
        }
    }
}

/// `envoy.config.core.v3.HeaderValueOption`.
#[derive(Clone, Debug, Serialize)]
pub struct HeaderValueOption {
    header: HeaderValue,
    append_action: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct HeaderValue {
    key: String,
    value: String,
}

impl HeaderValueOption {
    /// Sets `key` to `value`, in place of what was there.
    pub fn overwrite(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            header: HeaderValue { key: key.into(), value: value.into() },
            append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}
