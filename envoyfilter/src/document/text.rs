//! Texts of a form: the names, hosts, headers, paths and times of a document.
//!
//! A form is a pattern and the longest text it may be, and both stand in the schema, so that an editor underlines a slip while somebody
//! types. The types keep the kinds apart: the name of a region cannot stand where a fence's belongs, and the schema says which is meant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A text of a form: its pattern, the longest it may be, and one that is right.
macro_rules! form {
    ($(#[$says:meta])* $name:ident: $pattern:expr, $longest:expr, $example:expr) => {
        $(#[$says])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(extend("pattern" = $pattern, "maxLength" = $longest, "examples" = [$example]))]
        pub struct $name(pub String);

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

/// What Kubernetes allows as a name, and what can be part of a subset's.
const LABEL: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";

form! {
    /// A name of the policy's own: lower-case letters, digits and `-` inside.
    Label: LABEL, 63, "bookinfo"
}
form! {
    /// The name of one of the `regions`.
    RegionName: LABEL, 63, "eu-west-1"
}
form! {
    /// The name of one of the `fences`.
    FenceName: LABEL, 63, "eu"
}
form! {
    /// The name of one of the `services`.
    ServiceName: LABEL, 63, "productpage"
}
form! {
    /// A DNS name, `*.` and a DNS name, or `*`; without a port.
    Host: r"^(\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)$", 255, "bookinfo.example.com"
}
form! {
    /// A DNS name, without a port or a wildcard.
    OneHost: r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", 253, "productpage.bookinfo.svc.cluster.local"
}
form! {
    /// A header's name, in any case.
    HeaderName: r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", 256, "x-tenant"
}
form! {
    /// Visible ASCII, with spaces inside: what can stand in a header.
    HeaderValue: "^[!-~]([ -~]*[!-~])?$", 256, "acme"
}
form! {
    /// A claim of a token; one inside another is behind its name and `.`.
    ClaimName: r#"^[!#-\-/-Z^-~]+(\.[!#-\-/-Z^-~]+)*$"#, 256, "tenant"
}
form! {
    /// An HTTP method.
    Method: "^[A-Z-]+$", 32, "GET"
}
form! {
    /// A path that begins with `/`, without a query.
    PathPrefix: "^/[^?#]*$", 8192, "/api"
}
form! {
    /// A path that begins with `/`, in visible ASCII; a query may follow.
    ProbePath: r#"^/[!"$-~]*$"#, 1_024, "/healthz"
}
form! {
    /// A number with one unit (`ms`, `s`, `m`, `h`), to the millisecond; at most `24h`.
    Duration: r"^[0-9]+(\.[0-9]{1,6})?(ms|s|m|h)$", 64, "10s"
}
form! {
    /// A time of RFC 3339, to the second.
    Time: r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}([Zz]|[+-][0-9]{2}:[0-9]{2})$", 25, "2026-11-20T10:00:00Z"
}

form! {
    /// A SHA-256 digest in hexadecimal.
    Sha256: "^[0-9A-Fa-f]{64}$", 64, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
}

impl From<std::time::Duration> for Duration {
    /// In seconds where they are whole, else in milliseconds; no policy is finer.
    fn from(duration: std::time::Duration) -> Self {
        let millis = duration.as_millis();
        Self(if millis.is_multiple_of(1_000) { format!("{}s", millis / 1_000) } else { format!("{millis}ms") })
    }
}
