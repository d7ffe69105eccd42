//! Times as people write them, as the core counts them.

use anyhow::{Context, Result};
use meridian_core::Timestamp;

/// The time an RFC 3339 text names.
///
/// # Errors
/// If it is not such a text, or before 1970.
pub fn parse(text: &str) -> Result<Timestamp> {
    let time: jiff::Timestamp =
        text.parse().with_context(|| format!("`{text}` is not a time; write e.g. `2026-11-20T10:00:00Z`"))?;
    let millis = u64::try_from(time.as_millisecond());
    millis.map(Timestamp).with_context(|| format!("`{text}` is before 1970"))
}

/// A time as [`parse`] reads it.
#[must_use]
pub(crate) fn text(time: Timestamp) -> String {
    let time = i64::try_from(time.0).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    time.unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// The time on this machine.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_same_in_every_zone() {
        assert_eq!(parse("2026-11-20T10:00:00Z").unwrap(), Timestamp(1_795_168_800_000));
        assert_eq!(parse("2026-11-20T12:00:00+02:00").unwrap(), Timestamp(1_795_168_800_000));
    }

    #[test]
    fn what_is_not_a_time_is_told_how_to_write_one() {
        assert!(parse("tomorrow").unwrap_err().to_string().ends_with("write e.g. `2026-11-20T10:00:00Z`"));
        assert!(parse("2026-11-20T10:00:00").is_err());
        assert!(parse("1960-01-01T00:00:00Z").is_err());
    }
}
