//! The reason inside `x-region-decision`.
//!
//! The header is an RFC 9651 dictionary. A search for `reason=` would be fooled by a rule whose name holds it, so commas
//! inside quotes and parentheses do not end a member here. Nothing else of the grammar matters for a count.

/// The value of `reason` in a decision, or none if it does not say.
pub(super) fn reason(decision: &str) -> Option<&str> {
    members(decision).find_map(|member| {
        let (key, value) = member.split_once('=')?;
        let value = value.split(';').next()?.trim().trim_matches('"');
        (key.trim() == "reason" && !value.is_empty()).then_some(value)
    })
}

/// The members of a dictionary, split at the commas that separate members.
fn members(dictionary: &str) -> impl Iterator<Item = &str> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    dictionary.split(move |char| {
        if quoted {
            (quoted, escaped) = (escaped || char != '"', !escaped && char == '\\');
            return false;
        }
        match char {
            '"' => quoted = true,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' => return depth == 0,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn the_reason_is_found_among_the_other_members() {
        let decision = r#"asked=eu-west-1, chosen=eu-central-1, reason=failover, skipped=("eu-west-1";ejected=12)"#;
        assert_eq!(reason(decision), Some("failover"));
    }

    #[test]
    fn a_rule_cannot_pose_as_a_reason() {
        assert_eq!(reason(r#"rule="a, reason=forged", reason=asked;x=1"#), Some("asked"));
        assert_eq!(reason(r#"rule="a\", reason=forged", reason=local"#), Some("local"));
        assert_eq!(reason(r#"skipped=("a" "b, reason=forged"), reason=drill"#), Some("drill"));
    }

    #[test]
    fn a_decision_without_a_reason_has_none() {
        assert_eq!(reason(""), None);
        assert_eq!(reason("reason"), None);
        assert_eq!(reason("reason=, chosen=x"), None);
        assert_eq!(reason("\"reason=asked"), None);
    }
}
