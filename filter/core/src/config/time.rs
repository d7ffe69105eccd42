//! RFC 3339 times, to the second, as drills are planned. Small, because it ships in the module, where a calendar library would not fit.

use crate::policy::Timestamp;

/// `2026-11-20T10:00:00Z` or with an offset such as `+02:00`; nothing before 1970.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let (clock, zone) = rest.strip_prefix(['T', 't'])?.split_at_checked(8)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
    u64::try_from(seconds).ok().map(|seconds| Timestamp(seconds * 1_000))
}

/// Days since 1970-01-01 in the Gregorian calendar, with years that begin in March so that a leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let [hours, minutes] = numbers(zone.get(1..)?, ':', [2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Exactly so many numbers of so many digits each.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut found = [0; N];
    for (number, digits) in found.iter_mut().zip(digits) {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;

    #[test]
    fn a_time_is_the_same_in_every_zone() {
        for text in ["2026-11-20T10:00:00Z", "2026-11-20T12:00:00+02:00", "2026-11-20T04:30:00-05:30"] {
            assert_eq!(parse(text), Some(Timestamp(1_795_168_800_000)), "{text}");
        }
    }

    #[test]
    fn leap_days_are_where_they_belong() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(Timestamp(0)));
        assert_eq!(parse("2000-02-29T00:00:00Z"), Some(Timestamp(951_782_400_000)));
        assert_eq!(parse("2100-02-29T00:00:00Z"), None);
        assert_eq!(parse("2024-12-31T23:59:59Z"), Some(Timestamp(1_735_689_599_000)));
    }

    #[test]
    fn what_is_not_a_time_is_none() {
        for text in ["", "tomorrow", "2026-11-20", "2026-11-20T10:00:00", "2026-13-01T00:00:00Z", "2026-1-1T0:0:0Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("1960-01-01T00:00:00Z"), None);
        assert_eq!(parse("2026-11-20T10:00:00+24:00"), None);
    }
}
