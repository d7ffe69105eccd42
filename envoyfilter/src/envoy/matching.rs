//! An extension that is there for some requests only: `envoy.extensions.common.matching.v3` and `xds.type.matcher.v3`.
//!
//! Envoy reads the matcher when the request's headers come to the extension, once, and keeps what it says for the whole stream:
//! what is skipped sees neither the request nor its response (`source/extensions/filters/http/match_delegate/config.cc`). A request that
//! never came that far, which Envoy answered itself, has no headers to match on, and what cannot be matched is not skipped.

use super::{Any, StringMatcher};
use serde::Serialize;

/// `envoy.extensions.common.matching.v3.ExtensionWithMatcher`, of an extension configured by `T`.
#[derive(Clone, Debug, Serialize)]
pub struct ExtensionWithMatcher<T> {
    extension_config: TypedExtensionConfig<T>,
    xds_matcher: Matcher,
}

/// The type of an [`ExtensionWithMatcher`], as a filter chain lists it.
pub const EXTENSION_WITH_MATCHER: &str = "type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher";

impl<T> ExtensionWithMatcher<T> {
    /// The extension `name`, skipped for every request that does not meet `predicate`.
    pub fn only_where(predicate: Predicate, name: impl Into<String>, typed_config: T) -> Any<Self> {
        let skip =
            Any::new("type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter", Skip {});
        let matcher = FieldMatcher {
            predicate: Predicate::NotMatcher(Box::new(predicate)),
            on_match: OnMatch { action: TypedExtensionConfig { name: "skip".to_owned(), typed_config: skip } },
        };
        let message = Self {
            extension_config: TypedExtensionConfig { name: name.into(), typed_config },
            xds_matcher: Matcher { matcher_list: MatcherList { matchers: [matcher] } },
        };
        Any::new(EXTENSION_WITH_MATCHER, message)
    }
}

/// `envoy.config.core.v3.TypedExtensionConfig`; `xds.core.v3` has the same message.
#[derive(Clone, Debug, Serialize)]
struct TypedExtensionConfig<T> {
    name: String,
    typed_config: T,
}

/// `xds.type.matcher.v3.Matcher`, of kind `matcher_list`.
#[derive(Clone, Debug, Serialize)]
struct Matcher {
    matcher_list: MatcherList,
}

#[derive(Clone, Debug, Serialize)]
struct MatcherList {
    matchers: [FieldMatcher; 1],
}

#[derive(Clone, Debug, Serialize)]
struct FieldMatcher {
    predicate: Predicate,
    on_match: OnMatch,
}

/// `Matcher.OnMatch`, of kind `action`.
#[derive(Clone, Debug, Serialize)]
struct OnMatch {
    action: TypedExtensionConfig<Any<Skip>>,
}

/// `envoy.extensions.filters.common.matcher.action.v3.SkipFilter`.
#[derive(Clone, Debug, Serialize)]
struct Skip {}

/// `Matcher.MatcherList.Predicate`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Predicate {
    /// One input, one match.
    SinglePredicate(SinglePredicate),
    /// Any of at least two.
    OrMatcher(PredicateList),
    /// Whatever does not meet it.
    NotMatcher(Box<Predicate>),
}

impl Predicate {
    /// A header of the request meets one of `matchers`, the first of which is apart because Envoy refuses a list of none.
    pub fn header(name: &'static str, first: StringMatcher, others: impl IntoIterator<Item = StringMatcher>) -> Self {
        let single = |value_match| {
            let input = Any::new(
                "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
                Header { header_name: name },
            );
            let input = TypedExtensionConfig { name: "request-headers".to_owned(), typed_config: input };
            Self::SinglePredicate(SinglePredicate { input, value_match })
        };
        let first = single(first);
        let mut predicate: Vec<Self> = others.into_iter().map(single).collect();
        if predicate.is_empty() {
            return first;
        }
        predicate.insert(0, first);
        Self::OrMatcher(PredicateList { predicate })
    }
}

/// `Matcher.MatcherList.Predicate.PredicateList`.
#[derive(Clone, Debug, Serialize)]
pub struct PredicateList {
    predicate: Vec<Predicate>,
}

/// `Matcher.MatcherList.Predicate.SinglePredicate`, with a `value_match`.
#[derive(Clone, Debug, Serialize)]
pub struct SinglePredicate {
    input: TypedExtensionConfig<Any<Header>>,
    value_match: StringMatcher,
}

/// `envoy.type.matcher.v3.HttpRequestHeaderMatchInput`.
#[derive(Clone, Debug, Serialize)]
struct Header {
    header_name: &'static str,
}
