//! Figures as people read them: never without a unit, never with more digits than they carry.

use std::time::Duration;

/// An instant of the run, e.g. `12.4 s` or `3 min 05 s`.
pub(super) fn instant(at: Duration) -> String {
    let seconds = at.as_secs_f64();
    if seconds < 120.0 {
        return format!("{seconds:.1} s");
    }
    let whole = at.as_secs();
    if whole < 7200 {
        return format!("{} min {:02} s", whole / 60, whole % 60);
    }
    format!("{} h {:02} min", whole / 3600, whole / 60 % 60)
}

/// How long something took, e.g. `850 µs`, `12.3 ms`, `1.20 s`.
pub(super) fn span(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if seconds < 0.001 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 0.01 {
        format!("{:.2} ms", seconds * 1e3)
    } else if seconds < 0.1 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 120.0 {
        format!("{seconds:.2} s")
    } else {
        instant(took)
    }
}

/// A count with thousands apart, e.g. `12,000`.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and what is counted, e.g. `1 request`, `2 requests`.
pub(super) fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// A rate, e.g. `200/s`.
pub(super) fn rate(per_second: f64) -> String {
    if per_second < 10.0 && per_second.fract() != 0.0 {
        format!("{per_second:.1}/s")
    } else {
        format!("{per_second:.0}/s")
    }
}

/// A share of a whole, e.g. `99.97 %`. It says 0 and 100 only of nothing and all.
pub(super) fn share(part: usize, whole: usize) -> String {
    if whole == 0 || part == 0 {
        return "0 %".into();
    }
    if part == whole {
        return "100 %".into();
    }
    let percent = (part as f64 / whole as f64 * 100.0).clamp(0.01, 99.99);
    if (1.0..99.0).contains(&percent) { format!("{percent:.1} %") } else { format!("{percent:.2} %") }
}
