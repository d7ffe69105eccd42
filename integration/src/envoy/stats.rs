//! What Envoy's `/stats` says, and the labels inside the names of a module's metrics.

use std::collections::BTreeMap;

/// What Envoy puts before the metrics of a module.
pub(super) const FILTER_METRICS: &str = "wasmcustom.";

/// `name: value` lines; histograms, whose value is not a number, are left out.
pub(super) fn parse(text: &str, prefix: &str) -> BTreeMap<String, u64> {
    let lines = text.lines().filter(|line| line.starts_with(prefix));
    // From the right: a name may hold `: ` itself, a value never.
    lines
        .filter_map(|line| line.rsplit_once(": "))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

/// A series is `label=.=value;.;label=.=value;.;name`, the form that Istio reads labels from.
pub(super) fn sum(stats: &BTreeMap<String, u64>, name: &str, labels: &[(&str, &str)]) -> u64 {
    let asked = |series: &str| {
        let mut parts: Vec<&str> = series.trim_start_matches(FILTER_METRICS).split(";.;").collect();
        let has = |label: &str, value: &str| {
            parts.iter().filter_map(|part| part.split_once("=.=")).any(|part| part == (label, value))
        };
        let has_all = labels.iter().all(|(label, value)| has(label, value));
        parts.pop() == Some(name) && has_all
    };
    stats.iter().filter(|(series, _)| asked(series)).map(|(_, value)| value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_the_sum_of_the_series_that_were_asked_for() {
        let series = |to: &str, value| (format!("wasmcustom.from=.=a;.;to=.={to};.;meridian_moved_total"), value);
        let mut stats = BTreeMap::from([series("b", 1), series("c", 2)]);
        stats.insert("wasmcustom.meridian_host_errors_total".to_owned(), 7);
        let sum = |name, labels: &[_]| super::sum(&stats, name, labels);
        assert_eq!(sum("meridian_moved_total", &[]), 3);
        assert_eq!(sum("meridian_moved_total", &[("from", "a"), ("to", "c")]), 2);
        assert_eq!(sum("meridian_moved_total", &[("to", "d")]), 0);
        assert_eq!(sum("meridian_host_errors_total", &[]), 7);
    }

    #[test]
    fn histograms_and_other_names_are_left_out() {
        let text = "cluster.a.rq: 3\ncluster.a.time: P0(1,2) P50(3,4)\nlistener.b: 4\n";
        assert_eq!(parse(text, "cluster."), BTreeMap::from([("cluster.a.rq".to_owned(), 3)]));
    }
}
