//! `explain`: who may ask for the explanation of a decision.

use super::reader::{Node, Object};
use crate::explain::{Explain, ExplainKey};

/// Reads `explain`; nobody is told where it is absent.
pub(super) fn read(root: &Object<'_>) -> Explain {
    let Some(object) = root.get("explain").and_then(|node| node.object(&["keySha256", "public"])) else {
        return Explain::default();
    };
    Explain {
        public: object.get("public").and_then(|node| node.boolean()).unwrap_or(false),
        key: object.get("keySha256").as_ref().and_then(key),
    }
}

fn key(node: &Node<'_>) -> Option<ExplainKey> {
    let key = ExplainKey::parse(node.text()?);
    if key.is_none() {
        let suggestion = "the key's SHA-256 in 64 hexadecimal digits: `printf %s \"$KEY\" | sha256sum`";
        node.error_with("is not a SHA-256 digest", suggestion);
    }
    key
}
